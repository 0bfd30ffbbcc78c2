/**
 * Records of a whole journal, across its segments.
 *
 * Invariant: sequence numbers come out without a gap, or reading stops with `journal-corrupt`.
 */
import type { FileSystem, JournalProblem, JournalRecord, Json } from "@kahn/core";
import { ProblemError } from "@kahn/core";
import { decodeRecords, SEGMENT_HEADER_BYTES } from "./frame.ts";
import { corrupt, formatNewer } from "./problems.ts";
import type { Segment } from "./segment.ts";
import { readFrames, readSegmentHeader, segmentPath } from "./segment.ts";

/** What to read. */
export interface LogSpan {
  readonly fs: FileSystem;
  readonly folder: string;
  /** Known segments, at least one; later ones are found as they appear. */
  readonly segments: readonly Segment[];
  /** Inclusive. */
  readonly fromSeq: number;
  /** The last record wanted; left out: up to whatever is whole when reading gets there. */
  readonly throughSeq?: number;
}

/**
 * Yields records. Throws `ProblemError` with `journal-corrupt` or `journal-format-newer` when it comes upon damage
 * before `throughSeq` or before the last segment; the incomplete end of a log that is being written just ends it.
 */
export function* readLog(span: LogSpan): Generator<JournalRecord, void> {
  const { fs, segments, fromSeq, throughSeq = Number.POSITIVE_INFINITY } = span;
  let segment = segments.findLast((each) => each.firstSeq <= fromSeq) ?? segments[0]!;
  let seq = segment.firstSeq - 1;
  let offset = SEGMENT_HEADER_BYTES;
  let retriedAt = -1;
  while (seq < throughSeq) {
    const frames = readFrames(fs, segment.path, { offset });
    let step = frames.next();
    for (; !step.done; step = frames.next()) {
      const { body, count } = step.value;
      const first = seq + 1;
      seq += count;
      if (seq >= fromSeq) yield* recordsFrom(fromSeq, first, decodeRecords(body, count));
      if (seq >= throughSeq) return;
    }
    const end = step.value;
    if (end.kind === "newer") fail(formatNewer(segment.path, `a record kind at byte ${end.offset}`));
    const next = nextSegment(span, segment);
    if (next === undefined) {
      if (throughSeq !== Number.POSITIVE_INFINITY) failShort(segment.path, end.offset);
      return;
    }
    if ((end.kind === "end" || end.kind === "sealed") && seq + 1 === next.firstSeq) {
      segment = next;
      offset = SEGMENT_HEADER_BYTES;
      retriedAt = -1;
    } else {
      // A segment is complete before its successor is made, but this one may have been read before that: once more.
      if (retriedAt === end.offset) failShort(segment.path, end.offset);
      offset = end.offset;
      retriedAt = end.offset;
    }
  }
}

function* recordsFrom(fromSeq: number, first: number, bodies: readonly Json[]): Generator<JournalRecord, void> {
  for (let index = Math.max(0, fromSeq - first); index < bodies.length; index++) {
    yield { seq: first + index, body: bodies[index]! };
  }
}

/** The segment after this one, if it is there and its header whole. */
function nextSegment(span: LogSpan, segment: Segment): Segment | undefined {
  const known = span.segments.find((each) => each.number === segment.number + 1);
  if (known !== undefined) return known;
  const number = segment.number + 1;
  const path = segmentPath(span.folder, number);
  const header = readSegmentHeader(span.fs, path);
  if (header.kind === "newer") fail(formatNewer(path, `format ${header.format}`));
  if (header.kind === "corrupt") fail(corrupt(path, 0, "its header is not that of a journal"));
  return header.kind === "whole" ? { number, path, firstSeq: header.firstSeq } : undefined;
}

function failShort(path: string, offset: number): never {
  fail(corrupt(path, offset, "the record there is not whole, yet later records exist"));
}

function fail(problem: JournalProblem): never {
  throw new ProblemError(problem);
}
