/**
 * Task records: what a finished node's key was made of and which files it left, kept in the durable value store so
 * that a later miss can be explained and stale files can be removed even after the cache was deleted.
 */
import type { Digest, Json, Problem, Result } from "@kahn/core";
import { type KeyRecord, parseKeyRecord } from "./key-record.ts";

/** The durable value store, as far as `exec` needs it. */
export interface RecordStore {
  /** Stores bytes; idempotent. */
  put(bytes: Uint8Array): Result<Digest, Problem>;
  /** The bytes, verified; `undefined` when unknown. */
  get(digest: Digest): Result<Uint8Array | undefined, Problem>;
}

/** What is kept of one success. */
export interface TaskRecord {
  readonly key: KeyRecord;
  /** Workspace-relative paths of the output files and links, sorted. */
  readonly outputs: readonly string[];
}

/** Stores a record; its digest goes into the node's `node.settled`. */
export function putTaskRecord(store: RecordStore, record: TaskRecord): Result<Digest, Problem> {
  return store.put(Buffer.from(JSON.stringify(record)));
}

/** Reads a record back; `undefined` when it is gone or of another shape. */
export function getTaskRecord(store: RecordStore, digest: Digest): TaskRecord | undefined {
  const bytes = store.get(digest);
  if (!bytes.ok || bytes.value === undefined) return undefined;
  const value = JSON.parse(Buffer.from(bytes.value).toString()) as { key?: Json; outputs?: readonly string[] };
  const key = parseKeyRecord(value.key);
  return key === undefined || !Array.isArray(value.outputs) ? undefined : { key, outputs: value.outputs };
}
