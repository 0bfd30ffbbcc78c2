/**
 * One piece of work on one worker: inputs into its folder, a request, the answer, outputs out of it.
 *
 * Invariant: a worker that may still work on something that nobody waits for is not used again.
 */
import {
  type Digest,
  digestHash,
  digestSizeBytes,
  FileSystemError,
  type Problem,
  problem,
  type Result,
  type StoreProblem,
  type Timer,
} from "@kahn/core";
import type { CheckedCommand } from "../command-check.ts";
import type { ExecRootPlan } from "../exec-root.ts";
import type { HermeticObserver, HermeticOutcome, HermeticTimings, RunLog, SandboxLevel } from "../hermetic-action.ts";
import { DiskWatch, diskLimit, plantedBytes } from "../internal/disk-watch.ts";
import { HeldFolder, splitPlace } from "../internal/held-folder.ts";
import type { PlantingPorts } from "../internal/planting.ts";
import { takeOutputs } from "../take-outputs.ts";
import type { PersistentRequest, PersistentRunnerOptions } from "./persistent-action.ts";
import type { PersistentWorker, WorkEnd } from "./persistent-worker.ts";
import { inputFiles, WorkFolder } from "./work-folder.ts";
import type { PooledWorker } from "./worker-pool.ts";
import type { WorkResponse } from "./worker-protocol.ts";

/** A worker with its folder, as the pool holds it. */
export class WorkerSeat implements PooledWorker {
  readonly worker: PersistentWorker;
  /** True: each piece of work has a directory of its own below the worker's. */
  readonly isShared: boolean;
  readonly folder: WorkFolder;
  /** Of the pieces of work that it has now, at most, on the disk. */
  inputBytes = 0;
  #ready: Promise<string | undefined> | undefined;
  #last = 0;

  constructor(ports: PlantingPorts, worker: PersistentWorker, { isShared }: { readonly isShared: boolean }) {
    this.worker = worker;
    this.isShared = isShared;
    this.folder = new WorkFolder(ports, { root: worker.root, place: "", fresh: `${worker.privateFolder}/fresh` });
  }

  get isUsable(): boolean {
    return this.worker.isUsable;
  }

  /** Makes its folder, fills it by `fill`, and starts it; once. @returns why it could not. @throws FileSystemError */
  ready(fill: () => Promise<string | undefined>): Promise<string | undefined> {
    this.#ready ??= this.#start(fill);
    return this.#ready;
  }

  /** An id for one more piece of work; 0 where there is only ever one. */
  nextId(): number {
    return this.isShared ? ++this.#last : 0;
  }

  end(how: "term" | "kill"): Promise<void> {
    return this.worker.end(how);
  }

  async #start(fill: () => Promise<string | undefined>): Promise<string | undefined> {
    const refused = (await this.worker.prepare()) ?? (await fill());
    if (refused === undefined) this.worker.start();
    return refused;
  }
}

/** An action, judged and ready to be given to a worker. */
export interface PieceOfWork {
  readonly request: PersistentRequest;
  readonly observer: HermeticObserver;
  readonly startedAtMs: number;
  readonly command: CheckedCommand;
  readonly plan: ExecRootPlan;
  readonly arguments: readonly string[];
  readonly level: SandboxLevel;
  readonly digest: (bytes: Uint8Array) => Digest;
  readonly hint: Digest;
  /** All input files that the store has not. */
  readonly missing: () => Promise<Result<readonly Digest[], StoreProblem>>;
}

/** How it went; `retire` says that the worker must not be used again. */
export type WorkerRunEnd =
  | { readonly kind: "outcome"; readonly outcome: HermeticOutcome; readonly retire: boolean }
  | { readonly kind: "died"; readonly said: Uint8Array; readonly retire: true };

type Stopped = "timeout" | "cancel" | "disk" | undefined;

/** One attempt; used once. */
export class WorkerRun {
  readonly #options: PersistentRunnerOptions;
  readonly #seat: WorkerSeat;
  readonly #piece: PieceOfWork;
  readonly #id: number;
  /** Relative to the worker's root; empty for that itself. */
  readonly #place: string;
  #stopped: Stopped;
  #graceTimer: Timer | undefined;

  constructor(options: PersistentRunnerOptions, seat: WorkerSeat, piece: PieceOfWork) {
    this.#options = options;
    this.#seat = seat;
    this.#piece = piece;
    this.#id = seat.nextId();
    this.#place = seat.isShared ? `__sandbox/${this.#id}` : "";
  }

  /** Runs it. @throws FileSystemError */
  async outcome(signal?: AbortSignal): Promise<WorkerRunEnd> {
    const { clock } = this.#options;
    const staged = await this.#stage();
    if (staged !== undefined) return staged;
    const inputsReadyAtMs = clock.nowMs();
    const startedMs = clock.monotonicMs();
    const isBounded = this.#options.diskMaxBytes !== undefined;
    const inputs = isBounded ? inputFiles(this.#piece.plan.tree) : [];
    const inputBytes = plantedBytes(inputs.map(({ digest }) => digestSizeBytes(digest)));
    this.#seat.inputBytes += inputBytes;
    const end = await this.#ask(signal);
    this.#seat.inputBytes -= inputBytes;
    const executionCompletedAtMs = clock.nowMs();
    const timings = {
      ...{ startedAtMs: this.#piece.startedAtMs, inputsReadyAtMs, executionStartedAtMs: inputsReadyAtMs },
      ...{ executionCompletedAtMs, outputsStartedAtMs: executionCompletedAtMs },
      executionMs: clock.monotonicMs() - startedMs,
    };
    try {
      return await this.#settle(end, timings);
    } finally {
      if (this.#place !== "") this.#removePlace();
    }
  }

  /** Of this piece of work alone, out of the worker's reach. */
  get #private(): string {
    return `${this.#seat.worker.privateFolder}/${this.#id}`;
  }

  #removePlace(): void {
    const { fs } = this.#options;
    const held = new HeldFolder(fs, this.#seat.worker.root);
    try {
      const { parent, name } = splitPlace(this.#place);
      held.within(parent, (path) => fs.removeTree(`${path}/${name}`));
    } catch (error) {
      // The worker still writes there; it goes with the worker.
      if (!(error instanceof FileSystemError)) throw error;
    } finally {
      held.close();
    }
  }

  async #stage(): Promise<WorkerRunEnd | undefined> {
    const { plan } = this.#piece;
    let lacking: Result<Set<Digest>, StoreProblem> | undefined;
    const hold = async (folder: WorkFolder) => {
      lacking = await folder.hold(plan.tree, plan.open);
      return lacking.ok && lacking.value.size === 0 ? undefined : "inputs";
    };
    // Tools must be there before the worker starts; with a folder for all work they are, with its first inputs.
    const refused = await this.#seat.ready(() => hold(this.#seat.folder));
    if (refused === undefined) {
      const where = { root: this.#seat.worker.root, place: this.#place, fresh: `${this.#private}-fresh` };
      const folder = this.#seat.isShared ? new WorkFolder(this.#options, where) : this.#seat.folder;
      if ((await hold(folder)) === undefined) return undefined;
    } else if (refused !== "inputs") return this.#end({ kind: "errored", problem: notPrepared(refused) }, true);
    if (lacking?.ok === false) return this.#end({ kind: "errored", problem: lacking.problem }, refused !== undefined);
    const missing = await this.#piece.missing();
    if (!missing.ok) return this.#end({ kind: "errored", problem: missing.problem }, refused !== undefined);
    // Those that lacked were another action's, which filled the folder first, or are back: once more.
    if (missing.value.length === 0)
      return { kind: "died", said: Buffer.from("inputs lacked at its start"), retire: true };
    return this.#end({ kind: "missing-blobs", digests: missing.value }, refused !== undefined);
  }

  #end(outcome: HermeticOutcome, retire: boolean): WorkerRunEnd {
    return { kind: "outcome", outcome, retire };
  }

  async #ask(signal: AbortSignal | undefined): Promise<WorkEnd> {
    const { clock } = this.#options;
    const { request, observer, plan, arguments: argv } = this.#piece;
    observer.phase?.("executing", clock.nowMs());
    observer.started?.(this.#seat.worker.pid === 0 ? undefined : this.#seat.worker.pid);
    const inputs = inputFiles(plan.tree).map(({ path, digest }) => ({
      path: this.#place === "" ? path : `${this.#place}/${path}`,
      digest: Buffer.from(digestHash(digest)),
    }));
    const answer = this.#seat.worker.work({
      ...{ arguments: argv, inputs, requestId: this.#id, cancel: false, sandboxDir: this.#place },
    });
    const stop = (why: Stopped) => this.#stop(why);
    const abort = () => stop("cancel");
    const { timeoutMs } = request;
    const timer = timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, () => stop("timeout"));
    signal?.addEventListener("abort", abort);
    if (signal?.aborted === true) abort();
    const watch = this.#watchDisk();
    const end = await answer;
    watch?.stop();
    signal?.removeEventListener("abort", abort);
    timer?.cancel();
    this.#graceTimer?.cancel();
    return end;
  }

  /** The worker's folder as a whole: what earlier pieces of work left there is its own, too. */
  #watchDisk(): DiskWatch | undefined {
    const { fs, clock, diskMaxBytes } = this.#options;
    if (diskMaxBytes === undefined) return undefined;
    const { worker } = this.#seat;
    return new DiskWatch({
      ...{ fs, clock, folder: worker.folder, exceeded: () => this.#stop("disk") },
      maxBytes: diskMaxBytes,
      inputBytes: () => this.#seat.inputBytes,
    });
  }

  /** Asks it to stop, where it can hear that; then, or if it does not in time, ends it. */
  #stop(why: Stopped): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = why;
    const { worker } = this.#seat;
    const { clock, graceMs = 1000 } = this.#options;
    if (why === "disk" || this.#piece.request.worker.canCancel !== true) {
      void worker.end("kill");
      return;
    }
    worker.cancel(this.#id);
    this.#graceTimer = clock.setTimer(graceMs, () => void worker.end("kill"));
  }

  async #settle(end: WorkEnd, timings: Omit<HermeticTimings, "completedAtMs">): Promise<WorkerRunEnd> {
    const { request } = this.#piece;
    const retire = end.kind !== "answered";
    if (this.#stopped === "cancel") return this.#end({ kind: "cancelled" }, retire);
    if (this.#stopped === "disk") {
      const problem = diskLimit(request, this.#options.diskMaxBytes ?? 0);
      return this.#end({ kind: "invalid", problem }, true);
    }
    if (this.#stopped === "timeout") {
      const message = `${request.label} did not end within its timeout of ${request.timeoutMs} ms`;
      const next = "Raise the action's timeout, or find out what its persistent worker waits for.";
      const timedOut = problem("action-timed-out", message, { next });
      const completedAtMs = this.#options.clock.nowMs();
      const outcome = {
        kind: "timed-out",
        problem: timedOut,
        timings: { ...timings, completedAtMs },
        use: {},
      } as const;
      return this.#end({ ...outcome, ...logOf(this.#said(end)), streams: {} }, retire);
    }
    switch (end.kind) {
      case "garbled":
        return this.#end({ kind: "errored", problem: end.problem, ...logOf(this.#said(end)) }, true);
      case "died":
        return { ...end, retire: true };
      case "answered":
        return this.#end(await this.#publish(end.response, timings), false);
    }
  }

  async #publish(response: WorkResponse, timings: Omit<HermeticTimings, "completedAtMs">): Promise<HermeticOutcome> {
    const { absoluteSymlinks, worker = "local", clock } = this.#options;
    const { command, plan, digest, hint, observer } = this.#piece;
    observer.phase?.("storing-outputs", clock.nowMs());
    const output = Buffer.from(response.output);
    if (output.byteLength > 0) observer.output?.("stderr", output);
    const collected = await takeOutputs(this.#options, {
      ...{ root: this.#seat.worker.root, place: this.#place, into: `${this.#private}-taken` },
      ...{ command, tree: plan.tree, digest, hint },
      quiet: false,
      allowAbsoluteSymlinks: absoluteSymlinks !== "refused",
    });
    if (collected.kind !== "collected") return collected;
    const said = await this.#storeOutput(output);
    if (!said.ok) return { kind: "errored", problem: said.problem };
    const { executionStartedAtMs = 0, executionCompletedAtMs = 0 } = timings;
    return {
      kind: "completed",
      result: {
        ...collected.outputs,
        exitCode: response.exitCode,
        ...said.value,
        metadata: { worker, executionStartedAtMs, executionCompletedAtMs },
      },
      timings: { ...timings, completedAtMs: clock.nowMs() },
      use: {},
      sandbox: this.#piece.level,
      ...(response.exitCode === 0 ? {} : logOf(this.#seat.worker.said())),
    };
  }

  #said(end: WorkEnd): Uint8Array {
    return end.kind === "died" ? end.said : this.#seat.worker.said();
  }

  async #storeOutput(output: Uint8Array): Promise<Result<{ stderr?: Digest; stderrRaw?: Uint8Array }, StoreProblem>> {
    const { blobs, inlineMaxBytes = 4096 } = this.#options;
    if (output.byteLength === 0) return { ok: true, value: {} };
    if (output.byteLength <= inlineMaxBytes) return { ok: true, value: { stderrRaw: output } };
    const stderr = this.#piece.digest(output);
    const written = await blobs.write(stderr, output);
    return written.ok ? { ok: true, value: { stderr } } : written;
  }
}

/** Nothing where a worker said nothing. */
export function logOf(said: Uint8Array): { readonly log?: RunLog } {
  return said.byteLength === 0 ? {} : { log: { of: "worker", text: said } };
}

function notPrepared(reason: string): Problem<"exec-root-failed"> {
  return problem("exec-root-failed", `the folder of a persistent worker could not be made: ${reason}`, {
    next: "Check the free space, the inodes and the rights of the runner's folder.",
  });
}
