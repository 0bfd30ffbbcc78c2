/**
 * One block of memory that two threads share, lent in parts.
 *
 * Why one:   V8 counts no shared memory when it decides when to collect garbage, and each thread holds what it was once
 *            sent until it does: with a block for each part, gigabytes that nobody uses would be left behind.
 * Invariant: no byte is lent twice. The lowest part that is free is lent first, so that little of the block is ever
 *            touched, and what is not touched takes no memory.
 */
import { InvariantError } from "@kahn/core";

/** Parts are as many of these as they need. */
const PAGE_BYTES = 64 * 1024;

/** The block. */
export class SharedMemory {
  readonly buffer: SharedArrayBuffer;
  /** 1 for a page that is lent. */
  readonly #lent: Uint8Array;
  #lentPages = 0;

  constructor(sizeBytes: number) {
    const pages = Math.floor(sizeBytes / PAGE_BYTES);
    this.buffer = new SharedArrayBuffer(pages * PAGE_BYTES);
    this.#lent = new Uint8Array(pages);
  }

  get lentBytes(): number {
    return this.#lentPages * PAGE_BYTES;
  }

  /** Lends a part; `undefined` when no gap is large enough. */
  lend(sizeBytes: number): Buffer | undefined {
    const pages = Math.ceil(sizeBytes / PAGE_BYTES);
    const first = this.#gap(pages);
    if (first === undefined || pages === 0) return undefined;
    this.#lent.fill(1, first, first + pages);
    this.#lentPages += pages;
    return Buffer.from(this.buffer, first * PAGE_BYTES, sizeBytes);
  }

  /** Takes a part back, as it was lent. */
  takeBack(part: Buffer): void {
    const first = part.byteOffset / PAGE_BYTES;
    const pages = Math.ceil(part.byteLength / PAGE_BYTES);
    if (!this.has(part) || this.#lent[first] !== 1) throw new InvariantError("memory was given back that is not lent");
    this.#lent.fill(0, first, first + pages);
    this.#lentPages -= pages;
  }

  /** Whether these bytes lie in the block. */
  has(bytes: Uint8Array): boolean {
    return bytes.buffer === this.buffer;
  }

  /** The first page of so many that are free. */
  #gap(pages: number): number | undefined {
    let free = 0;
    for (let page = 0; page < this.#lent.length; page++) {
      free = this.#lent[page] === 0 ? free + 1 : 0;
      if (free === pages) return page + 1 - pages;
    }
    return undefined;
  }
}
