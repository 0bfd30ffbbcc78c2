/**
 * The byte layout of journals.
 *
 * A journal is written on the way to every effect of a run, so an append must cost little more than its `write`, and
 * it is read after crashes, so every state that a crash can leave must be told from one that it cannot.
 *
 * Design space:
 * - One JSON line per record, no frame: readable, but a lost page in the middle looks like a record, and an append of
 *   several records is not all or nothing.
 * - An embedded database (measured: lmdb 212 durable appends/s and 27,000 batched ones, an own log 984 and 107,000):
 *   slower, native code, and it solves the random access that a journal never does.
 * - Preallocated or page-aligned blocks, as in LevelDB's log: resynchronises after a bad block. A journal must not go
 *   on after a bad record, for the record may be a decision; so there is nothing to resynchronise for.
 * - Chosen: one frame per *append*, however many records it holds, each record a JSON text and a newline. A frame is
 *   whole or absent, which makes an append all or nothing; `strings 000001.log` shows the records.
 *
 * Sizes: the frame adds 12 bytes and a newline to the JSON. A task run of 1,000 cached nodes writes 3,000 events of
 * 170 bytes: 0.5 MB. A workflow step's delta is about 60 bytes, so a segment of 16 MiB holds some 230,000 steps.
 *
 * Segment `000001.log`, `000002.log`, … (integers little-endian):
 *   0   8  "KAHNLOG\n"
 *   8   4  format version
 *  12   8  sequence number of the first record in this segment
 *  20   4  CRC-32 of bytes 0–19
 *  24   …  frames
 * Frame:
 *   0   4  CRC-32 of everything after this field
 *   4   4  length of the body in bytes
 *   8   3  number of records
 *  11   1  kind, see below
 *  12   …  body: for each record its JSON text and "\n". JSON text holds no NUL, which recovery relies on
 * Kind: bits 0–5 the kind (1 = records, 2 with bit 6 = the seal of a segment); bit 6 = a reader that does not know the kind skips the frame; bit 7 =
 * everything before this frame was on the device when it was written.
 *
 * Sequence numbers are not stored with records but counted from the segment's first, so they cannot have gaps.
 *
 * Seal: written by who takes a journal over from a writer that may still live. Nothing after it is part of the journal,
 * which goes on in the next segment. So the old writer, whatever it believes, writes where nobody reads, and it learns
 * so from the size of its file, which costs an append nothing.
 *
 * Compatibility: a reader takes its own format version and the one before it, and refuses newer ones
 * (`journal-format-newer`). Bytes 0–11 of a segment keep their meaning for ever. A new kind that may be ignored sets
 * bit 6 and needs no new version; an unknown kind without it is treated as a newer format.
 */
import type { Json } from "@kahn/core";
import { crc32 } from "./crc32.ts";

/** The format version that is written. */
export const FORMAT = 1;
/** The oldest format version that is read. */
export const FORMAT_OLDEST = 1;
/** Bytes before a segment's first frame. */
export const SEGMENT_HEADER_BYTES = 24;
/** Bytes before a frame's body. */
export const FRAME_HEADER_BYTES = 12;
/** Largest body of a frame. A longer one is refused when written and taken for damage when read. */
export const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** The unit that a loss of power loses; larger pages are multiples of it. */
export const PAGE_BYTES = 4096;
/** Most records of one frame. */
export const RECORDS_MAX = 0xffffff;

const MAGIC = Buffer.from("KAHNLOG\n", "latin1");
const KIND_MASK = 0x3f;
const KIND_RECORDS = 1;
const KIND_SEAL = 2;
const SKIPPABLE = 0x40;
const SETTLED = 0x80;
const NEWLINE = 0x0a;

/** What a segment's header tells. `torn`: cut off or continued by zeros, as a crash can leave it. */
export type SegmentHeader =
  | { readonly kind: "whole"; readonly firstSeq: number }
  | { readonly kind: "torn" }
  | { readonly kind: "newer"; readonly format: number }
  | { readonly kind: "corrupt" };

/** The header of a new segment. */
export function encodeSegmentHeader(firstSeq: number): Uint8Array {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeBigUInt64LE(BigInt(firstSeq), 12);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20);
  return bytes;
}

/** Reads a segment's header. @param start the file's first `PAGE_BYTES`, or all of it if it is shorter. */
export function decodeSegmentHeader(start: Uint8Array): SegmentHeader {
  const bytes = view(start);
  const written = lengthWithoutZeros(bytes);
  const magicBytes = Math.min(written, MAGIC.length);
  if (!bytes.subarray(0, magicBytes).equals(MAGIC.subarray(0, magicBytes))) return { kind: "corrupt" };
  if (bytes.length >= 12 && bytes.readUInt32LE(8) > FORMAT) return { kind: "newer", format: bytes.readUInt32LE(8) };
  if (bytes.length < SEGMENT_HEADER_BYTES) return { kind: "torn" };
  if (bytes.readUInt32LE(20) === crc32(bytes.subarray(0, 20))) {
    const format = bytes.readUInt32LE(8);
    if (format < FORMAT_OLDEST) return { kind: "corrupt" };
    return { kind: "whole", firstSeq: Number(bytes.readBigUInt64LE(12)) };
  }
  return { kind: written < SEGMENT_HEADER_BYTES ? "torn" : "corrupt" };
}

function lengthWithoutZeros(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}

/**
 * Encodes one append, in `scratch` when it fits: the result is valid until `scratch` is used again.
 * `undefined` when it is larger than a frame may be. `settled`: everything before it is on the device.
 */
export function encodeFrame(scratch: Buffer, bodies: readonly Json[], settled: boolean): Uint8Array | undefined {
  let text = "";
  for (const body of bodies) text += `${JSON.stringify(body)}\n`;
  if (text.length > BODY_BYTES_MAX || bodies.length > RECORDS_MAX) return undefined;
  // Three bytes per UTF-16 unit is the most that UTF-8 needs; asking for the exact length would cost a pass.
  const fits = text.length * 3 + FRAME_HEADER_BYTES <= scratch.length;
  const target = fits ? scratch : Buffer.allocUnsafe(FRAME_HEADER_BYTES + Buffer.byteLength(text));
  const length = target.write(text, FRAME_HEADER_BYTES);
  if (length > BODY_BYTES_MAX) return undefined;
  const frame = target.subarray(0, FRAME_HEADER_BYTES + length);
  frame.writeUInt32LE(length, 4);
  frame.writeUInt32LE((bodies.length | ((KIND_RECORDS | (settled ? SETTLED : 0)) << 24)) >>> 0, 8);
  frame.writeUInt32LE(crc32(frame.subarray(4)), 0);
  return frame;
}

/** The frame that ends a segment. */
export function encodeSeal(): Uint8Array {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES);
  frame.writeUInt32LE(((KIND_SEAL | SKIPPABLE) << 24) >>> 0, 8);
  frame.writeUInt32LE(crc32(frame.subarray(4)), 0);
  return frame;
}

/** What stands at one place of a segment. */
export type FrameAt =
  | {
      readonly kind: "frame";
      readonly crc: number;
      readonly count: number;
      readonly body: Uint8Array;
      readonly settled: boolean;
      readonly sizeBytes: number;
    }
  /** The end of the segment, whatever follows. */
  | { readonly kind: "seal" }
  /** A frame of a kind to be skipped. */
  | { readonly kind: "skip"; readonly sizeBytes: number }
  /** A whole frame of a kind that only a newer version knows. */
  | { readonly kind: "newer" }
  /** More bytes are needed: `sizeBytes` in all. */
  | { readonly kind: "short"; readonly sizeBytes: number }
  | { readonly kind: "bad" };

/** Reads the frame that begins at `offset`. The body is a view of `bytes`. */
export function frameAt(bytes: Buffer, offset: number): FrameAt {
  const left = bytes.length - offset;
  if (left < FRAME_HEADER_BYTES) return { kind: "short", sizeBytes: FRAME_HEADER_BYTES };
  const length = bytes.readUInt32LE(offset + 4);
  if (length > BODY_BYTES_MAX) return { kind: "bad" };
  const sizeBytes = FRAME_HEADER_BYTES + length;
  if (left < sizeBytes) return { kind: "short", sizeBytes };
  const crc = bytes.readUInt32LE(offset);
  if (crc !== crc32(bytes.subarray(offset + 4, offset + sizeBytes))) return { kind: "bad" };
  const flags = bytes[offset + 11]!;
  if ((flags & (KIND_MASK | SKIPPABLE)) === (KIND_SEAL | SKIPPABLE)) return { kind: "seal" };
  if ((flags & KIND_MASK) !== KIND_RECORDS) {
    return (flags & SKIPPABLE) === 0 ? { kind: "newer" } : { kind: "skip", sizeBytes };
  }
  const count = bytes.readUIntLE(offset + 8, 3);
  const body = bytes.subarray(offset + FRAME_HEADER_BYTES, offset + sizeBytes);
  return { kind: "frame", crc, count, body, settled: (flags & SETTLED) !== 0, sizeBytes };
}

/** Offset of the first whole frame of records at or after `from`, or -1. For telling damage from a torn end. */
export function findFrame(bytes: Buffer, from: number): number {
  for (let offset = from; offset + FRAME_HEADER_BYTES < bytes.length; offset++) {
    // The cheap conditions first: this runs at every byte.
    if ((bytes[offset + 11]! & (KIND_MASK | SKIPPABLE)) !== KIND_RECORDS) continue;
    const end = offset + FRAME_HEADER_BYTES + bytes.readUInt32LE(offset + 4);
    if (end > bytes.length || bytes[end - 1] !== NEWLINE) continue;
    if (frameAt(bytes, offset).kind === "frame") return offset;
  }
  return -1;
}

/** The records of a frame's body, in order. */
export function decodeRecords(body: Uint8Array, count: number): Json[] {
  const text = view(body).toString("utf8");
  if (count === 1) return [JSON.parse(text) as Json];
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Json);
}

/** The same memory as a `Buffer`. */
export function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
