/**
 * The local executor: runs one action as a process in the workspace and takes its outputs in.
 *
 * Owns:      stage → execute → collect: private copies of linked outputs before the command, its process, timeout and
 *            readiness while it runs, and the ingestion of outputs and streams after it.
 * Never:     writes the action cache (that is the second phase of publishing, done by `runGraph`), retries, or decides
 *            what is cached.
 * Invariant: every blob that the returned result names is in the store, unless the result is unpublishable.
 */
import {
  type ActionExecutor,
  type ActionResult,
  type BlobStore,
  type Clock,
  type Digest,
  type ExecuteObserver,
  type ExecuteOutcome,
  type ExecuteRequest,
  type Execution,
  type FileStates,
  type FileSystem,
  type KnownFile,
  type OutputSink,
  type OutputSpec,
  type Problem,
  type ProcessExit,
  type ProcessRunner,
  problem,
  type ResolvedAction,
  type RunningProcess,
  type Timer,
  warning,
} from "@kahn/core";
import { type CollectedOutputs, collectOutputs, type OutputEntry, outputsDigest } from "./output-tree.ts";
import { watchReadiness } from "./readiness.ts";
import { type CapturedStreams, captureStreams, type StreamFields } from "./stream-capture.ts";

/** What the executor works with. */
export interface LocalExecutorOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly states: FileStates;
  readonly blobs: BlobStore;
  readonly processes: ProcessRunner;
  /** Absolute folder for the files that running commands write their streams to; made if absent. */
  readonly streamDirectory: string;
  /** True when somebody follows output as it comes; false lets streams go straight to files. */
  readonly live: boolean;
  /** Variables added to every process: what a nested Kahn needs to know. */
  readonly extraEnv: (label: string) => Readonly<Record<string, string>>;
}

/** Makes the executor of this machine. */
export function localExecutor(options: LocalExecutorOptions): ActionExecutor {
  options.fs.makeDirectory(options.streamDirectory);
  const freeSlots: number[] = [];
  let slots = 0;
  return {
    execute(request, observer) {
      // Stream files are reused: creating one costs as much as the rest of a small task's bookkeeping.
      const slot = freeSlots.pop() ?? ++slots;
      const execution = new LocalExecution(options, {
        request,
        observer,
        streamPrefix: `${options.streamDirectory}/${slot}`,
      });
      return {
        outcome: execution.run().finally(() => freeSlots.push(slot)),
        cancel: (how) => execution.cancel(how),
      };
    },
  };
}

interface OneExecution {
  readonly request: ExecuteRequest;
  readonly observer: ExecuteObserver;
  /** Path of the stream files, to which `.stdout` and `.stderr` are appended. */
  readonly streamPrefix: string;
}

type EndedBy = "itself" | "timeout" | "not-ready" | "cancel";

class LocalExecution implements Pick<Execution, "cancel"> {
  #endedBy: EndedBy = "itself";
  #process: RunningProcess | undefined;
  readonly #options: LocalExecutorOptions;
  readonly #request: ExecuteRequest;
  readonly #observer: ExecuteObserver;
  readonly #streamPrefix: string;

  constructor(options: LocalExecutorOptions, { request, observer, streamPrefix }: OneExecution) {
    this.#options = options;
    this.#request = request;
    this.#observer = observer;
    this.#streamPrefix = streamPrefix;
  }

  cancel(how: "term" | "kill"): void {
    // A command that was already told to stop for its timeout has still timed out.
    if (this.#endedBy === "itself") this.#endedBy = "cancel";
    this.#process?.end(how);
  }

  async run(): Promise<ExecuteOutcome> {
    const { clock, fs, states } = this.#options;
    const { resolved } = this.#request;
    if (this.#endedBy !== "itself") return { kind: "cancelled" };
    unshareOutputs({ fs, states }, resolved.outputs, `${this.#streamPrefix}.private`);
    const startedAtMs = clock.nowMs();
    const startedMonotonicMs = clock.monotonicMs();
    const exit = await this.#runProcess();
    const durationMs = Math.round(clock.monotonicMs() - startedMonotonicMs);
    const endedBy = this.#endedBy as EndedBy;
    if (endedBy === "timeout" || endedBy === "not-ready") {
      const why = endedBy === "timeout" ? timeoutProblem(resolved) : notReadyProblem(resolved);
      return { kind: "timed-out", problem: why, durationMs, streams: (await this.#captureStreams(false)).fields };
    }
    if (exit.kind === "not-started") {
      return endedBy === "cancel" ? { kind: "cancelled" } : { kind: "errored", problem: notStarted(resolved, exit) };
    }
    if (endedBy === "cancel") return { kind: "cancelled", streams: (await this.#captureStreams(false)).fields };
    return this.#publish(exit, { startedAtMs, durationMs });
  }

  async #runProcess(): Promise<ProcessExit> {
    const { clock, processes } = this.#options;
    const { run, label } = this.#request.resolved;
    const ready = watchReadiness({
      clock,
      processes,
      run,
      label,
      onReady: () => this.#observer.ready(),
      onTimeout: () => this.#endFor("not-ready"),
    });
    const process = processes.start({
      argv: run.argv,
      cwd: run.cwd,
      env: { ...run.env, ...this.#options.extraEnv(label) },
      stdout: this.#sink("stdout", ready.line),
      stderr: this.#sink("stderr", ready.line),
      interactive: run.interactive,
      graceMs: run.graceMs,
      label,
    });
    this.#process = process;
    this.#observer.started(process.pid === 0 ? undefined : process.pid);
    const timer = this.#startTimeout();
    const exit = await process.ended;
    timer?.cancel();
    await ready.stop();
    return exit;
  }

  #sink(stream: "stdout" | "stderr", onLineBytes: ((bytes: Uint8Array) => void) | undefined): OutputSink {
    if (this.#request.resolved.run.interactive) return { kind: "inherit" };
    const path = `${this.#streamPrefix}.${stream}`;
    const isLive = this.#options.live || this.#request.streams === true;
    if (!isLive && onLineBytes === undefined) return { kind: "file", path };
    return {
      kind: "tee",
      path,
      onBytes: (bytes) => {
        if (isLive) this.#observer.output(stream, bytes);
        onLineBytes?.(bytes);
      },
    };
  }

  #startTimeout(): Timer | undefined {
    const { timeoutMs } = this.#request.resolved.run;
    if (timeoutMs === undefined) return undefined;
    return this.#options.clock.setTimer(timeoutMs, () => this.#endFor("timeout"));
  }

  #endFor(reason: EndedBy): void {
    if (this.#endedBy === "itself") this.#endedBy = reason;
    this.#process?.end("term");
  }

  async #publish(
    exit: Exclude<ProcessExit, { kind: "not-started" }>,
    times: { readonly startedAtMs: number; readonly durationMs: number },
  ): Promise<ExecuteOutcome> {
    const { resolved } = this.#request;
    const succeeded = exit.kind === "exited" && exit.exitCode === 0;
    // Before anything is published: a result whose inputs moved under it belongs to no key.
    const changed = succeeded && resolved.cacheable ? resolved.changedInputs() : [];
    const collected = succeeded
      ? collectOutputs(this.#options, resolved.outputs, resolved.command.workingDirectory)
      : undefined;
    if (collected !== undefined && !collected.ok) return { kind: "errored", problem: collected.problem };
    const outputs = collected?.value;
    const publishable = succeeded && resolved.cacheable && changed.length === 0;
    const streams = await this.#captureStreams(publishable);
    const result = this.#resultOf(exit, outputs, { ...times, streams: streams.fields });
    const refused = publishable && outputs !== undefined ? await this.#ingest(outputs, streams.problem) : undefined;
    const unpublishable = changed.length > 0 ? inputProblem(resolved, changed) : refused;
    return {
      kind: "completed",
      result,
      ...(exit.kind === "signalled" ? { signal: exit.signal } : {}),
      outputs: outputsDigest(result),
      outputPaths: pathsOf(outputs?.entries ?? []),
      outputEntries: outputs?.entries ?? [],
      missingRoots: outputs?.missingRoots ?? [],
      durationMs: times.durationMs,
      ...(unpublishable === undefined ? {} : { unpublishable }),
    };
  }

  async #captureStreams(publishable: boolean): Promise<CapturedStreams> {
    if (this.#request.resolved.run.interactive) return { fields: {} };
    const { fs, blobs } = this.#options;
    return captureStreams({ fs, blobs, prefix: this.#streamPrefix, publishable });
  }

  #resultOf(
    exit: Exclude<ProcessExit, { kind: "not-started" }>,
    outputs: CollectedOutputs | undefined,
    details: { readonly startedAtMs: number; readonly durationMs: number; readonly streams: StreamFields },
  ): ActionResult {
    return {
      outputFiles: outputs?.files ?? [],
      outputDirectories: outputs?.directories ?? [],
      outputSymlinks: outputs?.symlinks ?? [],
      // As a shell shows a signal: 128 and its number is the convention, but the number is not portable; 128 says it.
      exitCode: exit.kind === "exited" ? exit.exitCode : 128,
      ...details.streams,
      metadata: {
        worker: "local",
        executionStartedAtMs: details.startedAtMs,
        executionCompletedAtMs: details.startedAtMs + details.durationMs,
      },
    };
  }

  /** First phase of publishing. A store that refuses makes the result unpublishable, never the task failed. */
  async #ingest(outputs: CollectedOutputs, refused: Problem | undefined): Promise<Problem | undefined> {
    const { blobs } = this.#options;
    if (refused !== undefined) return storeFailed(this.#request.resolved, refused);
    const spec = this.#request.resolved.outputs;
    const files = outputs.entries.filter((entry) => entry.kind === "file");
    const adopt = spec.mode === "link";
    const requests = files.map((file) => ({
      path: `${spec.workspaceRoot}/${file.path}`,
      executable: file.executable,
      expected: file.digest,
      adopt,
    }));
    const ingested = await blobs.ingest(requests);
    if (!ingested.ok) return storeFailed(this.#request.resolved, ingested.problem);
    const moved = files.find((file, index) => ingested.value[index] !== file.digest);
    if (moved !== undefined) {
      return warning(
        "output-changed-after-run",
        `${spec.workspaceRoot}/${moved.path} changed after the command ended`,
        {
          next: "Let the command wait for everything that it starts.",
        },
      );
    }
    for (const [digest, bytes] of outputs.trees) {
      const written = await blobs.write(digest, bytes);
      if (!written.ok) return storeFailed(this.#request.resolved, written.problem);
    }
    if (adopt) rememberAdopted(this.#options, requests, ingested.value);
    return undefined;
  }
}

function pathsOf(entries: readonly OutputEntry[]): string[] {
  return entries.filter((entry) => entry.kind !== "directory").map((entry) => entry.path);
}

/**
 * Gives linked outputs an inode of their own before a command may write through them into the store. One that is linked
 * no longer, because the store was cleared, is still read-only, and a command may want to write to it.
 *
 * @param temporary where a copy is made: not among the outputs, where a crash would leave it as one of them.
 */
function unshareOutputs(
  { fs, states }: Pick<LocalExecutorOptions, "fs" | "states">,
  outputs: OutputSpec,
  temporary: string,
): void {
  if (outputs.mode !== "link") return;
  const unshare = (path: string): void => {
    const stat = fs.lstat(path);
    if (stat?.kind === "directory") for (const { name } of fs.readDirectory(path) ?? []) unshare(`${path}/${name}`);
    if (stat?.kind !== "file" || (stat.nlink < 2 && (stat.mode & 0o200) !== 0)) return;
    const mode = (stat.mode & 0o111) === 0 ? 0o644 : 0o755;
    if (stat.nlink < 2) {
      fs.chmod(path, mode);
      states.forget(path);
      return;
    }
    fs.copyFile({ from: path, to: temporary, mode });
    fs.setTimes(temporary, stat.mtimeMs, stat.mtimeMs);
    fs.rename(temporary, path);
    states.forget(path);
  };
  for (const root of outputs.roots) unshare(root === "" ? outputs.workspaceRoot : `${outputs.workspaceRoot}/${root}`);
}

function rememberAdopted(
  { fs, states }: LocalExecutorOptions,
  adopted: readonly { readonly path: string }[],
  digests: readonly Digest[],
): void {
  const stats = fs.statMany(adopted.map((each) => each.path));
  const known: KnownFile[] = [];
  for (const [index, { path }] of adopted.entries()) {
    const stat = stats[index];
    if (stat !== undefined) known.push({ path, digest: digests[index]!, stat, linked: true });
  }
  states.remember(known);
}

function inputProblem(resolved: ResolvedAction, changed: readonly string[]): Problem {
  const own = changed.find((path) => resolved.outputs.matches(path));
  const shown = `${changed.slice(0, 3).join(", ")}${changed.length > 3 ? ` and ${changed.length - 3} more` : ""}`;
  if (own !== undefined) {
    return warning("task-writes-its-input", `${resolved.label} wrote its own input ${own}; its result is not cached`, {
      next: "Exclude the file from the task's inputs with a leading `!`.",
    });
  }
  return warning(
    "input-changed-during-run",
    `${shown} changed while ${resolved.label} ran; its result counts for this run and is not cached`,
    { next: "Run again. If the task itself writes the file, exclude it from its inputs with a leading `!`." },
  );
}

function storeFailed(resolved: ResolvedAction, cause: Problem): Problem {
  return warning("result-not-stored", `the result of ${resolved.label} could not be stored, so it is not cached`, {
    cause,
  });
}

function timeoutProblem(resolved: ResolvedAction): Problem {
  return problem("task-timed-out", `${resolved.label} did not end within its timeout of ${resolved.run.timeoutMs} ms`, {
    next: "Raise the task's `timeout`, or find out what it waits for.",
  });
}

function notReadyProblem({ label, run }: ResolvedAction): Problem {
  return problem("service-not-ready", `${label} was not ready within ${run.ready?.timeoutMs} ms`, {
    next: "Check the task's `ready` probe, or raise its `timeout`.",
  });
}

function notStarted(resolved: ResolvedAction, exit: Extract<ProcessExit, { kind: "not-started" }>): Problem {
  return problem(
    "command-not-started",
    `${resolved.label}: ${resolved.run.argv[0]} could not be started: ${exit.message}`,
    {
      facts: [
        ["in", resolved.run.cwd],
        ["error", exit.code],
      ],
      next: "Check that the program is installed and on the task's PATH.",
    },
  );
}
