/**
 * The file of an action-cache record.
 *
 *   4 bytes   "kac1": format
 *   8 bytes   size of the action, little-endian double (the file's name is its hash alone)
 *   16 bytes  first half of the SHA-256 of everything that follows and of the action's digest
 *   rest      encoded ActionResult
 *
 * Invariant: a file that was cut, damaged, or put under another action's name does not read as a record.
 */
import type { ActionResult, Digest } from "@kahn/core";
import { decodeActionResult, digestFunction, digestSizeBytes, encodeActionResult, nativeHasher } from "@kahn/core";

const MAGIC = "kac1";
const HEADER_BYTES = 28;

/** What a file holds. */
export type RecordContent =
  | { readonly kind: "record"; readonly result: ActionResult }
  /** A sound record of an action with this hash and another size. */
  | { readonly kind: "other-action" }
  | { readonly kind: "corrupt" };

/** The bytes of a record. */
export function encodeRecord(action: Digest, result: ActionResult): Uint8Array {
  const body = encodeActionResult(result);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  bytes.write(MAGIC, 0, "latin1");
  bytes.writeDoubleLE(digestSizeBytes(action), 4);
  bytes.write(checksum(action, body), 12, 16, "hex");
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Reads a record of this action. */
export function decodeRecord(action: Digest, file: Uint8Array): RecordContent {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, 4) !== MAGIC) return { kind: "corrupt" };
  const sizeBytes = bytes.readDoubleLE(4);
  const body = bytes.subarray(HEADER_BYTES);
  const fn = digestFunction(action);
  const owner = `${action.slice(0, action.lastIndexOf("/"))}/${sizeBytes}` as Digest;
  if (bytes.toString("hex", 12, HEADER_BYTES) !== checksum(owner, body)) return { kind: "corrupt" };
  if (owner !== action) return { kind: "other-action" };
  const result = decodeActionResult(body, fn);
  return result.ok ? { kind: "record", result: result.value } : { kind: "corrupt" };
}

/** The size of the action that a record file is of; `undefined` when the file is too short to tell. */
export function recordedActionSize(file: Uint8Array): number | undefined {
  if (file.byteLength < HEADER_BYTES) return undefined;
  const sizeBytes = new DataView(file.buffer, file.byteOffset, file.byteLength).getFloat64(4, true);
  return Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 ? sizeBytes : undefined;
}

function checksum(action: Digest, body: Uint8Array): string {
  const hasher = nativeHasher("sha256");
  hasher.update(Buffer.from(`${action}\n`));
  hasher.update(body);
  return hasher.hex().slice(0, 32);
}
