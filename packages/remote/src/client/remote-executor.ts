/**
 * Runs actions on a REAPI server, each with nothing but its inputs.
 *
 * Owns:      upload → execute → outputs into the workspace; what is uploaded again when the server lost it; going on
 *            here when the server is gone.
 * Never:     sends what must run here: services, what needs the terminal, and tasks that are not cached, whose inputs
 *            and outputs nobody declared.
 * Invariant: every blob that a returned result names is in the store, unless the result is unpublishable.
 */

import {
  type ActionExecutor,
  type ActionResult,
  type BlobStore,
  type Digest,
  digestOf,
  type ExecuteObserver,
  type ExecuteOutcome,
  type ExecuteRequest,
  type Execution,
  type FileStates,
  type FileSystem,
  type Problem,
  problem,
  type ResolvedAction,
  warning,
} from "@kahn/core";
import { actionMessages, adoptOutputs, outputsDigest } from "@kahn/exec";
import { StatusCode } from "../grpc/index.ts";
import { digestFunctionNumber } from "../names/digest-function.ts";
import { digestMessage } from "../names/request-digest.ts";
import { messageActionResult } from "../proto/core-messages.ts";
import { type ExecuteResponse, ExecutionStageValue } from "../proto/generated/remote-execution.ts";
import { missingBlobsOf, remoteProblem, statusText } from "./call-trouble.ts";
import { type ExecutionEnd, followExecution } from "./execution-call.ts";
import { hermeticForm, unlistedInputs } from "./hermetic-form.ts";
import { InputUploads } from "./input-uploads.ts";
import { LiveOutput } from "./live-output.ts";
import type { RemoteServer } from "./remote-server.ts";

/** What the executor works with. */
export interface RemoteExecutorOptions {
  readonly server: RemoteServer;
  readonly fs: FileSystem;
  readonly states: FileStates;
  /** Of the run: outputs are taken from it, so the server's blobs have to be behind it. */
  readonly blobs: BlobStore;
  /** Runs what cannot go there, and everything once the server is gone. */
  readonly local: ActionExecutor;
  /** True when somebody follows output as it comes: from servers that have logs to follow, else at the end. */
  readonly live: boolean;
  /** Told once when the server is gone. */
  readonly onWarning: (problem: Problem<"remote-exec-down">) => void;
}

/** How long everything runs here after the server was gone. */
const DOWN_MS = 60_000;
/** How often blobs that the server lost are sent again. */
const ROUNDS_MAX = 3;
const EXECUTING: number = ExecutionStageValue.EXECUTING;

/** Makes the executor of a server. */
export function remoteExecutor(options: RemoteExecutorOptions): ActionExecutor {
  const shared: Shared = {
    ...options,
    uploads: new InputUploads(options.server, options.fs),
    downUntilMs: Number.NEGATIVE_INFINITY,
    isTold: false,
  };
  return {
    execute(request, observer) {
      const isDown = options.server.clock.monotonicMs() < shared.downUntilMs;
      if (isDown || !canGo(request)) return options.local.execute(request, observer);
      const execution = new RemoteExecution(shared, request, observer);
      return { outcome: execution.run(), cancel: (how) => execution.cancel(how) };
    },
  };
}

function canGo({ resolved, streams }: ExecuteRequest): boolean {
  const { run, cacheable } = resolved;
  return cacheable && streams !== true && !run.interactive && run.ready === undefined;
}

interface Shared extends RemoteExecutorOptions {
  readonly uploads: InputUploads;
  downUntilMs: number;
  isTold: boolean;
}

class RemoteExecution {
  readonly #shared: Shared;
  readonly #request: ExecuteRequest;
  readonly #observer: ExecuteObserver;
  readonly #abort = new AbortController();
  readonly #output: LiveOutput | undefined;
  #here: Execution | undefined;
  #isTimedOut = false;
  #startedMs = 0;

  constructor(shared: Shared, request: ExecuteRequest, observer: ExecuteObserver) {
    this.#shared = shared;
    this.#request = request;
    this.#observer = observer;
    const onOutput = observer.output.bind(observer);
    this.#output = shared.live ? new LiveOutput(shared.server, onOutput) : undefined;
  }

  cancel(how: "term" | "kill"): void {
    this.#abort.abort();
    this.#here?.cancel(how);
  }

  async run(): Promise<ExecuteOutcome> {
    try {
      return await this.#run();
    } finally {
      this.#output?.close();
    }
  }

  async #run(): Promise<ExecuteOutcome> {
    const { resolved, reachableOutputs } = this.#request;
    const form = hermeticForm(resolved, reachableOutputs?.() ?? []);
    this.#startedMs = this.#shared.server.clock.monotonicMs();
    const end = await this.#execute(form);
    if (this.#isTimedOut) return this.#timedOut({});
    if (this.#abort.signal.aborted) return { kind: "cancelled" };
    if ("code" in end) return end.code === "store-remote" ? this.#fallBack(end) : { kind: "errored", problem: end };
    switch (end.kind) {
      case "cancelled":
        return { kind: "cancelled" };
      case "failed": {
        const why = remoteProblem(this.#shared.server.name, end.status);
        return end.isDown ? this.#fallBack(why) : { kind: "errored", problem: this.#failed(statusText(end.status)) };
      }
      case "responded":
        return this.#responded(form, end.response);
    }
  }

  /** Uploads and executes, again when blobs turn out to be missing. */
  async #execute(form: ResolvedAction): Promise<ExecutionEnd | Problem> {
    const { server, uploads } = this.#shared;
    const messages = actionMessages(form, []);
    const action = digestOf(messages.action);
    let lost: readonly Digest[] = [];
    for (let round = 1; ; round++) {
      const refused = await uploads.send(form, messages, lost);
      if (refused !== undefined) return refused;
      if (this.#abort.signal.aborted) return { kind: "cancelled" };
      const end = await this.#follow(action);
      const status = end.kind === "responded" ? end.response.status : undefined;
      lost = status === undefined ? [] : missingBlobsOf(status, server.digestFunction);
      if (lost.length === 0 || round >= ROUNDS_MAX) return end;
    }
  }

  async #follow(action: Digest): Promise<ExecutionEnd> {
    const { server } = this.#shared;
    const { timeoutMs } = this.#request.resolved.run;
    let timer: { cancel(): void } | undefined;
    const request = {
      instanceName: server.instance,
      actionDigest: digestMessage(action),
      digestFunction: digestFunctionNumber(server.digestFunction),
      // Again after a failure: an answer from the server's cache would be the same.
      skipCacheLookup: this.#request.attempt > 1,
      inlineStdout: true,
      inlineStderr: true,
    };
    try {
      return await followExecution(server, request, {
        signal: this.#abort.signal,
        onProgress: (metadata) => {
          this.#output?.follow(metadata);
          if (metadata.stage !== EXECUTING || timer !== undefined) return;
          this.#observer.started(undefined);
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

  async #responded(form: ResolvedAction, response: ExecuteResponse): Promise<ExecuteOutcome> {
    const { server } = this.#shared;
    const { status } = response;
    const result =
      response.result === undefined ? undefined : messageActionResult(response.result, server.digestFunction);
    if (status !== undefined && status.code !== StatusCode.ok) {
      if (status.code === StatusCode.cancelled) return { kind: "errored", problem: this.#failed(statusText(status)) };
      if (status.code !== StatusCode.deadlineExceeded) {
        return { kind: "errored", problem: this.#failed(statusText(status)) };
      }
      return this.#timedOut(result?.ok === true ? await this.#streams(result.value, "raw") : {});
    }
    if (result?.ok !== true) return { kind: "errored", problem: this.#failed("its answer has no result") };
    if (result.value.exitCode !== 0) return this.#commandFailed(form, result.value);
    return await this.#succeeded(result.value, response.message);
  }

  async #commandFailed(form: ResolvedAction, result: ActionResult): Promise<ExecuteOutcome> {
    const streams = await this.#streams(result, "raw");
    const text = [...form.command.arguments, Buffer.from(streams.stderrRaw ?? []).toString()].join(" ");
    const unlisted = unlistedInputs(this.#shared.fs, form, text);
    const bare: ActionResult = { ...NO_OUTPUTS, exitCode: result.exitCode, ...streams, metadata: result.metadata };
    return {
      kind: "completed",
      result: bare,
      outputs: outputsDigest(bare),
      outputPaths: [],
      missingRoots: [],
      durationMs: this.#durationOf(result),
      ...(unlisted.length === 0 ? {} : { hint: unlistedHint(unlisted) }),
    };
  }

  async #succeeded(result: ActionResult, message: string): Promise<ExecuteOutcome> {
    const { resolved } = this.#request;
    const adopted = await adoptOutputs(this.#shared, resolved, result);
    if (!adopted.ok) return { kind: "errored", problem: adopted.problem };
    const { files, directories, symlinks, entries, missingRoots, dropped } = adopted.value;
    const streams = await this.#streams(result, "stored");
    const whole: ActionResult = {
      outputFiles: files,
      outputDirectories: directories,
      outputSymlinks: symlinks,
      exitCode: 0,
      ...streams,
      metadata: result.metadata,
    };
    const undeclared = [...dropped, ...undeclaredOf(message)];
    const changed = resolved.changedInputs();
    return {
      kind: "completed",
      result: whole,
      outputs: outputsDigest(whole),
      outputPaths: entries.filter(({ kind }) => kind !== "directory").map(({ path }) => path),
      outputEntries: entries,
      missingRoots,
      durationMs: this.#durationOf(result),
      ...(undeclared.length === 0 ? {} : { warnings: [undeclaredWarning(resolved.label, undeclared)] }),
      ...(changed.length === 0 ? {} : { unpublishable: inputsChanged(resolved.label, changed) }),
    };
  }

  /** What it printed: in the result as the server has it, or all of it in memory. */
  async #streams(result: ActionResult, as: "raw" | "stored"): Promise<Streams> {
    const streams: { -readonly [Name in keyof Streams]: Streams[Name] } = {};
    for (const stream of ["stdout", "stderr"] as const) {
      const raw = stream === "stdout" ? result.stdoutRaw : result.stderrRaw;
      const digest = stream === "stdout" ? result.stdout : result.stderr;
      const read = raw !== undefined || digest === undefined ? undefined : await this.#shared.blobs.read(digest);
      const bytes = raw ?? (read?.ok === true ? read.value : undefined);
      await this.#output?.rest(stream, bytes);
      if (bytes === undefined || bytes.byteLength === 0) continue;
      if (as === "stored" && raw === undefined) streams[stream] = digest!;
      else streams[`${stream}Raw`] = bytes;
    }
    return streams;
  }

  #durationOf({ metadata }: ActionResult): number {
    const { executionStartedAtMs: from, executionCompletedAtMs: to } = metadata;
    if (from !== undefined && to !== undefined && to >= from) return Math.round(to - from);
    return Math.round(this.#shared.server.clock.monotonicMs() - this.#startedMs);
  }

  #timedOut(streams: Pick<ActionResult, "stdoutRaw" | "stderrRaw">): ExecuteOutcome {
    const { label, run } = this.#request.resolved;
    const limit = run.timeoutMs === undefined ? "the server's timeout" : `its timeout of ${run.timeoutMs} ms`;
    const durationMs = Math.round(this.#shared.server.clock.monotonicMs() - this.#startedMs);
    const next = "Raise the task's `timeout`, or find out what it waits for.";
    const why = problem("task-timed-out", `${label} did not end within ${limit}`, { next });
    return { kind: "timed-out", problem: why, durationMs, streams };
  }

  #failed(what: string): Problem {
    const { label } = this.#request.resolved;
    return problem("remote-exec-failed", `${this.#shared.server.name} could not run ${label}: ${what}`, {
      next: "See what the server says; without --remote-exec the task runs here.",
    });
  }

  /** The server is gone: this action and the next ones run here. */
  #fallBack(cause: Problem): Promise<ExecuteOutcome> {
    const { server, local, onWarning } = this.#shared;
    this.#shared.downUntilMs = server.clock.monotonicMs() + DOWN_MS;
    if (!this.#shared.isTold) {
      this.#shared.isTold = true;
      const next = "Check its address and your network. What ran here saw the whole workspace.";
      onWarning(warning("remote-exec-down", `${server.name} is gone; tasks run here`, { cause, next }));
    }
    this.#output?.close();
    this.#here = local.execute(this.#request, this.#observer);
    return this.#here.outcome;
  }
}

type Streams = Pick<ActionResult, "stdout" | "stdoutRaw" | "stderr" | "stderrRaw">;

const NO_OUTPUTS = { outputFiles: [], outputDirectories: [], outputSymlinks: [] } as const;

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

function shown(paths: readonly string[]): string {
  return `${paths.slice(0, 3).join(", ")}${paths.length > 3 ? ` and ${paths.length - 3} more` : ""}`;
}

function undeclaredWarning(label: string, paths: readonly string[]): Problem {
  return warning("undeclared-output-dropped", `${label} wrote ${shown(paths)}, which it does not declare: dropped`, {
    next: "Add it to the task's `outputs` if something needs it.",
  });
}

function unlistedHint(paths: readonly string[]): string {
  const [is, it] = paths.length === 1 ? ["is", "it"] : ["are", "them"];
  return `${shown(paths)} ${is} in the workspace and not among the task's inputs: add ${it} to \`inputs\`.`;
}

function inputsChanged(label: string, paths: readonly string[]): Problem {
  const message = `${shown(paths)} changed while ${label} ran; its result counts for this run and is not cached`;
  return warning("input-changed-during-run", message, { next: "Run again." });
}
