/** Results of actions in memory: the least that satisfies the port. */
import type { ActionCache, ActionResult, BlobStore, CacheLookup, Digest, Result, StoreProblem } from "@kahn/core";
import { err, ok } from "@kahn/core";

/** An `ActionCache` in memory. With a blob store, a record that names missing blobs is `incomplete`. */
export class MemoryActionCache implements ActionCache {
  /** Every look-up so far, in order. */
  readonly lookups: Digest[] = [];
  readonly #blobs: BlobStore | undefined;
  readonly #records = new Map<Digest, ActionResult>();
  readonly #tokens = new Map<Digest, string>();
  #recordings = 0;
  #trouble: StoreProblem | undefined;

  /** See `memoryActionCache`. */
  constructor(blobs: BlobStore | undefined) {
    this.#blobs = blobs;
  }

  /** The actions with a record, in the order of recording. */
  get recorded(): Digest[] {
    return [...this.#records.keys()];
  }

  /** Every call answers with this problem until it is taken back. */
  failWith(trouble: StoreProblem | undefined): void {
    this.#trouble = trouble;
  }

  async lookup(action: Digest): Promise<Result<CacheLookup, StoreProblem>> {
    this.lookups.push(action);
    if (this.#trouble) return err(this.#trouble);
    const result = this.#records.get(action);
    if (result === undefined) return ok({ kind: "miss", reason: "no-entry" });
    const missing = await this.#blobs?.findMissing(blobsOf(result));
    if (missing?.ok === false) return missing;
    if (missing !== undefined && missing.value.length > 0) {
      return ok({ kind: "miss", reason: "incomplete", missing: missing.value });
    }
    return ok({ kind: "hit", result });
  }

  async record(action: Digest, result: ActionResult): Promise<Result<void, StoreProblem>> {
    if (this.#trouble) return err(this.#trouble);
    this.#records.set(action, structuredClone(result));
    this.#tokens.set(action, `${++this.#recordings}`);
    return ok(undefined);
  }

  recordToken(action: Digest): string | undefined {
    return this.#records.has(action) ? this.#tokens.get(action) : undefined;
  }

  async forget(action: Digest): Promise<Result<void, StoreProblem>> {
    if (this.#trouble) return err(this.#trouble);
    this.#records.delete(action);
    return ok(undefined);
  }
}

/** Results in memory; `blobs` is asked whether what a record names is still there. */
export function memoryActionCache(blobs?: BlobStore): MemoryActionCache {
  return new MemoryActionCache(blobs);
}

function blobsOf(result: ActionResult): Digest[] {
  const named = [
    ...result.outputFiles.map(({ digest }) => digest),
    ...result.outputDirectories.map(({ tree }) => tree),
    result.stdout,
    result.stderr,
  ];
  return [...new Set(named.filter((digest) => digest !== undefined))];
}
