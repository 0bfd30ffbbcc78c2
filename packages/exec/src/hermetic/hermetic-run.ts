/**
 * One hermetic run: stage → execute → collect.
 *
 * Owns:      the life of one exec root's process and why it ended.
 * Invariant: a command that was told to stop for its timeout has timed out, whatever came after.
 */
import {
  type Digest,
  type OutputSink,
  type Problem,
  type ProcessExit,
  type Property,
  problem,
  type RunningProcess,
} from "@kahn/core";
import { type CapturedStreams, captureStreams } from "../stream-capture.ts";
import { collectOutputs } from "./collect-outputs.ts";
import type { CheckedCommand } from "./command-check.ts";
import { type ExecRootPlan, type StagedInputs, stageExecRoot } from "./exec-root.ts";
import type {
  HermeticObserver,
  HermeticOutcome,
  HermeticPhase,
  HermeticRequest,
  HermeticRunnerOptions,
  HermeticTimings,
} from "./hermetic-action.ts";
import { CopiedInputs } from "./internal/copied-inputs.ts";
import { DiskWatch, diskLimit } from "./internal/disk-watch.ts";
import { LOG_MAX_BYTES, lastBytes } from "./internal/last-bytes.ts";
import { exitCodeOf, type LaunchFiles, launch, readUse, sandboxFailed } from "./launch.ts";
import type { Sandbox } from "./sandbox.ts";
import type { StagedTrees } from "./staged-trees.ts";
import { takeOutputs } from "./take-outputs.ts";
import { undeclaredWrites } from "./undeclared-writes.ts";

/** Everything that was decided before. */
export interface HermeticRunParts {
  readonly request: HermeticRequest;
  readonly command: CheckedCommand;
  readonly plan: ExecRootPlan;
  /** Absolute folder of this run alone; made here. */
  readonly folder: string;
  /** Both undefined: without a sandbox. */
  readonly sandbox: Sandbox | undefined;
  readonly trees: StagedTrees | undefined;
  readonly digest: (bytes: Uint8Array) => Digest;
  readonly hint: Digest;
  readonly observer: HermeticObserver;
  readonly startedAtMs: number;
}

type EndedBy = "itself" | "timeout" | "cancel" | "disk";
type RealExit = Exclude<ProcessExit, { kind: "not-started" }>;
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** One run; used once. */
export class HermeticRun {
  readonly #options: HermeticRunnerOptions;
  readonly #parts: HermeticRunParts;
  readonly #files: LaunchFiles;
  readonly #timings: Writable<Omit<HermeticTimings, "completedAtMs">>;
  #endedBy: EndedBy = "itself";
  #process: RunningProcess | undefined;
  #copies: CopiedInputs | undefined;

  constructor(options: HermeticRunnerOptions, parts: HermeticRunParts) {
    this.#options = options;
    this.#parts = parts;
    const { folder, startedAtMs } = parts;
    this.#files = { times: `${folder}/times`, arguments: `${folder}/arguments`, status: `${folder}/status` };
    this.#timings = { startedAtMs };
  }

  /** Ends the command. No effect on one that has ended. */
  cancel(): void {
    this.#end("cancel");
  }

  /** Runs it. `missing`: blobs of the inputs lack. @throws FileSystemError */
  async outcome(): Promise<HermeticOutcome | "missing"> {
    const { fs } = this.#options;
    const { plan, folder, trees } = this.#parts;
    fs.makeDirectory(this.#execRoot);
    fs.makeDirectory(`${folder}/tmp`);
    const staged = await stageExecRoot(plan, this.#execRoot, { ports: this.#options, trees });
    if (staged.kind === "missing") return "missing";
    if (staged.kind === "errored") return staged;
    let exit: ProcessExit;
    const { copies } = staged.inputs;
    this.#copies = copies.length === 0 ? undefined : new CopiedInputs(fs, this.#execRoot, copies);
    try {
      this.#timings.inputsReadyAtMs = this.#options.clock.nowMs();
      if (this.#isCancelled()) return { kind: "cancelled" };
      exit = await this.#execute(staged.inputs);
    } finally {
      staged.inputs.release();
    }
    return await this.#settle(exit);
  }

  get #execRoot(): string {
    return `${this.#parts.folder}/root`;
  }

  get #hasNetwork(): boolean {
    const { sandbox, request } = this.#parts;
    return sandbox?.allowsNetwork(request.network ?? false) === true;
  }

  /** A method, so that no reader takes the answer for a constant: it changes while others are awaited. */
  #isCancelled(): boolean {
    return this.#endedBy === "cancel";
  }

  #end(reason: EndedBy): void {
    if (this.#endedBy === "itself") this.#endedBy = reason;
    // What fills the disk is not asked.
    this.#process?.end(reason === "disk" ? "kill" : "term");
  }

  async #execute(inputs: StagedInputs): Promise<ProcessExit> {
    const { clock, fs, processes, graceMs = 1000 } = this.#options;
    const { request, plan, sandbox, folder, observer } = this.#parts;
    const command = { ...this.#parts.command, environment: this.#environment() };
    if (sandbox !== undefined) {
      const spec = {
        execRoot: this.#execRoot,
        temporary: `${folder}/tmp`,
        mounts: inputs.mounts,
        workingDirectory: plan.workingDirectory,
        environment: command.environment,
        network: this.#hasNetwork,
      };
      fs.writeFile(this.#files.arguments, sandbox.arguments(spec), { mode: 0o600 });
    }
    this.#timings.executionStartedAtMs = this.#enter("executing");
    const startedMs = clock.monotonicMs();
    const { workingDirectory } = plan;
    // A sandbox holds whatever is in it.
    const mark = sandbox === undefined ? processes.newMark?.() : undefined;
    const running = processes.start({
      ...launch({
        command,
        files: this.#files,
        sandbox: sandbox?.program,
        mark,
        cwd: workingDirectory === "" ? this.#execRoot : `${this.#execRoot}/${workingDirectory}`,
      }),
      stdout: this.#sink("stdout"),
      stderr: this.#sink("stderr"),
      graceMs,
      label: request.label,
      ...(mark === undefined ? {} : { strays: { mark: mark.number, folder } }),
    });
    this.#process = running;
    observer.started?.(running.pid === 0 ? undefined : running.pid);
    const { timeoutMs } = request;
    const timer = timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, () => this.#end("timeout"));
    const watch = this.#watchDisk(inputs);
    const exit = await running.ended;
    timer?.cancel();
    watch?.stop();
    this.#timings.executionCompletedAtMs = clock.nowMs();
    this.#timings.executionMs = clock.monotonicMs() - startedMs;
    return exit;
  }

  #watchDisk({ bytes }: StagedInputs): DiskWatch | undefined {
    const { fs, clock, diskMaxBytes } = this.#options;
    if (diskMaxBytes === undefined) return undefined;
    const { folder } = this.#parts;
    const bounds = { maxBytes: diskMaxBytes, inputBytes: () => bytes };
    return new DiskWatch({ fs, clock, folder, ...bounds, exceeded: () => this.#end("disk") });
  }

  /** As given, and what is provided for those who have no home. */
  #environment(): readonly Property[] {
    const { environment } = this.#parts.command;
    if (this.#options.providesHome !== true) return environment;
    const temporary = `${this.#parts.folder}/tmp`;
    this.#options.fs.makeDirectory(`${temporary}/home`);
    const inside = this.#parts.sandbox === undefined ? temporary : "/tmp";
    const provided = [
      { name: "HOME", value: `${inside}/home` },
      { name: "TMPDIR", value: inside },
    ];
    return [...environment, ...provided.filter(({ name }) => environment.every((each) => each.name !== name))];
  }

  #sink(stream: "stdout" | "stderr"): OutputSink {
    const path = `${this.#parts.folder}/s.${stream}`;
    const { observer } = this.#parts;
    if (observer.output === undefined) return { kind: "file", path };
    return { kind: "tee", path, onBytes: (bytes) => observer.output?.(stream, bytes) };
  }

  async #settle(exit: ProcessExit): Promise<HermeticOutcome> {
    const { fs } = this.#options;
    const endedBy = this.#endedBy;
    if (exit.kind === "not-started") {
      if (endedBy === "cancel") return { kind: "cancelled" };
      return notStarted(this.#parts.request, exit);
    }
    if (endedBy === "cancel") return { kind: "cancelled", streams: (await this.#streams(false)).fields };
    if (endedBy === "timeout") {
      const streams = await this.#streams(true);
      return {
        kind: "timed-out",
        problem: timedOut(this.#parts.request),
        timings: this.#completedTimings(),
        use: readUse(fs, this.#files),
        streams: streams.fields,
      };
    }
    if (endedBy === "disk") {
      const problem = diskLimit(this.#parts.request, this.#options.diskMaxBytes ?? 0);
      return { kind: "invalid", problem, streams: (await this.#streams(true)).fields };
    }
    if (this.#parts.sandbox !== undefined && sandboxFailed(fs, this.#files)) return this.#sandboxBroken(exit);
    return await this.#publish(exit);
  }

  async #publish(exit: RealExit): Promise<HermeticOutcome> {
    const { absoluteSymlinks, worker = "local" } = this.#options;
    const { command, plan, sandbox, digest, hint } = this.#parts;
    this.#timings.outputsStartedAtMs = this.#enter("storing-outputs");
    const streams = await this.#streams(true);
    const wanted = { command, tree: plan.tree, digest, hint, allowAbsoluteSymlinks: absoluteSymlinks !== "refused" };
    // By the network (abstract sockets) a command may have handed its directories and files to one that still runs.
    const collected = this.#hasNetwork
      ? await takeOutputs(this.#options, {
          ...{ ...wanted, root: this.#execRoot, place: "", into: `${this.#parts.folder}/taken`, quiet: false },
        })
      : await collectOutputs(this.#options, { ...wanted, execRoot: this.#execRoot, quiet: sandbox !== undefined });
    if (collected.kind === "invalid") return { ...collected, streams: streams.fields };
    if (collected.kind === "errored") return collected;
    if (streams.problem !== undefined) return { kind: "errored", problem: streams.problem };
    const changed = exitCodeOf(exit) === 0 ? this.#changedInputs() : [];
    if (changed.length > 0) return { ...inputChanged(this.#parts.request, changed), streams: streams.fields };
    const undeclared = undeclaredWrites(this.#options.fs, { execRoot: this.#execRoot, tree: plan.tree, command });
    const timings = this.#completedTimings();
    const { executionStartedAtMs, executionCompletedAtMs } = timings;
    return {
      kind: "completed",
      result: {
        ...collected.outputs,
        exitCode: exitCodeOf(exit),
        ...streams.fields,
        metadata: {
          worker,
          ...(executionStartedAtMs === undefined ? {} : { executionStartedAtMs }),
          ...(executionCompletedAtMs === undefined ? {} : { executionCompletedAtMs }),
        },
      },
      timings,
      use: readUse(this.#options.fs, this.#files),
      sandbox: sandbox === undefined ? "none" : "bubblewrap",
      ...(undeclared.length === 0 ? {} : { undeclared }),
    };
  }

  /** Relative to the exec root. */
  #changedInputs(): string[] {
    const { executionStartedAtMs = 0 } = this.#timings;
    const changed = this.#copies?.changed(executionStartedAtMs, this.#parts.digest) ?? [];
    return changed.map((path) => path.slice(this.#execRoot.length + 1));
  }

  #streams(publishable: boolean): Promise<CapturedStreams> {
    const { fs, blobs, inlineMaxBytes } = this.#options;
    return captureStreams({
      fs,
      blobs,
      prefix: `${this.#parts.folder}/s`,
      publishable,
      hint: this.#parts.hint,
      ...(inlineMaxBytes === undefined ? {} : { inlineMaxBytes }),
    });
  }

  #enter(phase: HermeticPhase): number {
    const atMs = this.#options.clock.nowMs();
    this.#parts.observer.phase?.(phase, atMs);
    return atMs;
  }

  #completedTimings(): HermeticTimings {
    return { ...this.#timings, completedAtMs: this.#options.clock.nowMs() };
  }

  /** Bubblewrap did not get so far as to run the command, or somebody killed it. */
  #sandboxBroken(exit: RealExit): HermeticOutcome {
    const { fs } = this.#options;
    const text = lastBytes(fs, `${this.#parts.folder}/s.stderr`, LOG_MAX_BYTES);
    const said = Buffer.from(text).toString().trim();
    const how = exit.kind === "exited" ? `exit code ${exit.exitCode}` : exit.signal;
    const message = `the sandbox of ${this.#parts.request.label} broke down (${how}): ${said.slice(-300)}`;
    return {
      kind: "errored",
      ...(text.byteLength === 0 ? {} : { log: { of: "sandbox", text } }),
      problem: problem("sandbox-failed", message, { next: "Run it again; if it happens again, see the words above." }),
    };
  }
}

function timedOut({ label, timeoutMs }: HermeticRequest): Problem<"action-timed-out"> {
  return problem("action-timed-out", `${label} did not end within its timeout of ${timeoutMs} ms`, {
    next: "Raise the action's timeout, or find out what it waits for.",
  });
}

function inputChanged({ label }: HermeticRequest, paths: readonly string[]) {
  const message = `${label} wrote its own inputs: ${paths.join(", ")}`;
  const next = "Have it write a copy, or declare them as its outputs.";
  return { kind: "invalid", problem: problem("input-changed", message, { next }) } as const;
}

function notStarted(request: HermeticRequest, exit: Extract<ProcessExit, { kind: "not-started" }>): HermeticOutcome {
  const message = `${request.label} could not be started: ${exit.message}`;
  if (exit.code === "E2BIG") {
    const next = "Shorten its arguments and variables; most tools read a parameter file.";
    return { kind: "invalid", problem: problem("command-invalid", message, { next }) };
  }
  return { kind: "errored", problem: problem("command-not-started", message, { facts: [["error", exit.code]] }) };
}
