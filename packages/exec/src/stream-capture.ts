/**
 * Captured streams: what a command printed, from the files it wrote to into its result.
 *
 * Owns:      which bytes travel inside an `ActionResult` and which as blobs of their own.
 * Invariant: nothing printed is lost to a store that refuses: the bytes then stay in memory for this run.
 */
import type { ActionResult, BlobStore, Digest, FileSystem, StoreProblem } from "@kahn/core";

/** The stream fields of a result. */
export type StreamFields = Pick<ActionResult, "stdout" | "stdoutRaw" | "stderr" | "stderrRaw">;

/** Both streams of a command, and the store's refusal if it refused one. */
export interface CapturedStreams {
  readonly fields: StreamFields;
  readonly problem?: StoreProblem;
}

/** Streams up to this size are kept inside the result: one read on a hit instead of two. */
const INLINE_MAX_BYTES = 4096;

/** Of a stream that cannot go to the store, this much of its end is kept. */
const UNSTORED_MAX_BYTES = 32 * 1024 * 1024;

/** Where streams are read from and go to. */
export interface CaptureOptions {
  readonly fs: FileSystem;
  readonly blobs: BlobStore;
  /** The files are `<prefix>.stdout` and `<prefix>.stderr`. */
  readonly prefix: string;
  /** False keeps large streams out of the store: their result is not going to be cached. */
  readonly publishable: boolean;
  /** A digest of the function that the store is to digest large streams by. Default: the store's own. */
  readonly hint?: Digest;
  /** Streams up to this size are kept inside the result. Default: 4096. */
  readonly inlineMaxBytes?: number;
}

/** Reads both streams of a command that has ended. */
export async function captureStreams(options: CaptureOptions): Promise<CapturedStreams> {
  const stdout = await capture(options, "stdout");
  const stderr = await capture(options, "stderr");
  const refused = stdout.problem ?? stderr.problem;
  return {
    fields: {
      ...(stdout.digest === undefined ? {} : { stdout: stdout.digest }),
      ...(stdout.raw === undefined ? {} : { stdoutRaw: stdout.raw }),
      ...(stderr.digest === undefined ? {} : { stderr: stderr.digest }),
      ...(stderr.raw === undefined ? {} : { stderrRaw: stderr.raw }),
    },
    ...(refused === undefined ? {} : { problem: refused }),
  };
}

interface OneStream {
  readonly raw?: Uint8Array;
  readonly digest?: Digest;
  readonly problem?: StoreProblem;
}

async function capture(options: CaptureOptions, stream: "stdout" | "stderr"): Promise<OneStream> {
  const path = `${options.prefix}.${stream}`;
  const sizeBytes = options.fs.lstat(path)?.sizeBytes ?? 0;
  if (sizeBytes === 0) return {};
  if (sizeBytes <= (options.inlineMaxBytes ?? INLINE_MAX_BYTES))
    return { raw: options.fs.readFile(path) ?? new Uint8Array() };
  if (!options.publishable) return { raw: lastBytes(options.fs, path, sizeBytes) };
  const ingested = await options.blobs.ingest([
    { path, executable: false, ...(options.hint === undefined ? {} : { expected: options.hint }) },
  ]);
  if (ingested.ok) return { digest: ingested.value[0]! };
  return { raw: lastBytes(options.fs, path, sizeBytes), problem: ingested.problem };
}

function lastBytes(fs: FileSystem, path: string, sizeBytes: number): Uint8Array {
  const from = Math.max(0, sizeBytes - UNSTORED_MAX_BYTES);
  return fs.readRange(path, from, sizeBytes - from) ?? new Uint8Array();
}
