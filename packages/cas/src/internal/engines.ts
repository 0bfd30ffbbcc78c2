/** The hash engines of a store, loaded when a digest needs one. Native ones never cost a turn of the event loop. */
import type { Digest, DigestFunction } from "@kahn/core";
import { digestFunction, invariant } from "@kahn/core";
import type { HashEngine } from "../hasher.ts";
import { loadEngine, nativeEngine } from "../hasher.ts";

/** Engines by function. */
export class Engines {
  readonly #loaded = new Map<DigestFunction, HashEngine>();

  /** After this, the answer gives the engine of each of these digests at once. */
  async forDigests(digests: readonly Digest[]): Promise<(digest: Digest) => HashEngine> {
    for (const digest of digests) {
      // Nearly every digest is SHA-256: skip taking it apart.
      if (digest.startsWith("sha256:") && this.#loaded.has("sha256")) continue;
      const fn = digestFunction(digest);
      if (!this.#loaded.has(fn)) await this.#load(fn);
    }
    return (digest) => this.#get(digestFunction(digest));
  }

  /** The same for functions. */
  async forFunctions(fns: readonly DigestFunction[]): Promise<(fn: DigestFunction) => HashEngine> {
    for (const fn of fns) if (!this.#loaded.has(fn)) await this.#load(fn);
    return (fn) => this.#get(fn);
  }

  async #load(fn: DigestFunction): Promise<void> {
    this.#loaded.set(fn, nativeEngine(fn) ?? (await loadEngine(fn)));
  }

  #get(fn: DigestFunction): HashEngine {
    const engine = this.#loaded.get(fn);
    invariant(engine !== undefined, `the engine of ${fn} was not loaded`);
    return engine;
  }
}
