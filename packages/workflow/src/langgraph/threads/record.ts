/**
 * What the journal of a thread holds.
 *
 * Owns:      the records, and the form in which serialised values stand in them.
 * Invariant: applying a record twice is the same as applying it once, so an append whose fate is unknown is repeated.
 */
import { isUtf8 } from "node:buffer";
import type { Digest, Json, Result } from "@kahn/core";
import { err, ok, ProblemError, problem } from "@kahn/core";
import type { ChannelVersion } from "../peer.ts";
import type { SaverValues } from "./storage.ts";

/** Format of the records that are written; a journal of a newer one is refused. */
export const RECORD_FORMAT = 1;

/** Longer values go to the value store, so that a journal stays quick to read and equal values are kept once. */
export const INLINE_BYTES_MAX = 4096;

/** A value as the serialiser gave it: its type and its bytes, as text, in base64, or by digest. */
export type StoredValue =
  | { readonly type: string; readonly text: string }
  | { readonly type: string; readonly base64: string }
  | { readonly type: string; readonly digest: Digest };

/** The first record: whose journal this is. */
export type ThreadHeader = {
  readonly kind: "thread";
  readonly format: number;
  readonly thread: string;
  /** Tells this journal from any other of the same name. */
  readonly nonce: string;
  /** Grows by one whenever the journal is written anew. */
  readonly generation: number;
  /** How many of the records after this one were copied; with fewer of them the copy is not complete. */
  readonly copied: number;
};

/** A checkpoint without its values: of those, only the ones that changed. */
export type CheckpointRecord = {
  readonly kind: "checkpoint";
  readonly ns: string;
  readonly id: string;
  readonly parent: string | null;
  /** `v` of the checkpoint. */
  readonly format: number;
  /** The checkpoint without `channel_values` and `channel_versions`. */
  readonly body: StoredValue;
  readonly metadata: StoredValue;
  readonly versions: readonly (readonly [channel: string, version: ChannelVersion])[];
  readonly changed: readonly (readonly [channel: string, version: ChannelVersion, value: StoredValue])[];
  /** Channels whose value is made up from what was written since an ancestor; absent when there is none. */
  readonly deltas?: readonly string[];
};

/** What a task wrote on top of a checkpoint. */
export type WritesRecord = {
  readonly kind: "writes";
  readonly ns: string;
  readonly id: string;
  readonly task: string;
  /** A negative index replaces an earlier write of that index; any other is kept as it was first written. */
  readonly writes: readonly (readonly [index: number, channel: string, value: StoredValue])[];
};

/** Any record. */
export type ThreadRecord = ThreadHeader | CheckpointRecord | WritesRecord;

/** Reads a record back; `langgraph-record-unknown` for one that a newer Kahn wrote. */
export function parseRecord(body: Json): Result<ThreadRecord, ReturnType<typeof unknownRecord>> {
  const record = body as ThreadRecord | null;
  switch (record?.kind) {
    case "thread":
      return record.format <= RECORD_FORMAT ? ok(record) : err(unknownRecord(`format ${record.format}`));
    case "checkpoint":
    case "writes":
      return ok(record);
    default:
      return err(unknownRecord(JSON.stringify(body).slice(0, 80)));
  }
}

function unknownRecord(what: string) {
  return problem(
    "langgraph-record-unknown",
    `The journal of a LangGraph thread holds what this Kahn cannot read: ${what}.`,
    {
      next: "Use the version of Kahn that wrote it, or a newer one.",
    },
  );
}

/** The form in which a value is recorded; long ones are put into the value store. Throws `ProblemError` if it refuses. */
export function storeValue(
  values: SaverValues,
  [type, bytes]: readonly [type: string, bytes: Uint8Array],
): StoredValue {
  if (bytes.length > INLINE_BYTES_MAX) {
    const put = values.put(bytes);
    if (!put.ok) throw new ProblemError(put.problem);
    return { type, digest: put.value };
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? { type, text: buffer.toString() } : { type, base64: buffer.toString("base64") };
}

/** The bytes of a recorded value. Throws `ProblemError`: `langgraph-value-missing`, or the value store's own. */
export function valueBytes(values: SaverValues, stored: StoredValue): Uint8Array {
  // Plain arrays of their own: serialisers hand bytes on to graphs, and those compare them and turn them into JSON.
  if ("text" in stored) return new Uint8Array(Buffer.from(stored.text));
  if ("base64" in stored) return new Uint8Array(Buffer.from(stored.base64, "base64"));
  const got = values.get(stored.digest);
  if (!got.ok) throw new ProblemError(got.problem);
  if (got.value !== undefined) return plain(got.value);
  throw new ProblemError(
    problem("langgraph-value-missing", `A checkpoint names the value ${stored.digest}, which the value store lacks.`, {
      next: "Restore the folder of values from a backup, or go on from another checkpoint of the thread.",
    }),
  );
}

/** The digests that a record names. */
export function* digestsOf(record: ThreadRecord): Generator<Digest, void> {
  const stored: StoredValue[] = [];
  if (record.kind === "checkpoint") stored.push(record.body, record.metadata, ...record.changed.map((each) => each[2]));
  if (record.kind === "writes") stored.push(...record.writes.map((each) => each[2]));
  for (const value of stored) if ("digest" in value) yield value.digest;
}

function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
