/**
 * A blob that goes by and stays in memory: who asks for it next is answered from there.
 *
 * Invariant: what is kept was read in order from the first byte to the last, and hashed on the way.
 */
import type { Result } from "@kahn/core";
import type { BlobReader, FileReader } from "./blob-reader.ts";
import type { HotFill } from "./hot-blobs.ts";
import type { ResidentProblem } from "./resident-problem.ts";

/** Reads a file into memory that is kept at the end. */
export class KeepingReader implements BlobReader {
  readonly #file: FileReader;
  readonly #fill: HotFill;
  #filledBytes = 0;

  /** @param file which hashes what it reads. */
  constructor(file: FileReader, fill: HotFill) {
    this.#file = file;
    this.#fill = fill;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  async read(offset: number, lengthBytes: number, into?: Uint8Array): Promise<Result<Uint8Array, ResidentProblem>> {
    // Only a part, or one again: such a reading is as any.
    if (offset !== this.#filledBytes) {
      this.#leave();
      return await this.#file.read(offset, lengthBytes, into);
    }
    const got = await this.#file.read(offset, lengthBytes, this.#fill.bytes.subarray(offset));
    if (!got.ok) {
      // What was hashed is over: the same bytes would be taken the next time.
      this.#leave();
      return got;
    }
    this.#filledBytes += got.value.byteLength;
    if (this.#filledBytes === this.sizeBytes) this.#fill.keep();
    return got;
  }

  /** Keeps nothing of it. */
  #leave(): void {
    this.#fill.end();
    this.#filledBytes = Number.NaN;
  }

  close(): void {
    this.#fill.end();
    this.#file.close();
  }
}
