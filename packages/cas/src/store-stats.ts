/** Numbers about a store, and its removal. */
import type { Result, StoreProblem } from "@kahn/core";
import type { DiskStore } from "./disk-store.ts";
import { contextOf } from "./disk-store.ts";
import { packedBytes } from "./internal/pack-format.ts";
import { packedRecords } from "./internal/pack-upkeep.ts";
import { readSizeEstimate } from "./internal/size-estimate.ts";
import { storedBytes } from "./internal/store-context.ts";
import { storeResult } from "./internal/store-problem.ts";
import { storedFiles } from "./internal/store-walk.ts";

/** What is in a store. */
export interface StoreStats {
  readonly blobs: number;
  /** How many of them are in packs. */
  readonly packedBlobs: number;
  /** Sum of the blobs' sizes. */
  readonly blobBytes: number;
  readonly records: number;
  readonly recordBytes: number;
  /** What files take in whole blocks, and packed blobs with their entries: what the size limit is about. */
  readonly storedBytes: number;
  /** What `gcIfDue` believes the last number to be. */
  readonly estimatedBytes: number;
  readonly quarantined: number;
  /** Last use of the file that was not used for the longest time; `undefined` for an empty store. */
  readonly oldestUseMs: number | undefined;
  /** When garbage was last collected; `undefined` if never. */
  readonly lastCollectionMs: number | undefined;
}

/** Counts everything; reads the stat of each file. */
export function storeStats(store: DiskStore): Promise<Result<StoreStats, StoreProblem>> {
  const { fs, clock, layout, packs, recordPacks } = contextOf(store);
  return storeResult(async () => {
    const counts = { blobs: 0, packedBlobs: 0, blobBytes: 0, records: 0, recordBytes: 0, storedBytes: 0 };
    let oldestUseMs: number | undefined;
    for await (const files of storedFiles({ fs, clock }, layout.blobs)) {
      for (const { stat } of files) {
        counts.blobs++;
        counts.blobBytes += stat.sizeBytes;
        counts.storedBytes += storedBytes(stat.sizeBytes);
        oldestUseMs = Math.min(oldestUseMs ?? stat.mtimeMs, stat.mtimeMs);
      }
    }
    for (const { set, record } of packedRecords(await packs.all())) {
      counts.blobs++;
      counts.packedBlobs++;
      counts.blobBytes += record.sizeBytes;
      counts.storedBytes += packedBytes(record.sizeBytes, set.ports.hashBytes);
      oldestUseMs = Math.min(oldestUseMs ?? Number.POSITIVE_INFINITY, record.timeS * 1000);
    }
    for await (const files of storedFiles({ fs, clock }, layout.records)) {
      for (const { stat } of files) {
        counts.records++;
        counts.recordBytes += stat.sizeBytes;
        counts.storedBytes += storedBytes(stat.sizeBytes);
        oldestUseMs = Math.min(oldestUseMs ?? stat.mtimeMs, stat.mtimeMs);
      }
    }
    for (const { sizeBytes, usedMs } of await recordPacks.all()) {
      counts.records++;
      counts.recordBytes += sizeBytes;
      oldestUseMs = Math.min(oldestUseMs ?? usedMs, usedMs);
    }
    counts.storedBytes += recordPacks.usedBytes;
    const last = fs.readFile(layout.lastCollection);
    return {
      ...counts,
      estimatedBytes: readSizeEstimate(fs, layout),
      quarantined: (fs.readDirectory(layout.quarantine) ?? []).length,
      oldestUseMs,
      lastCollectionMs: last === undefined ? undefined : Number(Buffer.from(last).toString("latin1")),
    };
  });
}

/**
 * Removes everything but the format. Processes that use the store meanwhile see misses; what they have under way they
 * write again. Records go first, so that none is left without its blobs.
 */
export function clearStore(store: DiskStore): Promise<Result<void, StoreProblem>> {
  const { fs, layout } = contextOf(store);
  return storeResult(() => {
    for (const path of [layout.records, layout.blobs, layout.quarantine, layout.size, layout.lastCollection]) {
      fs.removeTree(path);
    }
  });
}
