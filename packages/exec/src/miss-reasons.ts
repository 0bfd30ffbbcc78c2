/**
 * Miss reasons: why a node has to run, found by comparing its key with those of its last successes.
 *
 * Owns:      the choice of the record to compare with, and the order of the reasons: the first is the one shown.
 */
import type { Digest, MissReason } from "@kahn/core";
import { compareKeyRecords, type DescribeExternal, type KeyRecord } from "./key-record.ts";
import type { HistoryEntry } from "./run-history.ts";
import { getTaskRecord, type RecordStore, type TaskRecord } from "./task-record.ts";

/** The newest past result of a node that can still be read. */
export function lastTaskRecord(records: RecordStore, entry: HistoryEntry | undefined): TaskRecord | undefined {
  for (const record of taskRecords(records, entry)) return record;
  return undefined;
}

/** Past results of a node that can still be read, newest first. */
function* taskRecords(records: RecordStore, entry: HistoryEntry | undefined): Iterable<TaskRecord> {
  for (const past of entry?.recent ?? []) {
    const record = getTaskRecord(records, past.record);
    if (record !== undefined) yield record;
  }
}

/** The one to compare with: of the same machine, so that going to a server and back is no reason; else any. */
function comparable(
  { records, entry }: Pick<MissQuestion, "records" | "entry">,
  { server }: KeyRecord,
): TaskRecord | undefined {
  for (const record of taskRecords(records, entry)) if (record.key.server === server) return record;
  return lastTaskRecord(records, entry);
}

/** What a miss is explained from. */
export interface MissQuestion {
  readonly records: RecordStore;
  readonly entry: HistoryEntry | undefined;
  readonly action: Digest;
  readonly key: KeyRecord;
  readonly describeExternal?: DescribeExternal | undefined;
  /** What the cache said. */
  readonly cache: "no-entry" | "incomplete" | "corrupt-entry";
}

/** At least one reason. */
export function missReasons({
  records,
  entry,
  action,
  key,
  cache,
  describeExternal,
}: MissQuestion): readonly MissReason[] {
  const known = entry?.recent.some((past) => past.action === action) === true;
  if (cache === "corrupt-entry") return [{ code: "entry-corrupt" }];
  if (cache === "incomplete") return [{ code: "blob-missing" }];
  if (known) return [{ code: "entry-missing" }];
  const last = comparable({ records, entry }, key);
  if (last === undefined) return [{ code: "first-run" }];
  const differences = compareKeyRecords(last.key, key, describeExternal);
  if (differences.length > 0) return differences;
  const [newest] = entry!.recent;
  if (newest!.action === newest!.record) return [{ code: "not-stored" }];
  // Equal parts under another digest: a hidden value whose short digest is the same. Say the least that is true.
  return [{ code: "entry-missing" }];
}
