/**
 * How an execution ended, as an encoded `ExecuteResponse`.
 *
 * Invariant: what went wrong stands in `ExecuteResponse.status`, never in `Operation.error`: clients take that for a
 *            broken protocol.
 * Why here and not as the call's status: details in trailers are lost when they are long, and an action may lack more
 *            blobs than 4 KiB have names for. Bazel takes both.
 */
import type { Problem } from "@kahn/core";
import type { HermeticOutcome } from "@kahn/exec";
import type { StatusError } from "../../grpc/index.ts";
import { StatusCode } from "../../grpc/index.ts";
import type { Init } from "../../proto/codec.ts";
import { durationMessage } from "../../proto/core-messages.ts";
import { PreconditionFailure, RetryInfo } from "../../proto/generated/error-details.ts";
import { type ActionResult, ExecuteResponse, type LogFile } from "../../proto/generated/remote-execution.ts";
import { invalidArgument, refusal, rpcStatus, storeRefusal } from "../../reapi/requests/refusal.ts";
import { field } from "../../reapi/wire/fields.ts";
import type { ServerStoreProblem } from "../../store/server-store.ts";
import { poolText } from "../actions/platform.ts";
import type { ExecutionFailure } from "../machine/execution-listener.ts";
import type { Outcome } from "../machine/operation-state.ts";

/** When a client that was sent away should come again. */
const RETRY_AFTER_MS = 1000;
const RESULT = 0o12;

/** Logs by name. */
export type ServerLogs = ReadonlyMap<string, Init<LogFile>>;

/** What is said beside a result. */
export interface ResultNotes {
  readonly isCached: boolean;
  readonly message?: string;
  readonly serverLogs?: ServerLogs;
}

/** A result. @param result an encoded ActionResult, in parts. */
export function succeeded(
  result: readonly Uint8Array[],
  { isCached, message = "", serverLogs }: ResultNotes,
): Uint8Array {
  const rest = ExecuteResponse.encode({ cachedResult: isCached, message, status: { code: 0 }, serverLogs });
  return Buffer.concat([field(RESULT, Buffer.concat(result)), rest]);
}

/** A refusal, with as much of a result as there is. */
export function failed(error: StatusError, result?: Init<ActionResult>, serverLogs?: ServerLogs): Uint8Array {
  return ExecuteResponse.encode({ status: rpcStatus(error), result, message: error.message, serverLogs });
}

/** The same as the end of an operation that nobody else may be given. */
export function refused(
  error: StatusError,
  result?: Init<ActionResult>,
  serverLogs?: ServerLogs,
): Extract<Outcome, { kind: "answered" }> {
  const response = failed(error, result, serverLogs);
  return { kind: "answered", response, isReusable: false, failure: failureOf(error) };
}

function failureOf({ status: { code, details } }: StatusError): ExecutionFailure {
  switch (code) {
    case StatusCode.deadlineExceeded:
      return "timeout";
    case StatusCode.cancelled:
      return "cancelled";
    case StatusCode.failedPrecondition:
      return details === undefined ? "invalid" : "missing_inputs";
    case StatusCode.invalidArgument:
      return "invalid";
    default:
      return "error";
  }
}

/** UNAVAILABLE with RetryInfo: the server is going away. */
export function goingAway(): StatusError {
  return retry(StatusCode.unavailable, "the server is going away and had not started this action");
}

/** RESOURCE_EXHAUSTED with RetryInfo: too much waits already. */
export function queueFull(waiting: number): StatusError {
  return retry(StatusCode.resourceExhausted, `${waiting} actions are waiting already; try again later`);
}

/** The response of an operation that ended in some way. */
export function responseOf(outcome: Outcome): Uint8Array {
  switch (outcome.kind) {
    case "answered":
      return outcome.response;
    case "cancelled":
      return failed(refusal(StatusCode.cancelled, CANCELLED[outcome.because]));
    case "drained":
      return failed(goingAway());
    case "unsatisfiable": {
      const subject = poolText(outcome.pool);
      const message = `no worker fits this action: it needs ${subject}`;
      const value = { violations: [{ type: "PLATFORM", subject, description: "no worker has these properties" }] };
      return failed(refusal(StatusCode.failedPrecondition, message, { codec: PreconditionFailure, value }));
    }
    case "poisoned":
      return failed(
        refusal(
          StatusCode.failedPrecondition,
          `workers were lost ${outcome.losses} times while they ran this action; it is not started again for now`,
        ),
      );
  }
}

const CANCELLED = {
  asked: "the operation was cancelled",
  abandoned: "the operation was cancelled: nobody waited for it any more",
  deleted: "the operation was deleted",
} as const;

/** The status of a run that gave no result. */
export function runRefusal(
  outcome: Exclude<HermeticOutcome, { readonly kind: "completed" | "missing-blobs" }>,
): StatusError {
  switch (outcome.kind) {
    case "timed-out":
      return refusal(StatusCode.deadlineExceeded, outcome.problem.message);
    case "cancelled":
      return refusal(StatusCode.cancelled, "the run was cancelled");
    case "invalid":
      return invalidRefusal(outcome.problem);
    case "errored":
      return isStoreProblem(outcome.problem)
        ? storeRefusal(outcome.problem)
        : refusal(StatusCode.internal, outcome.problem.message);
  }
}

function invalidRefusal({ code, message }: Problem): StatusError {
  switch (code) {
    case "output-type-clash":
      return refusal(StatusCode.failedPrecondition, message);
    case "action-disk-limit":
      return refusal(StatusCode.resourceExhausted, message);
    default:
      return invalidArgument(message);
  }
}

/** What the store alone reports. A mismatch there is no mistake of this client. */
function isStoreProblem(problem: Problem): problem is ServerStoreProblem {
  const codes = ["store-limit", "store-full", "store-remote", "store-refused", "store-denied", "store-io"];
  return codes.includes(problem.code);
}

function retry(
  code: typeof StatusCode.unavailable | typeof StatusCode.resourceExhausted,
  message: string,
): StatusError {
  return refusal(code, message, { codec: RetryInfo, value: { retryDelay: durationMessage(RETRY_AFTER_MS) } });
}
