/**
 * Runs actions on a REAPI server, each with nothing but its inputs; when asked, here as well, and the first success counts.
 *
 * Owns:      what becomes of an answer: outputs into the workspace, streams, warnings; going on here when the server is
 *            gone, or has lost what it made.
 * Never:     sends what must run here: services, what needs the terminal, and tasks that are not cached, whose inputs
 *            and outputs nobody declared.
 * Invariant: every blob that a returned result names is in the store, unless the result is unpublishable; what comes into
 *            the workspace is one result, whole, and of a race that of the winner.
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
  type RanAt,
  type ResolvedAction,
  warning,
} from "@kahn/core";
import { actionMessages, adoptOutputs, type HermeticRunner, outputsDigest } from "@kahn/exec";
import type { RemoteServer } from "../calls/remote-server.ts";
import { hermeticForm, unlistedInputs } from "../hermetic/hermetic-form.ts";
import { HermeticHere } from "../hermetic/hermetic-here.ts";
import { NOT_FOUND_EXIT_CODE, notFoundHint } from "../hermetic/program-path.ts";
import { isSuccess, type Ran, race, type Side } from "../hermetic/ran.ts";
import { InputUploads } from "./input-uploads.ts";
import { LiveOutput } from "./live-output.ts";
import { ServerRun } from "./server-run.ts";

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
  /** True when results that the server has will not do. Default: false. */
  readonly skipCacheLookup?: boolean;
  /** Given: each action also runs here, in a scratch tree, as far as `slots` allow; output then comes at the end. */
  readonly race?: { readonly runner: HermeticRunner; readonly slots: number };
  /** Told once when the server is gone, and once when a race's sides disagree. */
  readonly onWarning: (problem: Problem<"remote-exec-down" | "race-sides-differ">) => void;
}

/** How long everything runs here after the server was gone. */
const DOWN_MS = 60_000;

/** Makes the executor of a server. */
export function remoteExecutor(options: RemoteExecutorOptions): ActionExecutor {
  const { server, fs, blobs } = options;
  const shared: Shared = {
    ...options,
    uploads: new InputUploads(server, fs),
    here: options.race && new HermeticHere({ ...options.race, blobs }),
    downUntilMs: Number.NEGATIVE_INFINITY,
    told: new Set(),
  };
  return {
    execute(request, observer) {
      const isDown = server.clock.monotonicMs() < shared.downUntilMs;
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
  readonly here: HermeticHere | undefined;
  readonly told: Set<string>;
  downUntilMs: number;
}

/** A run, and where it took place. */
interface RanSomewhere {
  readonly ran: Ran;
  readonly at: RanAt;
}

interface Raced {
  readonly there: Side;
  readonly here: Side;
  readonly action: Digest;
}

class RemoteExecution {
  readonly #shared: Shared;
  readonly #request: ExecuteRequest;
  readonly #observer: ExecuteObserver;
  readonly #output: LiveOutput | undefined;
  readonly #form: ResolvedAction;
  #cancel: ((how: "term" | "kill") => void) | undefined;
  #isCancelled = false;
  #hasStarted = false;

  constructor(shared: Shared, request: ExecuteRequest, observer: ExecuteObserver) {
    this.#shared = shared;
    this.#request = request;
    this.#observer = observer;
    this.#form = hermeticForm(request.resolved, request.reachableOutputs?.() ?? []);
    const onOutput = observer.output.bind(observer);
    this.#output = shared.live ? new LiveOutput(shared.server, onOutput) : undefined;
  }

  cancel(how: "term" | "kill"): void {
    this.#isCancelled = true;
    this.#cancel?.(how);
  }

  async run(): Promise<ExecuteOutcome> {
    try {
      // Again after a failure: an answer from the server's cache would be the same.
      const mayBeCached = this.#request.attempt === 1 && this.#shared.skipCacheLookup !== true;
      const first = await this.#conclude(await this.#start(mayBeCached));
      if (first !== "lost") return first;
      // Recorded there and not whole any more, or gone in between: made anew.
      const second = await this.#conclude(await this.#start(false));
      return second === "lost" ? await this.#fallBack(this.#lost()) : second;
    } finally {
      this.#output?.close();
    }
  }

  async #start(mayBeCached: boolean): Promise<RanSomewhere> {
    const { server, uploads, here } = this.#shared;
    if (this.#isCancelled) return { ran: { kind: "cancelled" }, at: { where: server.name } };
    const form = this.#form;
    const messages = actionMessages(form, []);
    const onStarted = () => this.#started();
    const run = new ServerRun(server, uploads, {
      ...{ form, messages, onStarted },
      skipCacheLookup: !mayBeCached,
      onProgress: (metadata) => (here === undefined ? this.#output?.follow(metadata) : undefined),
    });
    const there: Side = { ran: run.run(), cancel: () => run.cancel() };
    const action = digestOf(messages.action);
    const beside = here?.start({ form, messages, onStarted });
    this.#cancel = () => {
      there.cancel();
      beside?.cancel();
    };
    return await (beside === undefined ? this.#alone(there, action) : this.#raced({ there, here: beside, action }));
  }

  #started(): void {
    if (!this.#hasStarted) this.#observer.started(undefined);
    this.#hasStarted = true;
  }

  async #alone(there: Side, action: Digest): Promise<RanSomewhere> {
    const ran = await there.ran;
    const isCached = ran.kind === "completed" && ran.isCached;
    return { ran, at: { where: this.#shared.server.name, action, ...(isCached ? { cached: true } : {}) } };
  }

  async #raced({ there, here, action }: Raced): Promise<RanSomewhere> {
    const { name } = this.#shared.server;
    const { winner, ran, other } = await race({ there, here });
    const serverRan = winner === "there" ? ran : other;
    if (serverRan.kind === "down") {
      // What runs here in the workspace sees more: only a success needs nothing more.
      if (!isSuccess(ran)) return { ran: serverRan, at: { where: name } };
      this.#tellDown(serverRan.problem);
    }
    const isCached = ran.kind === "completed" && ran.isCached;
    if (isSuccess(ran) && other.kind === "completed") this.#tellDifference(winner, other.result.exitCode);
    const [where, before] = winner === "there" ? [name, HERE] : [HERE, name];
    return {
      ran,
      at: { where, before, ...(serverRan.kind === "down" ? {} : { action }), ...(isCached ? { cached: true } : {}) },
    };
  }

  async #conclude({ ran, at }: RanSomewhere): Promise<ExecuteOutcome | "lost"> {
    if (this.#isCancelled) return { kind: "cancelled" };
    switch (ran.kind) {
      case "cancelled":
      case "errored":
        return ran;
      case "down":
        return this.#fallBack(ran.problem);
      case "timed-out":
        return this.#timedOut(ran);
      case "completed":
        return ran.result.exitCode === 0 ? this.#succeeded(ran, at) : this.#commandFailed(ran, at);
    }
  }

  async #commandFailed({ result, durationMs }: Completed, at: RanAt): Promise<ExecuteOutcome> {
    const streams = await this.#streams(result, "raw");
    const { arguments: words } = this.#request.resolved.command;
    const text = [...words, Buffer.from(streams.stderrRaw ?? []).toString()].join(" ");
    const hint = this.#hint(result.exitCode, text);
    const bare: ActionResult = { ...NO_OUTPUTS, exitCode: result.exitCode, ...streams, metadata: result.metadata };
    return {
      kind: "completed",
      result: bare,
      outputs: outputsDigest(bare),
      outputPaths: [],
      missingRoots: [],
      durationMs,
      ran: at,
      ...(hint === undefined ? {} : { hint }),
    };
  }

  /** What to do about a command that failed. @param text what it was to run, and what it said. */
  #hint(exitCode: number, text: string): string | undefined {
    const { fs } = this.#shared;
    const unlisted = unlistedInputs(fs, this.#form, text);
    if (unlisted.length > 0) return unlistedHint(unlisted);
    return exitCode === NOT_FOUND_EXIT_CODE ? notFoundHint(fs, this.#form, text) : undefined;
  }

  async #succeeded({ result, durationMs, undeclared: left }: Completed, at: RanAt): Promise<ExecuteOutcome | "lost"> {
    const { resolved } = this.#request;
    const adopted = await adoptOutputs(this.#shared, resolved, result);
    if (!adopted.ok) {
      return adopted.problem.code === "remote-output-lost" ? "lost" : { kind: "errored", problem: adopted.problem };
    }
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
    const undeclared = [...dropped, ...left];
    const changed = resolved.changedInputs();
    return {
      kind: "completed",
      result: whole,
      outputs: outputsDigest(whole),
      outputPaths: entries.filter(({ kind }) => kind !== "directory").map(({ path }) => path),
      outputEntries: entries,
      missingRoots,
      durationMs,
      ran: at,
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

  async #timedOut({ result, durationMs }: Extract<Ran, { kind: "timed-out" }>): Promise<ExecuteOutcome> {
    const { label, run } = this.#request.resolved;
    const limit = run.timeoutMs === undefined ? "the server's timeout" : `its timeout of ${run.timeoutMs} ms`;
    const streams = result === undefined ? {} : await this.#streams(result, "raw");
    const next = "Raise the task's `timeout`, or find out what it waits for.";
    const why = problem("task-timed-out", `${label} did not end within ${limit}`, { next });
    return { kind: "timed-out", problem: why, durationMs, streams };
  }

  /** The server is gone: this action and the next ones run here. */
  #fallBack(cause: Problem): Promise<ExecuteOutcome> {
    this.#tellDown(cause);
    this.#output?.close();
    const here: Execution = this.#shared.local.execute(this.#request, this.#observer);
    this.#cancel = (how) => here.cancel(how);
    return here.outcome;
  }

  #tellDown(cause: Problem): void {
    const { server } = this.#shared;
    this.#shared.downUntilMs = server.clock.monotonicMs() + DOWN_MS;
    const next = "Check its address and your network. What ran here saw the whole workspace.";
    this.#tellOnce(warning("remote-exec-down", `${server.name} is gone; tasks run here`, { cause, next }));
  }

  #tellDifference(winner: "here" | "there", exitCode: number): void {
    const { name } = this.#shared.server;
    const [failed, succeeded] = winner === "there" ? ["here", `on ${name}`] : [`on ${name}`, "here"];
    const { label } = this.#request.resolved;
    const message = `${label} exited with code ${exitCode} ${failed} and succeeded ${succeeded}, which counts`;
    const next = "The programs of the two differ, or the task is not deterministic. Other tasks may differ, too.";
    this.#tellOnce(warning("race-sides-differ", message, { next }));
  }

  #tellOnce(told: Problem<"remote-exec-down" | "race-sides-differ">): void {
    if (this.#shared.told.has(told.code)) return;
    this.#shared.told.add(told.code);
    this.#shared.onWarning(told);
  }

  #lost(): Problem {
    const { server } = this.#shared;
    const message = `${server.name} ran ${this.#request.resolved.label} twice and has not kept what it made`;
    return problem("remote-output-lost", message, { next: "Check its log, and whether its store is large enough." });
  }
}

type Completed = Extract<Ran, { kind: "completed" }>;
type Streams = Pick<ActionResult, "stdout" | "stdoutRaw" | "stderr" | "stderrRaw">;

/** In reports, the side that is this machine. */
const HERE = "here";
const NO_OUTPUTS = { outputFiles: [], outputDirectories: [], outputSymlinks: [] } as const;

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
