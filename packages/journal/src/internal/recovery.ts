/**
 * What a crash left of a journal, and what no crash can have left.
 *
 * Owns:  the distinction between a torn end (cut, reported) and damage (refused, nothing changed).
 * Never: cuts what was on the device when an append was acknowledged as disk-durable, as far as the bytes can tell.
 *
 * A dead process leaves at most one incomplete frame, at the end. Lost power leaves that too, or, of what was never
 * flushed, any subset of the pages, the others reading as zeros; so a whole frame may follow a lost one. It is a torn
 * end only if a page's worth of zeros shows that a write was lost and no later frame says that everything before it
 * had been flushed. Everything else is damage.
 */
import type { FileSystem, JournalProblem, Result, TornTail } from "@kahn/core";
import { err, ok } from "@kahn/core";
import { FRAME_HEADER_BYTES, findFrame, frameAt, PAGE_BYTES, SEGMENT_HEADER_BYTES, view } from "./frame.ts";
import { corrupt, formatNewer, missing } from "./problems.ts";
import type { Segment } from "./segment.ts";
import { readFrames, readSegmentHeader, segmentNumber, segmentPath } from "./segment.ts";

/** Four bytes of the log that tell one history from another: the CRC of the last frame (or header), and its place. */
export interface LogMark {
  readonly segment: number;
  readonly offset: number;
  readonly crc: number;
}

/** The state of a journal on the disk. */
export interface Recovered {
  /** In order; never empty. */
  readonly segments: readonly Segment[];
  readonly lastSeq: number;
  /** Bytes of the last segment that are whole. */
  readonly sizeBytes: number;
  readonly mark: LogMark;
  readonly tornTail: TornTail | undefined;
  /** Somebody has sealed the last segment: the log goes on in the next one, which is not there yet. */
  readonly isSealed: boolean;
  /** Segments after the last that hold nothing, not even a header. */
  readonly blankPaths: readonly string[];
  /** The first segment was never given its header: nothing was ever recorded. */
  readonly needsHeader: boolean;
}

/** Finds the segments and where the log ends. Reads the last segment whole and of the others only the headers. */
export function recover(
  fs: FileSystem,
  at: { readonly folder: string; readonly id: string; readonly directory: string },
): Result<Recovered, JournalProblem> {
  const numbers = segmentNumbers(fs, at.folder);
  if (numbers.length === 0) return err(missing(at.id, at.directory));
  const segments: Segment[] = [];
  const blankPaths: string[] = [];
  for (const [index, number] of numbers.entries()) {
    const path = segmentPath(at.folder, number);
    if (number !== index + 1) return err(corrupt(path, 0, `segment ${index + 1}, which comes before it, is missing`));
    const header = readSegmentHeader(fs, path);
    if (header.kind === "newer") return err(formatNewer(path, `format ${header.format}`));
    const canBeBlank = header.kind === "torn" && index === numbers.length - 1;
    if (canBeBlank && isTornEnd(readRest(fs, path, 0), 0)) blankPaths.push(path);
    else if (header.kind !== "whole") return err(corrupt(path, 0, "its header is not that of a journal"));
    // Equal, if the one before it was sealed before anything was written to it.
    else if (header.firstSeq < (segments.at(-1)?.firstSeq ?? 1))
      return err(corrupt(path, 12, "its first sequence number is before that of the segment before it"));
    else segments.push({ number, path, firstSeq: header.firstSeq });
  }
  if (segments.length === 0) return ok(unborn(fs, at.folder));
  return recoverEnd(fs, segments, blankPaths);
}

/** Numbers of the segments in a folder, ascending; empty when there is no such folder. */
export function segmentNumbers(fs: FileSystem, folder: string): number[] {
  const names = fs.readDirectory(folder)?.map((entry) => segmentNumber(entry.name)) ?? [];
  return names.filter((number) => number !== undefined).sort((a, b) => a - b);
}

/** The mark in an empty segment: the CRC in its header. */
export function headerMark(segment: number, header: Uint8Array): LogMark {
  return { segment, offset: 20, crc: view(header).readUInt32LE(20) };
}

/** A journal whose creator died before the header was whole. */
function unborn(fs: FileSystem, folder: string): Recovered {
  const path = segmentPath(folder, 1);
  const droppedBytes = fs.lstat(path)?.sizeBytes ?? 0;
  return {
    segments: [{ number: 1, path, firstSeq: 1 }],
    lastSeq: 0,
    sizeBytes: 0,
    mark: { segment: 1, offset: 0, crc: 0 },
    tornTail: droppedBytes > 0 ? { droppedBytes, lastSeq: 0 } : undefined,
    isSealed: false,
    blankPaths: [],
    needsHeader: true,
  };
}

function recoverEnd(
  fs: FileSystem,
  segments: readonly Segment[],
  blankPaths: readonly string[],
): Result<Recovered, JournalProblem> {
  const last = segments.at(-1)!;
  let lastSeq = last.firstSeq - 1;
  let mark = headerMark(last.number, fs.readRange(last.path, 0, SEGMENT_HEADER_BYTES)!);
  const frames = readFrames(fs, last.path, { offset: SEGMENT_HEADER_BYTES });
  let step = frames.next();
  for (; !step.done; step = frames.next()) {
    lastSeq += step.value.count;
    mark = { segment: last.number, offset: step.value.offset, crc: step.value.crc };
  }
  const end = step.value;
  if (end.kind === "newer") return err(formatNewer(last.path, `a record kind at byte ${end.offset}`));
  let droppedBytes = blankPaths.reduce((sum, path) => sum + (fs.lstat(path)?.sizeBytes ?? 0), 0);
  const isSealed = end.kind === "sealed";
  if (end.kind !== "end" && !isSealed) {
    const rest = readRest(fs, last.path, end.offset);
    if (!isTornEnd(rest, end.offset)) {
      return err(corrupt(last.path, end.offset, "the record there is not whole, yet whole records follow"));
    }
    droppedBytes += rest.length;
  }
  const tornTail = droppedBytes > 0 ? { droppedBytes, lastSeq } : undefined;
  return ok({ segments, lastSeq, sizeBytes: end.offset, mark, tornTail, isSealed, blankPaths, needsHeader: false });
}

function readRest(fs: FileSystem, path: string, offset: number): Buffer {
  const sizeBytes = fs.lstat(path)?.sizeBytes ?? 0;
  return view(fs.readRange(path, offset, Math.max(0, sizeBytes - offset)) ?? Buffer.alloc(0));
}

/** Whether a crash can have left `rest`, which begins with a frame that is not whole at `start` of the file. */
function isTornEnd(rest: Buffer, start: number): boolean {
  let next = findFrame(rest, 1);
  if (next === -1) return true;
  if (!showsLostWrite(rest.subarray(0, next), start)) return false;
  while (next !== -1) {
    const frame = frameAt(rest, next);
    if (frame.kind !== "frame" || frame.settled) return false;
    next = findFrame(rest, next + frame.sizeBytes);
  }
  return true;
}

/** A lost page reads as zeros up to its end; JSON text holds none, so a zero at a page's end in a body tells. */
function showsLostWrite(frame: Buffer, start: number): boolean {
  if (frame.subarray(0, FRAME_HEADER_BYTES).every((byte) => byte === 0)) return true;
  const firstBoundary = Math.ceil((start + FRAME_HEADER_BYTES + 1) / PAGE_BYTES) * PAGE_BYTES;
  for (let boundary = firstBoundary; boundary <= start + frame.length; boundary += PAGE_BYTES) {
    if (frame[boundary - 1 - start] === 0) return true;
  }
  return false;
}
