/**
 * Between core's values and the messages that carry them: action results, times, `Any`.
 *
 * Note: core's own codec reads and writes what is hashed or stored (`encodeActionResult`, `decodeAction`). These
 *       functions are for messages that hold such values among others.
 */
import type { ActionResult, DigestFunction, ExecutedActionMetadata, MalformedProblem, Result } from "@kahn/core";
import { compareUtf8, decodeActionResult, sortedBy } from "@kahn/core";
import { digestMessage } from "../names/request-digest.ts";
import type { Codec, Init } from "./codec.ts";
import type { Any } from "./generated/any.ts";
import type { Duration } from "./generated/duration.ts";
import * as reapi from "./generated/remote-execution.ts";
import type { Timestamp } from "./generated/timestamp.ts";

const TYPE_URL = "type.googleapis.com/";

/** Milliseconds, also fractions, as seconds and nanoseconds of the same sign. */
export function durationMessage(durationMs: number): Duration {
  return parts(Math.trunc(durationMs / 1000), durationMs);
}

/** A duration in milliseconds. */
export function messageDurationMs({ seconds, nanos }: Duration): number {
  return seconds * 1000 + nanos / 1e6;
}

/** Milliseconds since the epoch as a timestamp, whose nanoseconds count forward also before the epoch. */
export function timestampMessage(timeMs: number): Timestamp {
  return parts(Math.floor(timeMs / 1000), timeMs);
}

/** A timestamp in milliseconds since the epoch. */
export function messageTimeMs({ seconds, nanos }: Timestamp): number {
  return seconds * 1000 + nanos / 1e6;
}

/** A message in an `Any`. */
export function packAny<T>(codec: Codec<T>, message: Init<T>): Any {
  return { typeUrl: TYPE_URL + codec.typeName, value: codec.encode(message) };
}

/**
 * The message in an `Any`; `undefined` when it is of another type.
 *
 * @throws DecodeError when it says to be of this type and is not.
 */
export function unpackAny<T>(codec: Codec<T>, any: Any): T | undefined {
  // Whatever stands before the last slash is nobody's business.
  return any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1) === codec.typeName ? codec.decode(any.value) : undefined;
}

/** An action result as a message: `ActionResult.encode` of it gives the bytes of core's `encodeActionResult`. */
export function actionResultMessage(result: ActionResult): Init<reapi.ActionResult> {
  const { stdout, stderr, stdoutRaw, stderrRaw } = result;
  return {
    outputFiles: sortedBy(result.outputFiles, byPath).map(({ path, digest, executable }) => ({
      path,
      digest: digestMessage(digest),
      isExecutable: executable,
    })),
    outputDirectories: sortedBy(result.outputDirectories, byPath).map(({ path, tree }) => ({
      path,
      treeDigest: digestMessage(tree),
    })),
    outputSymlinks: sortedBy(result.outputSymlinks, byPath),
    exitCode: result.exitCode,
    stdoutRaw,
    stdoutDigest: stdout && digestMessage(stdout),
    stderrRaw,
    stderrDigest: stderr && digestMessage(stderr),
    executionMetadata: metadataMessage(result.metadata),
  };
}

/** An action result from a message: what core's `decodeActionResult` reads from its bytes. */
export function messageActionResult(
  message: Init<reapi.ActionResult>,
  fn: DigestFunction,
): Result<ActionResult, MalformedProblem> {
  return decodeActionResult(reapi.ActionResult.encode(message), fn);
}

function metadataMessage(metadata: ExecutedActionMetadata): Init<reapi.ExecutedActionMetadata> | undefined {
  const { worker, queuedAtMs, executionStartedAtMs, executionCompletedAtMs } = metadata;
  if (worker === "" && (queuedAtMs ?? executionStartedAtMs ?? executionCompletedAtMs) === undefined) return undefined;
  return {
    worker,
    queuedTimestamp: timeOf(queuedAtMs),
    executionStartTimestamp: timeOf(executionStartedAtMs),
    executionCompletedTimestamp: timeOf(executionCompletedAtMs),
  };
}

function timeOf(timeMs: number | undefined): Timestamp | undefined {
  return timeMs === undefined ? undefined : timestampMessage(timeMs);
}

/** Both messages of a time; rounding may make a whole second of the nanoseconds. */
function parts(seconds: number, timeMs: number): { readonly seconds: number; readonly nanos: number } {
  const nanos = Math.round((timeMs - seconds * 1000) * 1e6);
  const carry = Math.trunc(nanos / 1e9);
  return { seconds: seconds + carry, nanos: nanos - carry * 1e9 };
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return compareUtf8(a.path, b.path);
}
