/** Blobs that are not to be collected for the time being. */
import type { Digest } from "@kahn/core";
import type { BlobIndex } from "./blob-index.ts";

/** A hold on blobs. */
export interface Pin {
  /** Lets go; no effect the second time. */
  release(): void;
}

/** Counts holds. */
export class Pins {
  readonly #counts = new Map<Digest, number>();

  /** Holds blobs, there or not, until it is released. */
  pin(digests: readonly Digest[]): Pin {
    for (const digest of digests) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        for (const digest of digests) {
          const count = this.#counts.get(digest)! - 1;
          if (count === 0) this.#counts.delete(digest);
          else this.#counts.set(digest, count);
        }
      },
    };
  }

  /** Whether the blob of an entry is held. */
  has(index: BlobIndex, entry: number): boolean {
    return this.#counts.size > 0 && this.#counts.has(index.digest(entry));
  }
}
