/**
 * Looks at every byte of a store.
 *
 * Owns:      the full check that nothing else makes: a blob damaged with its old time put back is found here only.
 * Invariant: what is corrupt is set aside and reported, so that it is a miss from now on; records that lack blobs are
 *            reported and left, because they are misses already for whoever checks, and may become whole again.
 */
import type { ActionResult, Digest, Result, StoreProblem } from "@kahn/core";
import { digestHash, FileSystemError } from "@kahn/core";
import { missingBlobs } from "./completeness.ts";
import type { DiskStore } from "./disk-store.ts";
import { contextOf } from "./disk-store.ts";
import { loadEngine } from "./hasher.ts";
import { inspectPack } from "./internal/inspect-pack.ts";
import type { Pack } from "./internal/pack.ts";
import type { PackRecord } from "./internal/pack-format.ts";
import { digestOfRecord } from "./internal/pack-format.ts";
import type { PackSet } from "./internal/pack-set.ts";
import { packedResult } from "./internal/packed-record.ts";
import { decodeRecord, recordedAction } from "./internal/record-bytes.ts";
import type { StoreContext } from "./internal/store-context.ts";
import { storeResult } from "./internal/store-problem.ts";
import type { StoredFile } from "./internal/store-walk.ts";
import { digestOfStored, storedFiles } from "./internal/store-walk.ts";

/** How far a scrub is. */
export interface VerifyProgress {
  readonly blobs: number;
  readonly records: number;
  readonly bytes: number;
}

/** What a scrub found. */
export interface VerifyReport extends VerifyProgress {
  /** Blobs and records that were not what their names say; they are in the quarantine. Sizes are those found. */
  readonly corrupt: readonly Digest[];
  /** Actions whose results name blobs that are not there. */
  readonly incomplete: readonly { readonly action: Digest; readonly missing: readonly Digest[] }[];
}

/** Hashes every blob, reads every record, and checks that each record's blobs are there. */
export function verifyStore(
  store: DiskStore,
  options: { readonly onProgress?: (progress: VerifyProgress) => void } = {},
): Promise<Result<VerifyReport, StoreProblem>> {
  const context = contextOf(store);
  return storeResult(async () => {
    const corrupt: Digest[] = [];
    const incomplete: { action: Digest; missing: readonly Digest[] }[] = [];
    const seen = { blobs: 0, records: 0, bytes: 0 };
    for await (const files of storedFiles(context, context.layout.blobs)) {
      for (const file of files) {
        seen.blobs++;
        seen.bytes += file.stat.sizeBytes;
        if (await isCorruptBlob(context, file)) corrupt.push(digestOfStored(file));
      }
      options.onProgress?.({ ...seen });
    }
    for (const set of await context.packs.all()) {
      const onBlob = ({ sizeBytes }: PackRecord) => {
        seen.blobs++;
        seen.bytes += sizeBytes;
      };
      for (const pack of set.packs()) {
        corrupt.push(...(await scrubPack(context, { set, pack, onBlob })));
        options.onProgress?.({ ...seen });
      }
    }
    const { recordPacks } = context;
    const current = await recordPacks.all();
    for (const pack of recordPacks.set.packs()) {
      corrupt.push(...(await scrubPack(context, { set: recordPacks.set, pack, onBlob: () => undefined })));
    }
    for (const record of current) {
      const packed = recordPacks.open(record);
      const result = packed && packedResult(packed);
      // Damaged, and counted above.
      if (packed === undefined || result === undefined) continue;
      seen.records++;
      const missing = await missingOf(store, result, context.layout.recordPacks);
      if (missing.length > 0) incomplete.push({ action: packed.action, missing });
    }
    for await (const files of storedFiles(context, context.layout.records)) {
      for (const file of files) {
        seen.records++;
        const found = await verifyRecord(context, store, file);
        if (found === "corrupt") corrupt.push(digestOfStored(file));
        else if (found !== undefined && found.missing.length > 0) incomplete.push(found);
      }
      options.onProgress?.({ ...seen });
    }
    return { ...seen, corrupt, incomplete };
  });
}

/** Hashes a pack's blobs. What is corrupt is set aside, and the pack rewritten without it if nobody appends to it. */
async function scrubPack({ check, packs }: StoreContext, { set, pack, onBlob }: PackScrub): Promise<Digest[]> {
  const found = inspectPack(set, pack, onBlob);
  // Removed meanwhile by a collection or a merge, or all is well.
  if (found === undefined || found.isWhole) return [];
  const digests = found.corrupt.map((record) => digestOfRecord(set.ports.engine.fn, record));
  found.corrupt.forEach((record, index) => {
    onBlob(record);
    check.quarantineCopy(digests[index]!, set.rawBytes(pack, record));
    pack.markDead(record);
  });
  const upkeep = packs.upkeep(set);
  if (upkeep.isIdle(pack)) await upkeep.rewrite([pack], () => true);
  return digests;
}

interface PackScrub {
  readonly set: PackSet;
  readonly pack: Pack;
  readonly onBlob: (record: PackRecord) => void;
}

async function isCorruptBlob({ check, fs }: StoreContext, file: StoredFile): Promise<boolean> {
  const engine = await loadEngine(file.fn);
  const digest = digestOfStored(file);
  const found = check.hash(file.path, engine);
  // Removed meanwhile by a collection.
  if (found === digest || fs.lstat(file.path) === undefined) return false;
  check.quarantine(digest, file.path);
  return true;
}

async function verifyRecord(context: StoreContext, store: DiskStore, file: StoredFile) {
  const bytes = context.fs.readFile(file.path);
  if (bytes === undefined) return undefined;
  const named = recordedAction(bytes);
  const isOwn = named !== undefined && digestHash(named) === file.hash;
  const action = isOwn ? named : digestOfStored(file, 0);
  const content = isOwn ? decodeRecord(named, bytes) : undefined;
  if (content?.kind !== "record") {
    context.check.quarantine(action, file.path);
    return "corrupt" as const;
  }
  return { action, missing: await missingOf(store, content.result, file.path) };
}

/** The blobs that are not there. @throws FileSystemError */
async function missingOf(store: DiskStore, result: ActionResult, path: string): Promise<readonly Digest[]> {
  const missing = await missingBlobs(store.blobs, result);
  if (!missing.ok) throw new FileSystemError("EIO", "verify a record", path);
  return missing.value;
}
