/**
 * Blobs that are asked for again, kept in memory up to a bound: many clients want the same within minutes.
 *
 * Owns:      the bound, over what is kept and what is being read in to be kept.
 * Invariant: what is kept was hashed after it was read, and nobody changes it. Whether the blob is still there is for others
 *            to say.
 */
import type { Digest } from "@kahn/core";
import { digestSizeBytes } from "@kahn/core";

/** How many blobs are remembered that were asked for once. */
const ASKED_MAX = 4096;

/** Memory for one blob that is being read in. */
export interface HotFill {
  readonly bytes: Uint8Array;
  /** They are the blob's: keeps them. */
  keep(): void;
  /** Gives the memory up, unless it is kept. */
  end(): void;
}

/** Verified bytes by digest. */
export class HotBlobs {
  readonly #maxBytes: number;
  readonly #bytes = new Map<Digest, Uint8Array>();
  readonly #asked = new Set<Digest>();
  readonly #filling = new Set<Digest>();
  #keptBytes = 0;
  #fillingBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Of what is kept and of what is being read in. */
  get heldBytes(): number {
    return this.#keptBytes + this.#fillingBytes;
  }

  /** The bytes, which are the last to go from now on. */
  get(digest: Digest): Uint8Array | undefined {
    const bytes = this.#bytes.get(digest);
    if (bytes === undefined) return undefined;
    this.#bytes.delete(digest);
    this.#bytes.set(digest, bytes);
    return bytes;
  }

  /** True when a blob is asked for that was asked for before: it is worth its place. None takes more than half of all. */
  isWanted(digest: Digest): boolean {
    if (digestSizeBytes(digest) > this.#maxBytes / 2) return false;
    if (this.#asked.delete(digest)) return true;
    this.#asked.add(digest);
    if (this.#asked.size > ASKED_MAX) this.#asked.delete(this.#asked.values().next().value as Digest);
    return false;
  }

  /** Memory to read a wanted blob into; `undefined` when it is being read in, or too much is. */
  fill(digest: Digest): HotFill | undefined {
    const sizeBytes = digestSizeBytes(digest);
    if (this.#filling.has(digest) || this.#fillingBytes + sizeBytes > this.#maxBytes / 2) return undefined;
    this.#filling.add(digest);
    this.#fillingBytes += sizeBytes;
    this.#makeRoom();
    const bytes = Buffer.allocUnsafeSlow(sizeBytes);
    let isOver = false;
    const end = () => {
      // Once only: somebody else may have begun to read it in since.
      if (isOver) return;
      isOver = true;
      this.#filling.delete(digest);
      this.#fillingBytes -= sizeBytes;
    };
    const keep = () => {
      end();
      this.keep(digest, bytes);
    };
    return { bytes, keep, end };
  }

  /** Keeps bytes that have this digest; what was longest not read goes. */
  keep(digest: Digest, bytes: Uint8Array): void {
    if (!this.#bytes.has(digest)) this.#keptBytes += bytes.byteLength;
    this.#bytes.set(digest, bytes);
    this.#makeRoom();
  }

  #makeRoom(): void {
    for (const [oldest, { byteLength }] of this.#bytes) {
      if (this.heldBytes <= this.#maxBytes) return;
      this.#bytes.delete(oldest);
      this.#keptBytes -= byteLength;
    }
  }
}
