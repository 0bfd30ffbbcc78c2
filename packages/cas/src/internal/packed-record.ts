/**
 * A record among others in a pack.
 *
 *   4 bytes    "kap1": a record; "kap0": there is none any more
 *   8 bytes    when it was put, in milliseconds: of two records of one action the later one counts
 *   text       the action's digest and a newline
 *   rest       encoded ActionResult
 *
 * There is no checksum: a pack knows the hash of what it holds, and whoever reads it compares.
 */
import type { ActionResult, Digest } from "@kahn/core";
import { decodeActionResult, digestFunction, parseDigest } from "@kahn/core";

const RECORD = "kap1";
const GONE = "kap0";
const TIME_AT = 4;
const ACTION_AT = 12;

/** The longest digest is one of SHA-512: its name, 128 digits, and a size of 15. */
const ACTION_BYTES_MAX = 160;

/** A record, or the news that there is none. */
export interface PackedRecord {
  readonly action: Digest;
  readonly timeMs: number;
  /** The encoded ActionResult; `undefined` when the record was removed. */
  readonly body: Uint8Array | undefined;
}

/** The bytes of a packed record. */
export function encodePackedRecord({ action, timeMs, body }: PackedRecord): Buffer {
  const bytes = Buffer.allocUnsafeSlow(ACTION_AT + action.length + 1 + (body?.length ?? 0));
  bytes.write(body === undefined ? GONE : RECORD, 0, "latin1");
  bytes.writeDoubleLE(timeMs, TIME_AT);
  bytes.write(`${action}\n`, ACTION_AT, "latin1");
  if (body !== undefined) bytes.set(body, ACTION_AT + action.length + 1);
  return bytes;
}

/** Reads one; `undefined` for bytes that are none. */
export function decodePackedRecord(packed: Uint8Array): PackedRecord | undefined {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const kind = bytes.toString("latin1", 0, TIME_AT);
  const end = bytes.subarray(0, ACTION_AT + ACTION_BYTES_MAX).indexOf(0x0a, ACTION_AT);
  if (end < 0 || (kind !== RECORD && kind !== GONE)) return undefined;
  const action = parseDigest(bytes.toString("latin1", ACTION_AT, end));
  const timeMs = bytes.readDoubleLE(TIME_AT);
  if (!action.ok || !Number.isFinite(timeMs)) return undefined;
  return { action: action.value, timeMs, body: kind === GONE ? undefined : bytes.subarray(end + 1) };
}

/** The result of a packed record; `undefined` when there is none, or none that reads. */
export function packedResult({ action, body }: PackedRecord): ActionResult | undefined {
  const result = body && decodeActionResult(body, digestFunction(action));
  return result?.ok === true ? result.value : undefined;
}
