/**
 * Blobs that are asked for again, kept in memory up to a bound: many clients want the same within minutes.
 *
 * Invariant: what is kept was hashed after it was read, and nobody changes it. Whether the blob is still there is for others
 *            to say.
 */
import type { Digest } from "@kahn/core";
import { digestSizeBytes } from "@kahn/core";

const MAX_BYTES = 64 * 1024 * 1024;
/** No larger blob is kept. */
const BLOB_MAX_BYTES = 2 * 1024 * 1024;
/** How many blobs are remembered that were asked for once. */
const ASKED_MAX = 4096;

/** Verified bytes by digest. */
export class HotBlobs {
  readonly #bytes = new Map<Digest, Uint8Array>();
  readonly #asked = new Set<Digest>();
  #sizeBytes = 0;

  /** The bytes, which are the last to go from now on. */
  get(digest: Digest): Uint8Array | undefined {
    const bytes = this.#bytes.get(digest);
    if (bytes === undefined) return undefined;
    this.#bytes.delete(digest);
    this.#bytes.set(digest, bytes);
    return bytes;
  }

  /** True when a blob is asked for that was asked for before: it is worth its place. */
  isWanted(digest: Digest): boolean {
    if (digestSizeBytes(digest) > BLOB_MAX_BYTES) return false;
    if (this.#asked.delete(digest)) return true;
    this.#asked.add(digest);
    if (this.#asked.size > ASKED_MAX) this.#asked.delete(this.#asked.values().next().value as Digest);
    return false;
  }

  /** Keeps bytes that have this digest; what was longest not read goes. */
  keep(digest: Digest, bytes: Uint8Array): void {
    if (!this.#bytes.has(digest)) this.#sizeBytes += bytes.byteLength;
    this.#bytes.set(digest, bytes);
    for (const [oldest, { byteLength }] of this.#bytes) {
      if (this.#sizeBytes <= MAX_BYTES) return;
      this.#bytes.delete(oldest);
      this.#sizeBytes -= byteLength;
    }
  }
}
