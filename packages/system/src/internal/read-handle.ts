/** A file open for reading at any place. */
import { closeSync, fstatSync, openSync, read } from "node:fs";
import { InvariantError, type ReadHandle } from "@kahn/core";
import { closedLate, errnoOf, guarded, guardedOrAbsent, refusal } from "./refusal.ts";

/** Opens for reading; `undefined` when there is no such file. */
export function openReadHandle(path: string): ReadHandle | undefined {
  const fd = guardedOrAbsent("open", path, () => openSync(path, "r"));
  return fd === undefined ? undefined : new OpenFile(path, fd);
}

/** In one call: Linux takes 2 GiB less a page, Node no more than a signed number of 32 bits holds. */
const CALL_MAX_BYTES = 1024 * 1024 * 1024;

class OpenFile implements ReadHandle {
  readonly #path: string;
  readonly #fd: number;
  #readsPending = 0;
  #closed = false;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.byteLength) {
      const got = await this.#readOnce(offset + filled, into.subarray(filled));
      if (got === 0) break;
      filled += got;
    }
    return filled;
  }

  sizeBytes(): number {
    this.#assertOpen();
    return guarded("fstat", this.#path, () => fstatSync(this.#fd).size);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  #readOnce(position: number, into: Uint8Array): Promise<number> {
    this.#assertOpen();
    return new Promise((resolve, reject) => {
      // Throws what it does not take: only what it took is under way.
      read(this.#fd, into, 0, Math.min(into.byteLength, CALL_MAX_BYTES), position, (error, got) => {
        this.#readsPending--;
        if (this.#closed) closedLate(() => this.#release());
        if (error === null) resolve(got);
        // `read` is the one call that libuv does not repeat when a signal interrupts it.
        else if (errnoOf(error) === "EINTR" && !this.#closed) resolve(this.#readOnce(position, into));
        else reject(refusal(error, "read", this.#path));
      });
      this.#readsPending++;
    });
  }

  /** Not while a read is under way: it would go on in whatever file gets the number next. */
  #release(): void {
    if (this.#readsPending === 0) guarded("close", this.#path, () => closeSync(this.#fd));
  }

  #assertOpen(): void {
    if (this.#closed) throw new InvariantError(`used after close: ${this.#path}`);
  }
}
