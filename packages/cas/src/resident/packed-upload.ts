/** An upload that is small enough to be gathered in memory and put into a pack. */
import type { Digest, Result } from "@kahn/core";
import { digestSizeBytes, err, ok } from "@kahn/core";
import type { BlobWriter } from "./blob-writer.ts";
import { mismatch } from "./blob-writer.ts";
import type { ResidentProblem } from "./resident-problem.ts";

/** Gathers bytes; memory is the size of the blob. */
export class PackedUpload implements BlobWriter {
  readonly digest: Digest;
  committedBytes = 0;
  isPresent = false;
  readonly #store: (bytes: Uint8Array) => Promise<Result<void, ResidentProblem>>;
  #bytes: Buffer;

  /** @param store stores the bytes once they are all there, if they are the digest's. */
  constructor(digest: Digest, store: (bytes: Uint8Array) => Promise<Result<void, ResidentProblem>>) {
    this.digest = digest;
    this.#store = store;
    this.#bytes = Buffer.allocUnsafe(digestSizeBytes(digest));
  }

  gather(bytes: Uint8Array): boolean {
    const endBytes = this.committedBytes + bytes.byteLength;
    if (endBytes > this.#bytes.length) return false;
    this.#bytes.set(bytes, this.committedBytes);
    this.committedBytes = endBytes;
    return true;
  }

  async write(bytes: Uint8Array): Promise<Result<void, ResidentProblem>> {
    if (this.gather(bytes)) return ok(undefined);
    return err(mismatch(this.digest, `${this.committedBytes + bytes.byteLength} bytes and more`));
  }

  async commit(): Promise<Result<void, ResidentProblem>> {
    if (this.isPresent) return ok(undefined);
    const stored = await this.#store(this.#bytes.subarray(0, this.committedBytes));
    this.isPresent = stored.ok;
    return stored;
  }

  abort(): void {
    this.#bytes = Buffer.alloc(0);
  }
}
