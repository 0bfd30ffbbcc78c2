/** The walks of a collection: settle records, measure, remove. */
import type { Digest } from "@kahn/core";
import { digestHash, FileSystemError } from "@kahn/core";
import { loadEngine } from "../hasher.ts";
import { packedBytes } from "./pack-format.ts";
import type { PackSet } from "./pack-set.ts";
import type { PackCollection } from "./pack-upkeep.ts";
import { packedRecords } from "./pack-upkeep.ts";
import { recordedAction } from "./record-bytes.ts";
import type { CurrentRecord } from "./record-packs.ts";
import { isStamped } from "./stamp.ts";
import type { StoreContext } from "./store-context.ts";
import { storedBytes } from "./store-context.ts";
import type { StoredFile } from "./store-walk.ts";
import { digestOfStored, storedFiles } from "./store-walk.ts";
import { UseTimes } from "./use-times.ts";

const BUCKET_MS = 10_000;

/** Temporary files of this age belong to processes that died. Quarantined blobs are kept a week for a look at them. */
const LEFTOVER_MS = 24 * 60 * 60 * 1000;
const QUARANTINE_MS = 7 * LEFTOVER_MS;

/** Bytes by time of last use. */
export class SizesByTime {
  readonly #buckets = new Map<number, number>();
  totalBytes = 0;

  add(timeMs: number, sizeBytes: number): void {
    const bucket = Math.floor(timeMs / BUCKET_MS);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + sizeBytes);
    this.totalBytes += sizeBytes;
  }

  /** Where to cut for `targetBytes` to be left; `undefined` if everything fits into `maxBytes`. */
  cut(maxBytes: number, targetBytes: number): Cut | undefined {
    if (this.totalBytes <= maxBytes) return undefined;
    let kept = 0;
    for (const [bucket, bytes] of [...this.#buckets].sort(([a], [b]) => b - a)) {
      if (kept + bytes > targetBytes) {
        return { fromMs: bucket * BUCKET_MS, cutOffMs: (bucket + 1) * BUCKET_MS, spareBytes: targetBytes - kept };
      }
      kept += bytes;
    }
    return undefined;
  }
}

/** Everything before `cutOffMs` has to go, but of what was used from `fromMs` on `spareBytes` may stay. */
export interface Cut {
  readonly fromMs: number;
  readonly cutOffMs: number;
  readonly spareBytes: number;
}

/** What one walk removed. */
export interface Removal {
  readonly removed: number;
  readonly kept: number;
  readonly removedBytes: number;
}

/** Walks of one collection. */
export class Sweep {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Marks what new records stand on. Answers with the records that cannot hit any more: incomplete or corrupt. */
  settleRecords(): Promise<Set<Digest>> {
    return this.#settle(({ stat }) => (isStamped(stat) ? undefined : stat.mtimeMs));
  }

  /**
   * Marks again what the records that stay stand on, if any packed blob is to go: a merge may have lost its time.
   * Answers with the records that cannot hit any more.
   */
  async renewPacked(packSets: readonly PackSet[], cutOffMs: number): Promise<Set<Digest>> {
    if (!hasOlder(packSets, cutOffMs)) return new Set();
    // A stamp is of one second before the use that it stands for.
    return this.#settle(({ stat }) => (stat.mtimeMs < cutOffMs ? undefined : stat.mtimeMs + 1000));
  }

  /**
   * The same for records in packs, which have no stamps that would tell who is settled already.
   *
   * @returns those that cannot hit any more, by the digest of what is in the pack.
   */
  async settlePacked(records: readonly CurrentRecord[]): Promise<Set<Digest>> {
    const times = new UseTimes(this.#context);
    const useless = new Set<Digest>();
    for (const record of records) {
      const state = await times.settlePacked(this.#context.recordPacks.open(record), record.usedMs);
      if (state !== "settled") useless.add(record.digest);
    }
    times.finish();
    return useless;
  }

  /** Sums up sizes, and hashes what an unclean epoch left in doubt. */
  async measure(packSets: readonly PackSet[]): Promise<SizesByTime> {
    const { layout, check } = this.#context;
    const sizes = new SizesByTime();
    for await (const files of storedFiles(this.#context, layout.records)) {
      for (const { stat } of files) sizes.add(stat.mtimeMs, storedBytes(stat.sizeBytes));
    }
    for await (const files of storedFiles(this.#context, layout.blobs)) {
      for (const file of files) {
        const engine = await loadEngine(file.fn);
        const verdict = check.verdict(digestOfStored(file), file.path, { stat: file.stat, engine });
        if (verdict === "usable") sizes.add(file.stat.mtimeMs, storedBytes(file.stat.sizeBytes));
      }
    }
    for (const { set, record } of packedRecords(packSets)) {
      sizes.add(record.timeS * 1000, packedBytes(record.sizeBytes, set.ports.hashBytes));
    }
    return sizes;
  }

  /**
   * A large run uses everything at almost one time: all or nothing of it would go. Moves as many records of the last
   * moments before the cut-off, with their blobs, behind it as there is room for.
   */
  async spare({ fromMs, cutOffMs, spareBytes }: Cut): Promise<void> {
    const times = new UseTimes(this.#context);
    for await (const files of storedFiles(this.#context, this.#context.layout.records)) {
      for (const file of files) {
        if (times.markedBytes >= spareBytes) {
          times.finish();
          return;
        }
        const action = file.stat.mtimeMs >= fromMs && file.stat.mtimeMs < cutOffMs ? this.#actionOf(file) : undefined;
        // Two seconds more, because a stamp is that much behind the time it stands for.
        if (action !== undefined) await times.settle(action, cutOffMs + 2000);
      }
    }
    times.finish();
  }

  /** Removes what was last used before the cut-off, and the victims (digests with size 0, for a name has none). */
  async remove(
    top: string,
    { cutOffMs, dryRun, victims }: { cutOffMs: number; dryRun: boolean; victims: ReadonlySet<Digest> },
  ): Promise<Removal> {
    let removed = 0;
    let kept = 0;
    let removedBytes = 0;
    for await (const files of storedFiles(this.#context, top)) {
      for (const file of files) {
        const isVictim = file.stat.mtimeMs < cutOffMs || victims.has(digestOfStored(file, 0));
        if (!isVictim || !(dryRun || this.#removeUnlessUsed(file))) {
          kept++;
          continue;
        }
        removed++;
        removedBytes += storedBytes(file.stat.sizeBytes);
      }
    }
    return { removed, kept, removedBytes };
  }

  /** Drops packed garbage. Nothing is dropped for the sake of little, unless `excessBytes` have to go. */
  async removePacked(packSets: readonly PackSet[], collection: PackCollection): Promise<Removal> {
    const total = { removed: 0, kept: 0, removedBytes: 0 };
    for (const set of packSets) {
      const excessBytes = collection.excessBytes - total.removedBytes;
      const { removed, kept, removedBytes } = await this.#context.packs
        .upkeep(set)
        .collect({ ...collection, excessBytes });
      total.removed += removed;
      total.kept += kept;
      total.removedBytes += removedBytes;
    }
    return total;
  }

  /** Removes temporary files and quarantined blobs that are past their time. */
  removeLeftovers(nowMs: number): number {
    const { fs, layout } = this.#context;
    let removed = 0;
    for (const [directory, ageMs] of [
      [layout.temporary, LEFTOVER_MS],
      [layout.quarantine, QUARANTINE_MS],
    ] as const) {
      for (const { name } of fs.readDirectory(directory) ?? []) {
        const path = `${directory}/${name}`;
        // The ctime: a temporary file may carry the times of what it was copied from, or a stamp.
        const stat = fs.lstat(path);
        if (stat !== undefined && stat.ctimeMs < nowMs - ageMs && remove(fs, path)) removed++;
      }
    }
    return removed;
  }

  /** Settles the records that `usedMs` gives a time of use for; answers with those that cannot hit any more. */
  async #settle(usedMs: (file: StoredFile) => number | undefined): Promise<Set<Digest>> {
    const times = new UseTimes(this.#context);
    const useless = new Set<Digest>();
    for await (const files of storedFiles(this.#context, this.#context.layout.records)) {
      for (const file of files) {
        const timeMs = usedMs(file);
        if (timeMs === undefined) continue;
        const action = this.#actionOf(file);
        const state = action === undefined ? "corrupt" : await times.settle(action, timeMs);
        if (state === "corrupt" || state === "incomplete") useless.add(digestOfStored(file, 0));
      }
    }
    times.finish();
    return useless;
  }

  /** A use since the walk saw the file keeps it. */
  #removeUnlessUsed(file: StoredFile): boolean {
    const { fs } = this.#context;
    const now = fs.lstat(file.path);
    return now !== undefined && now.mtimeMs === file.stat.mtimeMs && remove(fs, file.path);
  }

  #actionOf(file: StoredFile): Digest | undefined {
    const bytes = this.#context.fs.readFile(file.path);
    const action = bytes === undefined ? undefined : recordedAction(bytes);
    return action !== undefined && digestHash(action) === file.hash ? action : undefined;
  }
}

function hasOlder(packSets: readonly PackSet[], cutOffMs: number): boolean {
  for (const { record } of packedRecords(packSets)) if (record.timeS * 1000 < cutOffMs) return true;
  return false;
}

function remove(fs: StoreContext["fs"], path: string): boolean {
  try {
    return fs.remove(path);
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    return false;
  }
}
