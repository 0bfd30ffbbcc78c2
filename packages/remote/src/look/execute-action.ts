/**
 * Has a server run an action that it has, and shows what it prints while it does.
 *
 * Invariant: what is shown is what the command printed, in order for each stream and whole once this resolves, also
 *            where the server has no logs to follow.
 */
import type { ActionResult, BlobStore, Digest, Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { missingBlobsOf, remoteProblem, statusText } from "../client/calls/call-trouble.ts";
import type { RemoteServer } from "../client/calls/remote-server.ts";
import { type ExecutionEnd, followExecution } from "../client/executor/execution-call.ts";
import { LiveOutput, type OnOutput } from "../client/executor/live-output.ts";
import { StatusCode } from "../grpc/index.ts";
import { digestFunctionNumber } from "../names/digest-function.ts";
import { digestMessage } from "../names/request-digest.ts";
import { messageActionResult } from "../proto/core-messages.ts";
import { type CopyStores, sendUncachedCopy } from "./uncached-copy.ts";

/** How an action is to be run. */
export interface ActionExecution {
  readonly digest: Digest;
  /**
   * `recorded`: the result that is recorded will do, and one is recorded. `apart`: it runs in any case, as a copy whose
   * result is not recorded, so that the one that is stays what it is.
   */
  readonly result: "recorded" | "apart";
  /** Called with the bytes as they come. */
  readonly onOutput: OnOutput;
  readonly signal: AbortSignal;
}

/** How it ended on the server. */
export type ActionExecutionEnd =
  | { readonly kind: "completed"; readonly result: ActionResult; readonly cached: boolean; readonly message: string }
  | { readonly kind: "timed-out" }
  | { readonly kind: "cancelled" };

/**
 * Executes.
 *
 * @param blobs of the server, for output that no log gave and for the copy: where the action is read, and the server's own.
 * @returns `action-incomplete`: the server lacks inputs; `remote-exec-failed`: it could not run it; `store-remote`: it
 *          cannot be reached; `store-refused`: it does not allow it.
 */
export async function executeAction(
  server: RemoteServer,
  blobs: CopyStores,
  execution: ActionExecution,
): Promise<Result<ActionExecutionEnd, Problem>> {
  const { digest, onOutput, signal } = execution;
  const isApart = execution.result === "apart";
  const copy = isApart ? await sendUncachedCopy(digest, blobs) : ok(digest);
  if (!copy.ok) return copy;
  const output = new LiveOutput(server, onOutput);
  const request = {
    instanceName: server.instance,
    actionDigest: digestMessage(copy.value),
    digestFunction: digestFunctionNumber(server.digestFunction),
    skipCacheLookup: isApart,
    inlineStdout: true,
    inlineStderr: true,
  };
  try {
    const end = await followExecution(server.about(copy.value), request, {
      signal,
      onProgress: (it) => output.follow(it),
    });
    return await concluded(end, { server, blobs: blobs.from, digest, output });
  } finally {
    output.close();
  }
}

interface Conclusion {
  readonly server: RemoteServer;
  readonly blobs: Pick<BlobStore, "read">;
  readonly digest: Digest;
  readonly output: LiveOutput;
}

async function concluded(
  end: ExecutionEnd,
  { server, blobs, digest, output }: Conclusion,
): Promise<Result<ActionExecutionEnd, Problem>> {
  if (end.kind === "cancelled") return ok(end);
  if (end.kind === "failed") return err(remoteProblem(server, end.status));
  const { status, cachedResult, message } = end.response;
  const result =
    end.response.result === undefined ? undefined : messageActionResult(end.response.result, server.digestFunction);
  const isTimedOut = status?.code === StatusCode.deadlineExceeded;
  if (status !== undefined && status.code !== StatusCode.ok && !isTimedOut) return err(refused(server, digest, status));
  for (const stream of ["stdout", "stderr"] as const) {
    await output.rest(stream, result?.ok === true ? await printed(stream, blobs, result.value) : undefined);
  }
  if (isTimedOut) return ok({ kind: "timed-out" });
  if (result?.ok !== true) {
    return err(failed(server, digest, "its answer has no result"));
  }
  return ok({ kind: "completed", result: result.value, cached: cachedResult, message });
}

async function printed(
  stream: "stdout" | "stderr",
  blobs: Pick<BlobStore, "read">,
  result: ActionResult,
): Promise<Uint8Array | undefined> {
  const digest = result[stream];
  const raw = result[`${stream}Raw`];
  if (raw !== undefined || digest === undefined) return raw;
  const read = await blobs.read(digest);
  return read.ok ? read.value : undefined;
}

function refused(server: RemoteServer, digest: Digest, status: Parameters<typeof missingBlobsOf>[0]): Problem {
  const missing = missingBlobsOf(status, server.digestFunction);
  if (missing.length === 0) return failed(server, digest, statusText(status));
  const [first] = missing;
  const message = `${server.name} lacks ${missing.length} blobs that ${digest} reads, ${first} among them`;
  return problem("action-incomplete", message, { next: "Have its client run it again, which sends them anew." });
}

function failed(server: RemoteServer, digest: Digest, what: string): Problem<"remote-exec-failed"> {
  const next = "See what the server says; with --local the action runs here.";
  return problem("remote-exec-failed", `${server.name} could not run ${digest}: ${what}`, { next });
}
