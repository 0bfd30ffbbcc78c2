/**
 * Keeps a store within its limits.
 *
 * Owns:      the choice of a cut-off time and the order of removal.
 * Invariant: records go before blobs; nothing used since the oldest live process began goes at all; a record that
 *            stays keeps every blob it names (unless a process that reads it in this very moment is unlucky, and then
 *            the blob is missing, which is a miss and never an error).
 * Method:    the stamp of each file is its last use. Uses from segments are brought into the stamps first; then one
 *            pass sums sizes by time, which gives the cut-off; then everything older goes. Memory does not grow with
 *            the number of files, only with the span of time they cover (one number per ten seconds with a use).
 *            A packed blob's last use is in its pack's index; packs that are mostly garbage are rewritten without it
 *            (`internal/pack-upkeep.ts`), and more of them while the store is above its limit.
 * Cost:      about two `lstat` per file of the store; if packed blobs go, the reading of every record that stays, since
 *            the time of a packed blob may have been lost (`internal/use-times.ts`). Never at each build: see `gcIfDue`.
 */
import type { Digest, Result, StoreProblem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import { takeCollectorLock } from "./collector-lock.ts";
import type { DiskStore } from "./disk-store.ts";
import { contextOf } from "./disk-store.ts";
import { USE_SLACK_MS } from "./internal/blob-check.ts";
import type { CurrentRecord } from "./internal/record-packs.ts";
import { settleSegments } from "./internal/settle-segments.ts";
import { readSizeEstimate } from "./internal/size-estimate.ts";
import type { StoreContext } from "./internal/store-context.ts";
import { storeResult } from "./internal/store-problem.ts";
import { Sweep } from "./internal/sweep.ts";
import type { ProcessOwner } from "./process-owner.ts";

/** Limits that hold unless others are given: 10 GB, 30 days without use. */
export const DEFAULT_MAX_SIZE_BYTES = 10_000_000_000;
export const DEFAULT_MAX_AGE_MS = 30 * 24 * 60 * 60 * 1000;

/** After a collection by size this much of the limit is in use, so that the next build is not due again. */
const TARGET_SHARE = 0.8;

/** A collection is due this long after the last one, whatever the size: to bring uses into stamps and drop leftovers. */
const DUE_EVERY_MS = 24 * 60 * 60 * 1000;

/** So many segments make a collection due, because opening a store reads their names. */
const SEGMENTS_MAX = 200;

/** Limits of one collection. */
export interface GarbageLimits {
  /** Default: 10 GB. Whole blocks count. */
  readonly maxSizeBytes?: number;
  /** Default: 30 days since the last use. */
  readonly maxAgeMs?: number;
  /** Counts what would go, and removes nothing. */
  readonly dryRun?: boolean;
}

/** What a collection did. */
export type GarbageReport =
  | {
      readonly kind: "collected";
      readonly recordsRemoved: number;
      readonly recordsKept: number;
      readonly blobsRemoved: number;
      readonly blobsKept: number;
      readonly bytesBefore: number;
      readonly bytesAfter: number;
      /** Leftovers of processes that died: temporary files older than a day. */
      readonly leftoversRemoved: number;
    }
  /** Another process collects; there is nothing to wait for. */
  | { readonly kind: "busy"; readonly owner: ProcessOwner | undefined };

/** Collects now. Any number of builds may run beside it. */
export function collectGarbage(
  store: DiskStore,
  limits: GarbageLimits = {},
): Promise<Result<GarbageReport, StoreProblem>> {
  const context = contextOf(store);
  return storeResult(async (): Promise<GarbageReport> => {
    const { fs, layout, owner, livenessOf } = context;
    const lock = takeCollectorLock({ fs, path: layout.collectorLock, owner, livenessOf });
    if (lock.kind === "busy") return lock;
    try {
      return await collect(context, limits);
    } finally {
      lock.release();
    }
  });
}

/**
 * Collects if the estimated size is over the limit, or the last collection was a day ago. Asking costs the reading of
 * two small files.
 *
 * @returns `undefined` when nothing was due.
 */
export async function gcIfDue(
  store: DiskStore,
  limits: GarbageLimits = {},
): Promise<Result<GarbageReport | undefined, StoreProblem>> {
  const { fs, layout, clock } = contextOf(store);
  const due = await storeResult(() => {
    if (readSizeEstimate(fs, layout) > (limits.maxSizeBytes ?? DEFAULT_MAX_SIZE_BYTES)) return true;
    if ((fs.readDirectory(layout.uses) ?? []).length > SEGMENTS_MAX) return true;
    const last = fs.readFile(layout.lastCollection);
    if (last === undefined) {
      // A new store: its first day begins now.
      fs.writeFile(layout.lastCollection, `${clock.nowMs()}\n`);
      return false;
    }
    return clock.nowMs() - (Number(Buffer.from(last).toString("latin1")) || 0) >= DUE_EVERY_MS;
  });
  if (!due.ok) return due;
  return due.value ? collectGarbage(store, limits) : { ok: true, value: undefined };
}

async function collect(context: StoreContext, limits: GarbageLimits): Promise<GarbageReport> {
  const { fs, layout, clock, uses, publisher } = context;
  const nowMs = clock.nowMs();
  uses.flush();
  const packSets = await context.packs.all();
  const segments = await settleSegments(context);
  const sweep = new Sweep(context);
  const incomplete = await sweep.settleRecords();
  const packedRecords = await context.recordPacks.all();
  const useless = await sweep.settlePacked(packedRecords);
  const sizes = await sweep.measure([...packSets, context.recordPacks.set]);
  const maxSizeBytes = limits.maxSizeBytes ?? DEFAULT_MAX_SIZE_BYTES;
  const byAge = nowMs - (limits.maxAgeMs ?? DEFAULT_MAX_AGE_MS);
  const cut = sizes.cut(maxSizeBytes, maxSizeBytes * TARGET_SHARE);
  // What a live process uses may be noted as late as the slack; a stamp is up to two seconds behind the clock.
  const liveMs = segments.oldestLiveMs === undefined ? nowMs : segments.oldestLiveMs - USE_SLACK_MS;
  const protectedMs = Math.min(liveMs, nowMs) - 2000;
  const cutOffMs = Math.min(Math.max(byAge, cut?.cutOffMs ?? byAge), protectedMs);
  if (cut?.cutOffMs === cutOffMs) await sweep.spare(cut);
  const dryRun = limits.dryRun ?? false;
  for (const digest of await sweep.renewPacked(packSets, cutOffMs)) incomplete.add(digest);
  const stays = ({ digest, usedMs }: CurrentRecord) => usedMs >= cutOffMs && !useless.has(digest);
  for (const digest of await sweep.settlePacked(packedRecords.filter(stays))) useless.add(digest);
  const records = await sweep.remove(layout.records, { cutOffMs, dryRun, victims: incomplete });
  const dropped = dryRun ? countOf(packedRecords, stays) : await context.recordPacks.drop(stays);
  const files = await sweep.remove(layout.blobs, { cutOffMs, dryRun, victims: new Set<Digest>() });
  const bytesLeft = sizes.totalBytes - records.removedBytes - dropped.removedBytes - files.removedBytes;
  const excessBytes = cut === undefined ? 0 : bytesLeft - maxSizeBytes * TARGET_SHARE;
  const packed = await sweep.removePacked(packSets, { cutOffMs, excessBytes, dryRun });
  const leftoversRemoved = dryRun ? 0 : sweep.removeLeftovers(nowMs);
  const bytesAfter = bytesLeft - packed.removedBytes;
  if (!dryRun) {
    for (const name of segments.settled) removeQuietly(context, `${layout.uses}/${name}`);
    publisher.write(`${bytesAfter}\n`, { path: layout.size, mode: 0o644 });
    fs.writeFile(layout.lastCollection, `${nowMs}\n`);
  }
  return {
    kind: "collected",
    recordsRemoved: records.removed + dropped.removed,
    recordsKept: records.kept + dropped.kept,
    blobsRemoved: files.removed + packed.removed,
    blobsKept: files.kept + packed.kept,
    bytesBefore: sizes.totalBytes,
    bytesAfter,
    leftoversRemoved,
  };
}

function countOf(records: readonly CurrentRecord[], stays: (record: CurrentRecord) => boolean) {
  const kept = records.filter(stays).length;
  return { removed: records.length - kept, kept, removedBytes: 0 };
}

function removeQuietly({ fs }: StoreContext, path: string): void {
  try {
    fs.remove(path);
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
  }
}
