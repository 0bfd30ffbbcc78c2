/**
 * Authentication before every gRPC call, quotas of bytes before those that send, of actions before each action.
 *
 * Invariant: every call but those of the health service has a subject under `CALLER`, or is refused.
 */
import type { CallContext, CallEndObserver, Interceptor } from "../grpc/index.ts";
import { CALL_SHARE, networkOf, StatusCode, StatusError } from "../grpc/index.ts";
import { durationMessage } from "../proto/core-messages.ts";
import { RetryInfo } from "../proto/generated/error-details.ts";
import type { Caller } from "../reapi/index.ts";
import { CALLER, refusal } from "../reapi/index.ts";
import type { AuthenticationRefusal, Authenticator } from "./authenticator.ts";
import type { QuotaRefusal, Quotas } from "./quotas.ts";
import type { Subject } from "./subject.ts";
import { isKnown } from "./subject.ts";

/** Probes have no credentials. */
const HEALTH = "/grpc.health.v1.Health/";

/** Calls that send what is to be kept. */
const SENDING: ReadonlySet<string> = new Set([
  "/google.bytestream.ByteStream/Write",
  "/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs",
  "/build.bazel.remote.execution.v2.ContentAddressableStorage/SpliceBlob",
  "/build.bazel.remote.execution.v2.ActionCache/UpdateActionResult",
  "/build.bazel.remote.asset.v1.Push/PushBlob",
  "/build.bazel.remote.asset.v1.Push/PushDirectory",
]);

/** What the interceptor asks. */
export interface AccessInterceptorOptions {
  readonly authenticator: Authenticator;
  readonly quotas: Quotas;
  /** Told of every refused credential, without it. */
  readonly onRefused?: (refused: AuthenticationRefusal, call: CallContext) => void;
}

/** Finds out who calls, and holds subjects to their quotas. */
export function accessInterceptor(options: AccessInterceptorOptions): Interceptor {
  const { authenticator, quotas, onRefused } = options;
  const admit = (
    call: CallContext,
    outcome: Awaited<ReturnType<Authenticator["authenticate"]>>,
  ): CallEndObserver | undefined => {
    if (!outcome.ok) {
      onRefused?.(outcome.problem, call);
      const { because, message } = outcome.problem;
      throw new StatusError(because === "overloaded" ? StatusCode.unavailable : StatusCode.unauthenticated, message);
    }
    call.set(CALLER, outcome.value);
    call.set(CALL_SHARE, isKnown(outcome.value) ? outcome.value.name : networkOf(call.peer));
    if (!quotas.isEmpty && SENDING.has(call.path)) hold(quotas, outcome.value, call);
    return undefined;
  };
  return (call) => {
    if (call.path.startsWith(HEALTH)) return undefined;
    const outcome = authenticator.authenticate(call.metadata.text("authorization"), call.peer);
    return outcome instanceof Promise ? outcome.then((answer) => admit(call, answer)) : admit(call, outcome);
  };
}

/** Holds callers to their number of actions, for the execution services. */
export function actionQuota(quotas: Quotas): (caller: Caller, underWay: number) => void {
  return (caller, underWay) => refuse(quotas.refusesExecution(caller, underWay));
}

function hold(quotas: Quotas, subject: Subject, call: CallContext): void {
  refuse(quotas.refusesBytes(subject));
  call.countReceived((bytes) => quotas.addBytes(subject, bytes));
}

/** @throws StatusError RESOURCE_EXHAUSTED, with the time after which it may be tried again. */
function refuse(refused: QuotaRefusal | undefined): void {
  if (refused === undefined) return;
  const detail = { codec: RetryInfo, value: { retryDelay: durationMessage(refused.retryAfterMs) } };
  throw refusal(StatusCode.resourceExhausted, refused.message, detail);
}
