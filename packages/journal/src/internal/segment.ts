/**
 * One segment file: its name, and its frames read in pieces of bounded size.
 *
 * Never:     holds more of a file than one piece, or one frame if that is larger.
 * Invariant: reading changes nothing and needs no lock: a frame that is being written looks incomplete.
 */
import type { FileSystem } from "@kahn/core";
import type { FrameAt, SegmentHeader } from "./frame.ts";
import { decodeSegmentHeader, frameAt, PAGE_BYTES, view } from "./frame.ts";

/** A segment of a journal. */
export interface Segment {
  /** Counts from 1. */
  readonly number: number;
  readonly path: string;
  readonly firstSeq: number;
}

/** A frame with its place in the file. */
export type PlacedFrame = Extract<FrameAt, { kind: "frame" }> & {
  /** Of its first byte in the file. */
  readonly offset: number;
};

/** Why the frames of a segment stop at `offset`. `incomplete`: a frame begins there, its end is not in the file. */
export interface SegmentEnd {
  readonly kind: "end" | "sealed" | "incomplete" | "bad" | "newer";
  readonly offset: number;
}

const PIECE_BYTES = 256 * 1024;

/** Path of a segment. */
export function segmentPath(folder: string, number: number): string {
  return `${folder}/${String(number).padStart(6, "0")}.log`;
}

/** Number of a segment by its file's name; `undefined` for other files. */
export function segmentNumber(name: string): number | undefined {
  return /^\d{6,}\.log$/.test(name) ? Number(name.slice(0, -4)) : undefined;
}

/** Reads the header of a segment; of a missing file it is `torn`. */
export function readSegmentHeader(fs: FileSystem, path: string): SegmentHeader {
  return decodeSegmentHeader(fs.readRange(path, 0, PAGE_BYTES) ?? Buffer.alloc(0));
}

/**
 * Yields the frames from byte `offset` to byte `limit` (exclusive; default: wherever the file ends now) and returns
 * why it stopped. A body is valid until the next frame is asked for.
 */
export function* readFrames(
  fs: FileSystem,
  path: string,
  range: { readonly offset: number; readonly limit?: number },
): Generator<PlacedFrame, SegmentEnd> {
  const limit = range.limit ?? Number.POSITIVE_INFINITY;
  let pieceStart = range.offset;
  let piece: Buffer = Buffer.alloc(0);
  let at = 0;
  for (;;) {
    const offset = pieceStart + at;
    const found = frameAt(piece, at);
    if (found.kind === "short") {
      const next = readPiece(fs, path, { offset, limit, sizeBytes: found.sizeBytes });
      if (next.length < found.sizeBytes) return { kind: next.length === 0 ? "end" : "incomplete", offset };
      [piece, pieceStart, at] = [next, offset, 0];
      continue;
    }
    if (found.kind === "seal") return { kind: "sealed", offset };
    if (found.kind === "bad" || found.kind === "newer") return { kind: found.kind, offset };
    if (found.kind === "frame") yield { ...found, offset };
    at += found.sizeBytes;
  }
}

function readPiece(
  fs: FileSystem,
  path: string,
  want: { readonly offset: number; readonly limit: number; readonly sizeBytes: number },
): Buffer {
  const lengthBytes = Math.min(Math.max(PIECE_BYTES, want.sizeBytes), want.limit - want.offset);
  if (lengthBytes <= 0) return Buffer.alloc(0);
  return view(fs.readRange(path, want.offset, lengthBytes) ?? Buffer.alloc(0));
}
