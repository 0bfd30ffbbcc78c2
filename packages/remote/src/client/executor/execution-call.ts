/**
 * One execution on a server, followed to its end.
 *
 * Owns:      Execute and WaitExecution: coming back to an execution whose stream broke, asking anew for one that the
 *            server forgot, waiting when it is full.
 * Invariant: at most `failuresMax` failures in a row without a sign of life.
 *
 *   Execute ── name known ──▶ broken? WaitExecution ── NOT_FOUND ──▶ Execute
 */
import { sleep } from "@kahn/core";
import type { Status } from "../../grpc/index.ts";
import { methodOf, StatusCode, StatusError } from "../../grpc/index.ts";
import type { Init } from "../../proto/codec.ts";
import { unpackAny } from "../../proto/core-messages.ts";
import { DecodeError } from "../../proto/decode-error.ts";
import type { Operation } from "../../proto/generated/operations.ts";
import {
  ExecuteOperationMetadata,
  type ExecuteRequest,
  ExecuteResponse,
  ExecutionMethods,
} from "../../proto/generated/remote-execution.ts";
import { askedDelayMs, isTransient } from "../calls/call-trouble.ts";
import type { RemoteServer } from "../calls/remote-server.ts";

const EXECUTE = methodOf("server-streaming", ExecutionMethods.execute);
const WAIT = methodOf("server-streaming", ExecutionMethods.waitExecution);

const FAILURES_MAX = 5;
const PAUSE_MAX_MS = 10_000;

/** How it ended. */
export type ExecutionEnd =
  | { readonly kind: "responded"; readonly response: ExecuteResponse }
  /** `isDown`: the server could not be reached, or had no time for us. */
  | { readonly kind: "failed"; readonly status: Pick<Status, "code" | "message">; readonly isDown: boolean }
  | { readonly kind: "cancelled" };

/** Who follows. */
export interface ExecutionFollower {
  readonly signal: AbortSignal;
  readonly onProgress: (metadata: ExecuteOperationMetadata) => void;
}

type Step = { readonly kind: "end"; readonly end: ExecutionEnd } | { readonly kind: "broken"; readonly status: Status };

/** Executes. An abort leaves the execution; a server ends one that everybody has left. */
export async function followExecution(
  server: RemoteServer,
  request: Init<ExecuteRequest>,
  follower: ExecutionFollower,
): Promise<ExecutionEnd> {
  const { signal } = follower;
  let name: string | undefined;
  let failures = 0;
  const sawLife = (operation: Operation) => {
    failures = 0;
    name = operation.name;
  };
  for (;;) {
    const step = await followOnce(server, { request, name, sawLife, follower });
    if (signal.aborted) return { kind: "cancelled" };
    if (step.kind === "end") return step.end;
    const { status } = step;
    const isForgotten = name !== undefined && status.code === StatusCode.notFound;
    if (isForgotten) name = undefined;
    if (!isForgotten && !isTransient(status)) return { kind: "failed", status, isDown: false };
    if (++failures >= FAILURES_MAX) return { kind: "failed", status, isDown: true };
    // Longer than that of a cache: there is no way as good around it.
    const pauseMs = Math.min(PAUSE_MAX_MS, 2 * server.retries.firstMs * 2 ** failures);
    await sleep(server.clock, askedDelayMs(status) ?? pauseMs, signal);
    if (signal.aborted) return { kind: "cancelled" };
  }
}

interface Attempt {
  readonly request: Init<ExecuteRequest>;
  readonly name: string | undefined;
  readonly sawLife: (operation: Operation) => void;
  readonly follower: ExecutionFollower;
}

async function followOnce(server: RemoteServer, { request, name, sawLife, follower }: Attempt): Promise<Step> {
  const { signal, onProgress } = follower;
  let isSilent = false;
  const call =
    name === undefined
      ? server.channel.read(EXECUTE, request, { signal })
      : server.channel.read(WAIT, { name }, { signal });
  // Only the first word has a deadline: how long it takes after that is the command's business.
  const timer = server.clock.setTimer(server.deadlines.acceptMs, () => {
    isSilent = true;
    call.cancel();
  });
  try {
    for await (const operation of call.messages) {
      timer.cancel();
      sawLife(operation);
      if (operation.done) return ended(operation);
      const metadata = operation.metadata && unpackAny(ExecuteOperationMetadata, operation.metadata);
      if (metadata !== undefined) onProgress(metadata);
    }
  } catch (error) {
    if (error instanceof DecodeError) return malformed(error.message);
    if (!(error instanceof StatusError)) throw error;
  } finally {
    timer.cancel();
    call.cancel();
  }
  if (isSilent) return silent(server);
  const status = await call.status;
  if (status.code !== StatusCode.ok) return { kind: "broken", status };
  return { kind: "broken", status: { code: StatusCode.unavailable, message: "the stream ended before the execution" } };
}

function ended({ result }: Operation): Step {
  if (result?.kind === "error") return broken(result.value);
  const response = result && unpackAny(ExecuteResponse, result.value);
  if (response === undefined) return malformed("the operation has no ExecuteResponse");
  const { status } = response;
  // The server had no time for it: another attempt may find some. What the action itself did is no reason.
  const hasNoTime =
    status !== undefined &&
    (status.code === StatusCode.unavailable ||
      status.code === StatusCode.aborted ||
      askedDelayMs(status) !== undefined);
  return hasNoTime ? broken(status) : { kind: "end", end: { kind: "responded", response } };
}

/** The server took the call and said nothing: asking again would take as long again. */
function silent({ deadlines }: RemoteServer): Step {
  const message = `nothing came within ${deadlines.acceptMs} ms`;
  const status = { code: StatusCode.deadlineExceeded, message };
  return { kind: "end", end: { kind: "failed", status, isDown: true } };
}

function broken(status: { readonly code: number; readonly message: string }): Step {
  return { kind: "broken", status: { code: status.code as StatusCode, message: status.message } };
}

function malformed(message: string): Step {
  const status = { code: StatusCode.internal, message: `the server's answer is malformed: ${message}` };
  return { kind: "end", end: { kind: "failed", status, isDown: false } };
}
