/**
 * Refusals: the status that stands for each problem of a request or of the store.
 *
 * Invariant: a message of a `StatusError` made here names the thing; details are a `google.rpc.Status` as gRPC wants it.
 */
import type { Digest, Problem, Result } from "@kahn/core";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import { blobSubject } from "../../names/resource-name.ts";
import type { Codec, Init } from "../../proto/codec.ts";
import { durationMessage, packAny } from "../../proto/core-messages.ts";
import { BadRequest, PreconditionFailure, RetryInfo } from "../../proto/generated/error-details.ts";
import { Status } from "../../proto/generated/status.ts";
import type { ServerStoreProblem } from "../../store/server-store.ts";

/** When a caller that met a full or failing store should come again. */
const RETRY_AFTER_MS = 1000;

/** A refusal with one message as its detail. */
export function refusal<T>(
  code: StatusCode,
  message: string,
  detail?: { readonly codec: Codec<T>; readonly value: Init<T> },
): StatusError {
  if (detail === undefined) return new StatusError(code, message);
  const details = Status.encode({ code, message, details: [packAny(detail.codec, detail.value)] });
  return new StatusError(code, message, details);
}

/** INVALID_ARGUMENT. */
export function invalidArgument(message: string): StatusError {
  return new StatusError(StatusCode.invalidArgument, message);
}

/** INVALID_ARGUMENT that names the field at fault in a `BadRequest`. */
export function invalidField(field: string, description: string): StatusError {
  const value = { fieldViolations: [{ field, description }] };
  return refusal(StatusCode.invalidArgument, `${field}: ${description}`, { codec: BadRequest, value });
}

/** NOT_FOUND for a blob. */
export function blobNotFound(digest: Digest): StatusError {
  return new StatusError(StatusCode.notFound, `${blobSubject(digest)} is not in the store`);
}

/** FAILED_PRECONDITION with one `MISSING` violation for each blob, as clients need it to upload and try again. */
export function missingBlobs(digests: readonly Digest[]): StatusError {
  const violations = digests.map((digest) => ({ type: "MISSING", subject: blobSubject(digest), description: "" }));
  const message = `${digests.length} blobs are missing, among them ${violations[0]?.subject}`;
  return refusal(StatusCode.failedPrecondition, message, { codec: PreconditionFailure, value: { violations } });
}

/** The status of what the store could not do. */
export function storeRefusal(problem: ServerStoreProblem): StatusError {
  const { message } = problem;
  switch (problem.code) {
    case "blob-mismatch":
    case "blob-too-large":
      return invalidArgument(message);
    case "store-limit":
    case "store-full":
      return refusal(StatusCode.resourceExhausted, message, RETRY);
    case "store-remote":
    case "store-refused":
      return refusal(StatusCode.unavailable, message, RETRY);
    case "store-denied":
    case "store-io":
    case "store-format-newer":
      return new StatusError(StatusCode.internal, message);
  }
}

const RETRY = { codec: RetryInfo, value: { retryDelay: durationMessage(RETRY_AFTER_MS) } };

/** A refusal as a message of its own, for answers that carry one status per part. */
export function rpcStatus({ status }: StatusError): Init<Status> {
  return status.details === undefined ? { code: status.code, message: status.message } : Status.decode(status.details);
}

/** The value, or the store's problem as a status. @throws StatusError */
export function stored<T>(result: Result<T, ServerStoreProblem>): T {
  if (result.ok) return result.value;
  throw storeRefusal(result.problem);
}

/**
 * What was read, or a status. A blob that turns out damaged is gone by then, so it is NOT_FOUND and no mistake of the
 * client's.
 *
 * @throws StatusError
 */
export function soundBytes(result: Result<Uint8Array, ServerStoreProblem>, digest: Digest): Uint8Array {
  if (!result.ok && result.problem.code === "blob-mismatch") throw blobNotFound(digest);
  return stored(result);
}

/** The value, or INVALID_ARGUMENT with the problem's message. @throws StatusError */
export function wellFormed<T>(result: Result<T, Problem>): T {
  if (result.ok) return result.value;
  throw invalidArgument(result.problem.message);
}
