/**
 * The durable value store: what journals refer to by digest.
 *
 * Owns:      values by SHA-256 below one directory: small ones in packs (`internal/pack-format.ts`), one pack for each
 *            process, larger ones and those of older versions as files `ab/<hash>`. Nothing limits their number.
 * Invariant: a value is whole or absent; only `sweep` removes one, and only when no journal names it. The cache may
 *            be deleted at any time: nothing here is a link that depends on it. A merge or sweep removes a pack only
 *            after what it keeps of it is on the device in another one, and no pack whose owner may still append.
 * Use:       `put` is process-durable when it returns; `flush` makes everything put so far disk-durable. Put a value
 *            before the record that names it, flush before a record that must survive power loss.
 */
import type { Clock, Digest, FileSystem, Problem, Random, Result } from "@kahn/core";
import { digestHash, digestOf, err, FileSystemError, invariant, ok, problem } from "@kahn/core";
import { nativeEngine } from "./hasher.ts";
import { PACKED_MAX_BYTES, packTimeS } from "./internal/pack-format.ts";
import { PackSet } from "./internal/pack-set.ts";
import { PackUpkeep, QUICK_MERGE_MAX_BYTES } from "./internal/pack-upkeep.ts";
import { Publisher } from "./internal/publish.ts";
import { PACKS, StoreLayout } from "./internal/store-layout.ts";
import type { Liveness, ProcessOwner } from "./process-owner.ts";

/** What can go wrong with values. */
export type ValueProblem = Problem<"value-corrupt" | "value-store-full" | "value-store-io">;

/** How a value store is opened. */
export interface ValueStoreOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Absolute path of its directory; made at the first `put`. */
  readonly root: string;
  /** This process, and whether others live; `system`'s. Left out, what a killed process left is never rewritten. */
  readonly owner?: ProcessOwner;
  readonly livenessOf?: Liveness;
}

/** Younger values are left alone by `sweep`: the record that names them may be about to be written. */
const SWEEP_MIN_AGE_MS = 60 * 60 * 1000;

/** Values by digest. Several processes may use one at once. */
export class ValueStore {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #root: string;
  readonly #publisher: Publisher;
  readonly #packs: PackSet;
  readonly #upkeep: PackUpkeep;
  /** Files and packs that hold what was put since the last flush. */
  #unflushed = new Set<string>();

  /** See `openValueStore`. */
  constructor({ fs, clock, random, root, owner, livenessOf }: ValueStoreOptions) {
    this.#fs = fs;
    this.#clock = clock;
    this.#root = root;
    this.#publisher = new Publisher(fs, new StoreLayout(root, random));
    const engine = nativeEngine("sha256");
    invariant(engine !== undefined, "SHA-256 is native");
    this.#packs = new PackSet({
      fs,
      clock,
      random,
      publisher: this.#publisher,
      directory: `${root}/${PACKS}`,
      engine,
      hashBytes: 32,
      owner,
      // No epochs here: whoever needs a value flushes it, and every one is hashed when it is read.
      isDoubtful: () => false,
    });
    this.#upkeep = new PackUpkeep(this.#packs, livenessOf ?? (() => "alive"));
  }

  /** Keeps bytes; answers with their SHA-256 digest. A value that is there already is not written again. */
  put(bytes: Uint8Array): Result<Digest, ValueProblem> {
    const digest = digestOf(bytes);
    return this.#guarded(() => {
      if (bytes.byteLength <= PACKED_MAX_BYTES) this.#putPacked(digest, bytes);
      else this.#putFile(digest, bytes);
      return digest;
    });
  }

  /**
   * Keeps a file (absolute path) without reading it into memory: its copy is hashed, so what is kept is what it was
   * called. Process-durable when it returns, as `put` is.
   */
  putFile(path: string): Result<Digest, ValueProblem> {
    const sizeBytes = this.#fs.lstat(path)?.sizeBytes ?? 0;
    if (sizeBytes <= PACKED_MAX_BYTES) {
      const bytes = this.#guarded(() => this.#fs.readFile(path));
      if (!bytes.ok) return bytes;
      return bytes.value === undefined ? err(noFile(path)) : this.put(bytes.value);
    }
    return this.#guarded(() => {
      const temporary = this.#publisher.temporary((to) => this.#fs.copyFile({ from: path, to, mode: 0o444 }));
      try {
        const [copy] = this.#fs.hashMany([temporary]);
        if (copy?.kind !== "file") throw new FileSystemError("EIO", "hash", temporary);
        // Young, whatever the age of what was there: a sweep that runs now must not take it for left over.
        const stampMs = this.#clock.nowMs();
        this.#publisher.rename(temporary, { path: this.#path(copy.digest), stampMs });
        this.#unflushed.add(this.#path(copy.digest));
        return copy.digest;
      } catch (error) {
        this.#publisher.discard(temporary);
        throw error;
      }
    });
  }

  /** A value, verified; `undefined` when there is none. `value-corrupt` when it is not what it was. */
  get(digest: Digest): Result<Uint8Array | undefined, ValueProblem> {
    const path = this.#path(digest);
    const before = this.#guarded(() => this.#packs.find(digest)?.pack.path);
    if (!before.ok) return before;
    const read = this.#guarded(() => {
      const packed = this.#packs.read(digest);
      if (packed !== undefined && packed !== "corrupt") return packed;
      return this.#fs.readFile(path) ?? packed;
    });
    if (!read.ok) return read;
    if (read.value === undefined) return ok(undefined);
    if (read.value !== "corrupt" && digestOf(read.value) === digest) return ok(read.value);
    return err(
      problem("value-corrupt", `the value ${digest} was damaged on disk`, {
        facts: [["file", read.value === "corrupt" ? (before.value ?? this.#packs.ports.directory) : path]],
        next: "Restore the file from a backup, or start the run again from its beginning.",
      }),
    );
  }

  /** True when a value of this digest is there, by its size; `get` verifies it. */
  has(digest: Digest): boolean {
    return this.#packs.find(digest) !== undefined || this.#hasFile(digest);
  }

  /** Makes everything that was put so far disk-durable. Cheap when nothing was. */
  async flush(): Promise<Result<void, ValueProblem>> {
    const unflushed = this.#unflushed;
    if (unflushed.size === 0) return ok(undefined);
    this.#unflushed = new Set();
    const own = this.#packs.ownPack;
    try {
      if (own !== undefined && unflushed.size === 1 && unflushed.has(own.path)) await this.#packs.sync(own);
      // Several files cost as much as all; and what is in another process's pack may be in a merged one by now.
      else await this.#fs.syncAll(this.#root);
    } catch (error) {
      for (const path of unflushed) this.#unflushed.add(path);
      if (error instanceof FileSystemError) return err(valueProblem(error));
      throw error;
    }
    return ok(undefined);
  }

  /** Gives this process's pack its index, and merges small packs when there are many. A later `put` begins another one. */
  async close(): Promise<Result<void, ValueProblem>> {
    if (this.#packs.ownPack === undefined) return ok(undefined);
    this.#packs.seal();
    try {
      await this.#upkeep.merge(QUICK_MERGE_MAX_BYTES);
    } catch (error) {
      if (error instanceof FileSystemError) return err(valueProblem(error));
      throw error;
    }
    return ok(undefined);
  }

  /**
   * Removes every value that is not live and was not put within the last hour.
   *
   * @param live all digests that any journal names.
   * @returns how many values went and how many stayed.
   */
  async sweep(
    live: Iterable<Digest>,
  ): Promise<Result<{ readonly removed: number; readonly kept: number }, ValueProblem>> {
    const names = new Set<string>();
    for (const digest of live) names.add(digestHash(digest));
    const beforeMs = this.#clock.nowMs() - SWEEP_MIN_AGE_MS;
    try {
      const files = this.#sweepFiles(names, beforeMs);
      this.#packs.seal();
      const isKept = (hash: string, timeS: number) => names.has(hash) || timeS * 1000 >= beforeMs;
      const packed = await this.#upkeep.drop(({ hash, timeS }) => isKept(hash, timeS));
      return ok({ removed: files.removed + packed.removed, kept: files.kept + packed.kept });
    } catch (error) {
      if (error instanceof FileSystemError) return err(valueProblem(error));
      throw error;
    }
  }

  #putPacked(digest: Digest, bytes: Uint8Array): void {
    const found = this.#packs.find(digest);
    // Half of the age at which a sweep would take it: a newer record of the same value is a new use.
    const isYoung = found !== undefined && found.record.timeS >= packTimeS(this.#clock.nowMs() - SWEEP_MIN_AGE_MS / 2);
    if (isYoung && typeof this.#packs.read(digest) === "object") {
      // Counted, too: the process that wrote it may not have flushed it.
      this.#unflushed.add(found.pack.path);
      return;
    }
    this.#unflushed.add(this.#packs.append([{ digest, bytes }]).path);
  }

  #putFile(digest: Digest, bytes: Uint8Array): void {
    const path = this.#path(digest);
    const present = this.#fs.readFile(path);
    if (present !== undefined && Buffer.compare(present, bytes) === 0) {
      // A new use: a sweep that runs now must not take it for left over.
      this.#fs.setTimes(path, this.#clock.nowMs(), this.#clock.nowMs());
    } else {
      this.#publisher.write(bytes, { path, mode: 0o444 });
    }
    this.#unflushed.add(path);
  }

  #hasFile(digest: Digest): boolean {
    return this.#fs.lstat(this.#path(digest))?.sizeBytes === Number(digest.slice(digest.lastIndexOf("/") + 1));
  }

  #sweepFiles(live: ReadonlySet<string>, beforeMs: number): { removed: number; kept: number } {
    let removed = 0;
    let kept = 0;
    for (const { name: shard } of this.#fs.readDirectory(this.#root) ?? []) {
      if (shard === PACKS) continue;
      for (const { name } of this.#fs.readDirectory(`${this.#root}/${shard}`) ?? []) {
        const path = `${this.#root}/${shard}/${name}`;
        const stat = this.#fs.lstat(path);
        if (stat === undefined) continue;
        const isLeftOver = stat.mtimeMs < beforeMs && !(shard !== "tmp" && live.has(name));
        if (isLeftOver && this.#fs.remove(path)) removed++;
        else if (shard !== "tmp") kept++;
      }
    }
    return { removed, kept };
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

function noFile(path: string): ValueProblem {
  return problem("value-store-io", `there is no file ${path} to keep`, { next: "Make it before it is kept." });
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
