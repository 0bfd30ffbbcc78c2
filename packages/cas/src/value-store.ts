/**
 * The durable value store: what journals refer to by digest.
 *
 * Owns:      values as files `ab/<hash>` (SHA-256) below one directory; nothing limits their number.
 * Invariant: a value is whole or absent; only `sweep` removes one, and only when no journal names it. The cache may
 *            be deleted at any time: nothing here is a link that depends on it.
 * Use:       `put` is process-durable when it returns; `flush` makes everything put so far disk-durable. Put a value
 *            before the record that names it, flush before a record that must survive power loss.
 */
import type { Clock, Digest, FileSystem, Problem, Random, Result } from "@kahn/core";
import { digestHash, digestOf, err, FileSystemError, invariant, ok, problem } from "@kahn/core";
import { Publisher } from "./internal/publish.ts";
import { StoreLayout } from "./internal/store-layout.ts";

/** What can go wrong with values. */
export type ValueProblem = Problem<"value-corrupt" | "value-store-full" | "value-store-io">;

/** How a value store is opened. */
export interface ValueStoreOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Absolute path of its directory; made at the first `put`. */
  readonly root: string;
}

/** Younger values are left alone by `sweep`: the record that names them may be about to be written. */
const SWEEP_MIN_AGE_MS = 60 * 60 * 1000;

/** Values by digest. Several processes may use one at once. */
export class ValueStore {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #root: string;
  readonly #publisher: Publisher;
  #unflushed = 0;

  /** See `openValueStore`. */
  constructor({ fs, clock, random, root }: ValueStoreOptions) {
    this.#fs = fs;
    this.#clock = clock;
    this.#root = root;
    this.#publisher = new Publisher(fs, new StoreLayout(root, random));
  }

  /** Keeps bytes; answers with their SHA-256 digest. A value that is there already is not written again. */
  put(bytes: Uint8Array): Result<Digest, ValueProblem> {
    const digest = digestOf(bytes);
    const path = this.#path(digest);
    return this.#guarded(() => {
      const present = this.#fs.readFile(path);
      if (present !== undefined && Buffer.compare(present, bytes) === 0) {
        // A new use: a sweep that runs now must not take it for left over.
        this.#fs.setTimes(path, this.#clock.nowMs(), this.#clock.nowMs());
      } else {
        this.#publisher.write(bytes, { path, mode: 0o444 });
      }
      // Counted when it was there, too: the process that wrote it may not have flushed it.
      this.#unflushed++;
      return digest;
    });
  }

  /** A value, verified; `undefined` when there is none. `value-corrupt` when it is not what it was. */
  get(digest: Digest): Result<Uint8Array | undefined, ValueProblem> {
    const path = this.#path(digest);
    const read = this.#guarded(() => this.#fs.readFile(path));
    if (!read.ok || read.value === undefined || digestOf(read.value) === digest) return read;
    return err(
      problem("value-corrupt", `the value ${digest} was damaged on disk`, {
        facts: [["file", path]],
        next: "Restore the file from a backup, or start the run again from its beginning.",
      }),
    );
  }

  /** True when a value of this digest is there, by its size; `get` verifies it. */
  has(digest: Digest): boolean {
    return this.#fs.lstat(this.#path(digest))?.sizeBytes === Number(digest.slice(digest.lastIndexOf("/") + 1));
  }

  /** Makes everything that was put so far disk-durable. Cheap when nothing was. */
  async flush(): Promise<Result<void, ValueProblem>> {
    if (this.#unflushed === 0) return ok(undefined);
    const count = this.#unflushed;
    try {
      await this.#fs.syncAll(this.#root);
    } catch (error) {
      if (error instanceof FileSystemError) return err(valueProblem(error));
      throw error;
    }
    this.#unflushed -= count;
    return ok(undefined);
  }

  /**
   * Removes every value that is not live and was not put within the last hour.
   *
   * @param live all digests that any journal names.
   * @returns how many values went and how many stayed.
   */
  sweep(live: Iterable<Digest>): Result<{ readonly removed: number; readonly kept: number }, ValueProblem> {
    const names = new Set<string>();
    for (const digest of live) names.add(digestHash(digest));
    const beforeMs = this.#clock.nowMs() - SWEEP_MIN_AGE_MS;
    return this.#guarded(() => {
      let removed = 0;
      let kept = 0;
      for (const { name: shard } of this.#fs.readDirectory(this.#root) ?? []) {
        for (const { name } of this.#fs.readDirectory(`${this.#root}/${shard}`) ?? []) {
          const path = `${this.#root}/${shard}/${name}`;
          const stat = this.#fs.lstat(path);
          if (stat === undefined) continue;
          const isLeftOver = stat.mtimeMs < beforeMs && !(shard !== "tmp" && names.has(name));
          if (isLeftOver && this.#fs.remove(path)) removed++;
          else if (shard !== "tmp") kept++;
        }
      }
      return { removed, kept };
    });
  }

  #path(digest: Digest): string {
    invariant(digest.startsWith("sha256:"), `values are named by SHA-256, not ${digest}`);
    const hash = digestHash(digest);
    return `${this.#root}/${hash.slice(0, 2)}/${hash}`;
  }

  #guarded<T>(work: () => T): Result<T, ValueProblem> {
    try {
      return ok(work());
    } catch (error) {
      if (error instanceof FileSystemError) return err(valueProblem(error));
      throw error;
    }
  }
}

/** Opens a value store; reads and writes nothing yet. */
export function openValueStore(options: ValueStoreOptions): ValueStore {
  return new ValueStore(options);
}

function valueProblem(error: FileSystemError): ValueProblem {
  if (error.code === "ENOSPC" || error.code === "EDQUOT") {
    return problem("value-store-full", `no space left for ${error.path} (${error.code})`, {
      next: "Free some space and resume the run: nothing that was recorded is lost.",
    });
  }
  return problem("value-store-io", `could not ${error.operation} ${error.path} (${error.code})`, {
    next: "Check the rights and the disk of .kahn/state, then resume the run.",
  });
}
