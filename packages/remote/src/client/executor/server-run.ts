/**
 * One action on a server: upload → execute → its answer.
 *
 * Owns:      what is uploaded again when the server lost it, and the task's own timeout, which runs from when it executes.
 * Never:     touches the workspace, or decides what is done when the server is gone.
 */
import { type Digest, digestOf, type Problem, problem, type ResolvedAction } from "@kahn/core";
import type { ActionMessages } from "@kahn/exec";
import { StatusCode } from "../../grpc/index.ts";
import { digestFunctionNumber } from "../../names/digest-function.ts";
import { digestMessage } from "../../names/request-digest.ts";
import { messageActionResult } from "../../proto/core-messages.ts";
import {
  type ExecuteOperationMetadata,
  type ExecuteResponse,
  ExecutionStageValue,
} from "../../proto/generated/remote-execution.ts";
import { missingBlobsOf, remoteProblem, statusText } from "../calls/call-trouble.ts";
import type { RemoteServer } from "../calls/remote-server.ts";
import type { Ran } from "../hermetic/ran.ts";
import { type ExecutionEnd, followExecution } from "./execution-call.ts";
import type { InputUploads } from "./input-uploads.ts";

/** How often blobs that the server lost are sent again. */
const ROUNDS_MAX = 3;
const EXECUTING: number = ExecutionStageValue.EXECUTING;

/** An action to run there. */
export interface ServerRunRequest {
  readonly form: ResolvedAction;
  /** Of `form`. */
  readonly messages: ActionMessages;
  /** True when a result that the server has will not do. */
  readonly skipCacheLookup: boolean;
  /** Called when it executes; may be called again. */
  readonly onStarted: () => void;
  readonly onProgress: (metadata: ExecuteOperationMetadata) => void;
}

/** An execution there. */
export class ServerRun {
  readonly #server: RemoteServer;
  readonly #uploads: InputUploads;
  readonly #request: ServerRunRequest;
  readonly #abort = new AbortController();
  readonly #left = new Promise<undefined>((resolve) => {
    this.#abort.signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  #isTimedOut = false;

  constructor(server: RemoteServer, uploads: InputUploads, request: ServerRunRequest) {
    this.#server = server;
    this.#uploads = uploads;
    this.#request = request;
  }

  /** Leaves the execution; a server ends one that everybody has left. */
  cancel(): void {
    this.#abort.abort();
  }

  /** Runs it. To be called once. */
  async run(): Promise<Ran> {
    const startedMs = this.#server.clock.monotonicMs();
    const tookMs = () => Math.round(this.#server.clock.monotonicMs() - startedMs);
    const end = await this.#execute();
    if (this.#isTimedOut) return { kind: "timed-out", durationMs: tookMs(), result: undefined };
    if (this.#abort.signal.aborted) return { kind: "cancelled" };
    if ("code" in end) {
      const isDown = end.code === "store-remote" || end.code === "store-refused";
      return { kind: isDown ? "down" : "errored", problem: end };
    }
    switch (end.kind) {
      case "cancelled":
        return { kind: "cancelled" };
      case "failed":
        return end.isDown
          ? { kind: "down", problem: remoteProblem(this.#server, end.status) }
          : { kind: "errored", problem: this.#failed(statusText(end.status)) };
      case "responded":
        return this.#responded(end.response, tookMs());
    }
  }

  /** Uploads and executes, again when blobs turn out to be missing. */
  async #execute(): Promise<ExecutionEnd | Problem> {
    const { form, messages } = this.#request;
    const action = digestOf(messages.action);
    let lost: readonly Digest[] = [];
    for (let round = 1; ; round++) {
      // Others may wait for the same uploads, so these go on when this run is left.
      const refused = await Promise.race([this.#uploads.send(form, messages, lost), this.#left]);
      if (this.#abort.signal.aborted) return { kind: "cancelled" };
      if (refused !== undefined) return refused;
      const end = await this.#follow(action);
      const status = end.kind === "responded" ? end.response.status : undefined;
      lost = status === undefined ? [] : missingBlobsOf(status, this.#server.digestFunction);
      if (lost.length === 0 || round >= ROUNDS_MAX) return end;
    }
  }

  async #follow(action: Digest): Promise<ExecutionEnd> {
    const server = this.#server.about(action);
    const { form, skipCacheLookup, onStarted, onProgress } = this.#request;
    const { timeoutMs } = form.run;
    let timer: { cancel(): void } | undefined;
    const request = {
      instanceName: server.instance,
      actionDigest: digestMessage(action),
      digestFunction: digestFunctionNumber(server.digestFunction),
      skipCacheLookup,
      inlineStdout: true,
      inlineStderr: true,
    };
    try {
      return await followExecution(server, request, {
        signal: this.#abort.signal,
        onProgress: (metadata) => {
          onProgress(metadata);
          if (metadata.stage !== EXECUTING || timer !== undefined) return;
          onStarted();
          // Only now: what it waited for workers is no fault of its own.
          if (timeoutMs !== undefined) timer = server.clock.setTimer(timeoutMs, () => this.#timeOut());
        },
      });
    } finally {
      timer?.cancel();
    }
  }

  #timeOut(): void {
    this.#isTimedOut = true;
    this.#abort.abort();
  }

  #responded(response: ExecuteResponse, tookMs: number): Ran {
    const { status, message } = response;
    const read =
      response.result === undefined ? undefined : messageActionResult(response.result, this.#server.digestFunction);
    const result = read?.ok === true ? read.value : undefined;
    if (status?.code === StatusCode.deadlineExceeded) return { kind: "timed-out", durationMs: tookMs, result };
    if (status !== undefined && status.code !== StatusCode.ok) {
      return { kind: "errored", problem: this.#failed(statusText(status)) };
    }
    if (result === undefined) return { kind: "errored", problem: this.#failed("its answer has no result") };
    const { executionStartedAtMs: from, executionCompletedAtMs: to } = result.metadata;
    const durationMs = from !== undefined && to !== undefined && to >= from ? Math.round(to - from) : tookMs;
    const isCached = response.cachedResult;
    return { kind: "completed", result, durationMs, undeclared: undeclaredOf(message), isCached };
  }

  #failed(what: string): Problem {
    const { form, messages } = this.#request;
    return problem("remote-exec-failed", `${this.#server.name} could not run ${form.label}: ${what}`, {
      facts: [["action", digestOf(messages.action)]],
      next: "See what the server says; without --remote-exec the task runs here.",
    });
  }
}

/** What a server of ours says of files that no output was declared for. */
function undeclaredOf(message: string): string[] {
  const [, list] = /^undeclared outputs were dropped: (\[.*\])$/m.exec(message) ?? [];
  if (list === undefined) return [];
  try {
    const paths: unknown = JSON.parse(list);
    return Array.isArray(paths) ? paths.filter((each) => typeof each === "string") : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
