/**
 * The file of an action-cache record.
 *
 *   4 bytes    "kac1": format
 *   16 bytes   first half of the SHA-256 of everything that follows
 *   text       the action's digest and a newline (the file's name is its hash alone, and may be changed)
 *   rest       encoded ActionResult
 *
 * Invariant: a file that was cut, damaged, or put under another action's name does not read as a record.
 */
import type { ActionResult, Digest } from "@kahn/core";
import { decodeActionResult, digestFunction, digestHash, digestOf, encodeActionResult, parseDigest } from "@kahn/core";

const MAGIC = "kac1";
const CHECKSUM_START = 4;
const CHECKSUM_END = 20;

/** The longest digest is one of SHA-512: its name, 128 digits, and a size of 15. */
const ACTION_BYTES_MAX = 160;

/** What a file holds. */
export type RecordContent =
  | { readonly kind: "record"; readonly result: ActionResult; readonly body: Uint8Array }
  /** A sound record of an action with this hash and another size. */
  | { readonly kind: "other-action" }
  | { readonly kind: "corrupt" };

/** The bytes of a record. */
export function encodeRecord(action: Digest, result: ActionResult): Uint8Array {
  return encodeRecordOf(action, encodeActionResult(result));
}

/** The bytes of a record whose result is encoded already; fields in it that nobody here knows stay. */
export function encodeRecordOf(action: Digest, body: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(CHECKSUM_END + action.length + 1 + body.length);
  bytes.write(MAGIC, 0, "latin1");
  bytes.write(`${action}\n`, CHECKSUM_END, "latin1");
  bytes.set(body, CHECKSUM_END + action.length + 1);
  bytes.write(checksum(bytes), CHECKSUM_START, "hex");
  return bytes;
}

/** Reads a record of this action. */
export function decodeRecord(action: Digest, file: Uint8Array): RecordContent {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const owner = recordedAction(bytes);
  if (owner === undefined || bytes.toString("hex", CHECKSUM_START, CHECKSUM_END) !== checksum(bytes)) {
    return { kind: "corrupt" };
  }
  if (owner !== action) return { kind: digestHash(owner) === digestHash(action) ? "other-action" : "corrupt" };
  const body = bytes.subarray(CHECKSUM_END + action.length + 1);
  const result = decodeActionResult(body, digestFunction(action));
  return result.ok ? { kind: "record", result: result.value, body } : { kind: "corrupt" };
}

/** The action that a file says it is of; `undefined` when it says none. Its checksum is not looked at. */
export function recordedAction(file: Uint8Array): Digest | undefined {
  const head = Buffer.from(file.buffer, file.byteOffset, Math.min(file.byteLength, CHECKSUM_END + ACTION_BYTES_MAX));
  const end = head.indexOf(0x0a, CHECKSUM_END);
  if (end < 0 || head.toString("latin1", 0, CHECKSUM_START) !== MAGIC) return undefined;
  const action = parseDigest(head.toString("latin1", CHECKSUM_END, end));
  return action.ok ? action.value : undefined;
}

function checksum(bytes: Uint8Array): string {
  const digest = digestOf(bytes.subarray(CHECKSUM_END));
  return digest.slice("sha256:".length, "sha256:".length + 2 * (CHECKSUM_END - CHECKSUM_START));
}
