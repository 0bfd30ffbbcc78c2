/**
 * Results that were found in the cache behind, made ours: first all that they name, then they themselves.
 *
 * Method:    behind the answer, a few at a time: whoever asked has its result at once, and may want no blob of it.
 * Invariant: a result is kept only when every blob that it names is here; nothing that was not hashed here counts as
 *            here. What waits is bounded, and what has no room is asked for again the next time.
 */
import { missingBlobs } from "@kahn/cas";
import type { ActionResult, BlobStore, Digest } from "@kahn/core";
import { blobStoreOf } from "./blob-store-of.ts";
import type { ActionScope, ServerStore } from "./server-store.ts";

/** What is kept with. */
export interface KeptResultsOptions {
  /** The store of this machine, without the cache behind. */
  readonly store: ServerStore;
  /** Makes a blob ours; false when it cannot be had. */
  readonly fetch: (digest: Digest) => Promise<boolean>;
}

/** A result on its way. */
export interface FoundResult {
  readonly scope: ActionScope;
  readonly action: Digest;
  readonly result: ActionResult;
  readonly bytes: Uint8Array;
}

const WAITING_MAX = 10_000;
const RESULTS_AT_ONCE = 4;
const BLOBS_AT_ONCE = 8;
/** The blobs that a result names, then those in its trees. */
const ROUNDS = 2;

/** Keeps results. */
export class KeptResults {
  readonly #options: KeptResultsOptions;
  readonly #blobs: BlobStore;
  readonly #waiting = new Map<string, FoundResult>();
  #running = 0;
  #isClosed = false;

  constructor(options: KeptResultsOptions) {
    this.#options = options;
    this.#blobs = blobStoreOf(options.store);
  }

  /** How many wait or are being kept. */
  get size(): number {
    return this.#waiting.size + this.#running;
  }

  /** Begins to keep a result of a shared layer. */
  keep(found: FoundResult): void {
    if (this.#isClosed || this.#waiting.size >= WAITING_MAX) return;
    this.#waiting.set(`${found.action} ${found.scope.instance}`, found);
    if (this.#running < RESULTS_AT_ONCE) void this.#work();
  }

  /**
   * Makes all that a result names ours; false when something cannot be had. Whoever was told that a blob is there, which is
   * behind, does not send it.
   */
  async complete(result: ActionResult): Promise<boolean> {
    for (let round = 0; round <= ROUNDS && !this.#isClosed; round++) {
      const missing = await missingBlobs(this.#blobs, result);
      if (!missing.ok) return false;
      if (missing.value.length === 0) return true;
      if (round === ROUNDS || !(await this.#fetchAll(missing.value))) return false;
    }
    return false;
  }

  /** Begins nothing more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
  }

  async #work(): Promise<void> {
    this.#running++;
    for (let next = this.#take(); next !== undefined; next = this.#take()) await this.#keepOne(next);
    this.#running--;
  }

  #take(): FoundResult | undefined {
    for (const [key, found] of this.#waiting) {
      this.#waiting.delete(key);
      return found;
    }
    return undefined;
  }

  async #keepOne({ scope, action, result, bytes }: FoundResult): Promise<void> {
    if (!(await this.complete(result))) return;
    await this.#options.store.actions.put({ instance: scope.instance }, action, bytes);
  }

  async #fetchAll(digests: readonly Digest[]): Promise<boolean> {
    const left = digests[Symbol.iterator]();
    let hasAll = true;
    const lane = async () => {
      for (const digest of left) {
        if (!hasAll || this.#isClosed) return;
        if (!(await this.#options.fetch(digest))) hasAll = false;
      }
    };
    await Promise.all(Array.from({ length: BLOBS_AT_ONCE }, lane));
    return hasAll && !this.#isClosed;
  }
}
