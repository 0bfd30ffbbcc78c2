/**
 * The work of one job: holding its inputs, running it, storing its result, and letting go of all of it.
 *
 * Owns:      pins, logs, the run's progress as clients see it, and what is cached: exit code 0, unless failures are.
 * Never:     decides when; the machine does, through the pool.
 * Invariant: nothing here rejects: every trouble becomes an answer; after `release` nothing is held.
 */
import { namedDigests } from "@kahn/cas";
import type { ActionResult, Digest } from "@kahn/core";
import { problem } from "@kahn/core";
import type { HermeticObserver } from "@kahn/exec";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import type { Init } from "../../proto/codec.ts";
import { actionResultMessage, timestampMessage } from "../../proto/core-messages.ts";
import type { ExecutedActionMetadata } from "../../proto/generated/remote-execution.ts";
import { ActionResult as ActionResultCodec } from "../../proto/generated/remote-execution.ts";
import { inlinedOf } from "../../reapi/actions/action-cache.ts";
import { withInlined } from "../../reapi/actions/inlining.ts";
import { missingBlobs } from "../../reapi/requests/refusal.ts";
import type { ServiceContext } from "../../reapi/requests/service-context.ts";
import type { LogStream, LogStreams } from "../../reapi/streams/log-streams.ts";
import type { ActionScope, Pin } from "../../store/server-store.ts";
import type { PreparedAction } from "../actions/action-request.ts";
import type { RunOutcome, WorkerOffer } from "../actions/action-runner.ts";
import type { InputClosures } from "../actions/input-closure.ts";
import type { ExecutionListener, RunEnd } from "../machine/execution-listener.ts";
import type { Outcome } from "../machine/operation-state.ts";
import { refused, runRefusal, type ServerLogs, succeeded } from "../results/execute-response.ts";
import { resultMessage, runMetadata } from "../results/result-message.ts";
import { logTexts, storeLogs } from "../results/server-logs.ts";

/** What a client wants to have in its answer. */
export interface InlineWishes {
  readonly inlineStdout: boolean;
  readonly inlineStderr: boolean;
  readonly inlineOutputFiles: readonly string[];
}

/** What a name among wishes costs besides its characters, in characters. */
export const NAME_COST = 32;

/** What all jobs share. */
export interface WorkPlace {
  readonly context: ServiceContext;
  readonly closures: InputClosures;
  readonly logs: LogStreams | undefined;
  /** Results with another exit code than 0 are cached too. */
  readonly cacheFailures: boolean;
  readonly listener: ExecutionListener;
  /** Told what broke that is a bug, and what could not be stored. */
  readonly onFault: (error: unknown) => void;
}

type Metadata = Init<ExecutedActionMetadata>;
type Finished = Extract<RunOutcome, { readonly kind: "completed" | "timed-out" }>;

/** One job. */
export class JobWork {
  readonly #place: WorkPlace;
  readonly #prepared: PreparedAction;
  readonly #scope: ActionScope;
  readonly #action: Digest;
  readonly #runs = new Map<number, AbortController>();
  readonly #pins: Pin[] = [];
  #isReleased = false;
  #queuedAtMs = 0;
  #logs: { readonly stdout: LogStream; readonly stderr: LogStream } | undefined;
  /** When it came into the queue and how far it is. */
  metadata: Metadata = {};

  constructor(
    place: WorkPlace,
    of: { readonly prepared: PreparedAction; readonly scope: ActionScope; readonly action: Digest },
  ) {
    this.#place = place;
    this.#prepared = of.prepared;
    this.#scope = of.scope;
    this.#action = of.action;
  }

  get stdoutStreamName(): string {
    return this.#logs?.stdout.name ?? "";
  }

  get stderrStreamName(): string {
    return this.#logs?.stderr.name ?? "";
  }

  /** Sees that all inputs are there, and holds them. @returns what is to be answered when they are not. */
  async check(): Promise<Outcome | undefined> {
    const { closures, context } = this.#place;
    try {
      this.#hold(await closures.hold(this.#prepared.request.inputRoot, this.#prepared.messages));
      this.metadata = { queuedTimestamp: timestampMessage(context.clock.nowMs()) };
      this.#queuedAtMs = context.clock.monotonicMs();
      return undefined;
    } catch (error) {
      return this.#refused(error);
    }
  }

  /** Runs it once. `told` hears of progress. */
  async run(worker: WorkerOffer, attempt: number, told: () => void): Promise<RunOutcome> {
    const abort = new AbortController();
    this.#runs.set(attempt, abort);
    const { clock } = this.#place.context;
    const { queuedTimestamp } = this.metadata;
    this.metadata = { queuedTimestamp, worker: worker.name, workerStartTimestamp: timestampMessage(clock.nowMs()) };
    this.#openLogs();
    told();
    this.#place.listener.runStarted(clock.monotonicMs() - this.#queuedAtMs);
    const outcome = await this.#run(worker, abort.signal, told);
    // One that was lost waits again from here on.
    this.#queuedAtMs = clock.monotonicMs();
    this.#runs.delete(attempt);
    this.#place.listener.runEnded(runEnd(outcome), "timings" in outcome ? outcome.timings : undefined);
    return outcome;
  }

  async #run(worker: WorkerOffer, signal: AbortSignal, told: () => void): Promise<RunOutcome> {
    try {
      const { instance, overlay = "" } = this.#scope;
      const request = { ...this.#prepared.request, domain: JSON.stringify([instance, overlay]) };
      return await worker.runner.run(request, this.#observer(signal, told), signal);
    } catch (error) {
      this.#place.onFault(error);
      return { kind: "errored", problem: problem("action-runner-broke", `the runner broke: ${String(error)}`) };
    }
  }

  /** Ends a run; its outcome still comes. */
  stop(attempt: number): void {
    this.#runs.get(attempt)?.abort();
  }

  /** Stores what a run gave, where it may be, and makes the answer. */
  async conclude(outcome: Exclude<RunOutcome, { kind: "lost" }>, of: Conclusion): Promise<Outcome> {
    this.#closeLogs();
    try {
      if (outcome.kind === "completed") return await this.#completed(outcome, of);
      if (outcome.kind === "missing-blobs") return this.#refused(missingBlobs(outcome.digests));
      const status = runRefusal(outcome);
      const logs = await this.#serverLogs(outcome);
      // The same action would run into its limit again.
      if (outcome.kind === "timed-out")
        return { ...refused(status, this.#streams(outcome, of.worker), logs), isReusable: true };
      const streams = "streams" in outcome ? outcome.streams : undefined;
      return refused(status, streams && messageOf(streams), logs);
    } catch (error) {
      return this.#refused(error);
    }
  }

  /** Lets go of everything. */
  release(): void {
    this.#isReleased = true;
    for (const pin of this.#pins.splice(0)) pin.release();
    for (const run of this.#runs.values()) run.abort();
    this.#closeLogs();
  }

  async #completed(outcome: Extract<RunOutcome, { kind: "completed" }>, of: Conclusion): Promise<Outcome> {
    const { context, cacheFailures } = this.#place;
    const { isOlder, request } = this.#prepared;
    const wantsDirectories = request.command.wantsDirectories === true;
    const metadata = this.#finished(outcome, of.worker);
    const bytes = ActionResultCodec.encode(resultMessage(outcome.result, metadata, { isOlder, wantsDirectories }));
    this.#hold(context.store.pin(namedDigests(outcome.result)));
    const isCached = of.mayStore && (outcome.result.exitCode === 0 || cacheFailures);
    const notStored = isCached ? await this.#store(bytes) : "";
    const message = [notStored, undeclaredText(outcome.undeclared)].filter((line) => line !== "").join("\n");
    const response = await withWishes(context, of.wishes, { bytes, result: outcome.result });
    const serverLogs = await this.#serverLogs(outcome);
    const notes = { isCached: false, message, ...(serverLogs === undefined ? {} : { serverLogs }) };
    return { kind: "answered", response: succeeded(response, notes), isReusable: true };
  }

  async #serverLogs(outcome: RunOutcome): Promise<ServerLogs | undefined> {
    const texts = logTexts(outcome);
    if (texts.size === 0) return undefined;
    const { logs, pin } = await storeLogs(this.#place.context.store, this.#action, texts);
    this.#hold(pin);
    return logs;
  }

  /** A result that cannot be stored is a result all the same. */
  async #store(bytes: Uint8Array): Promise<string> {
    const put = await this.#place.context.store.actions.put(this.#scope, this.#action, bytes);
    if (put.ok) return "";
    this.#place.onFault(put.problem);
    return `the result was not cached: ${put.problem.message}`;
  }

  #streams(outcome: Extract<RunOutcome, { kind: "timed-out" }>, worker: string) {
    return {
      ...messageOf(outcome.streams),
      exitCode: TIMED_OUT_EXIT,
      executionMetadata: this.#finished(outcome, worker),
    };
  }

  #finished({ timings, use }: Finished, worker: string): Metadata {
    return runMetadata({ ...this.metadata, worker }, timings, use);
  }

  #observer(signal: AbortSignal, told: () => void): HermeticObserver {
    const metadata = (patch: Metadata): void => this.#progress(signal, patch, told);
    return {
      phase: (phase, atMs) => {
        const at = timestampMessage(atMs);
        if (phase === "fetching-inputs") metadata({ inputFetchStartTimestamp: at });
        else if (phase === "executing") metadata({ inputFetchCompletedTimestamp: at, executionStartTimestamp: at });
        else metadata({ executionCompletedTimestamp: at, outputUploadStartTimestamp: at });
      },
      // Left out where nobody could read it: the command's output then goes to files at full speed.
      ...(this.#logs === undefined ? {} : { output: (stream, bytes) => this.#log(stream, bytes) }),
    };
  }

  #progress(signal: AbortSignal, patch: Metadata, told: () => void): void {
    if (signal.aborted || this.#isReleased) return;
    this.metadata = { ...this.metadata, ...patch };
    told();
  }

  #log(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    // What a log cannot take is in the result all the same.
    this.#logs?.[stream].append(bytes);
  }

  #openLogs(): void {
    this.#closeLogs();
    const { logs } = this.#place;
    if (logs === undefined) return;
    try {
      this.#logs = { stdout: logs.create(this.#scope.instance), stderr: logs.create(this.#scope.instance) };
      logs.keep(this.#logs.stdout);
      logs.keep(this.#logs.stderr);
    } catch (error) {
      // Too many logs: it runs without.
      if (!(error instanceof StatusError)) throw error;
    }
  }

  #closeLogs(): void {
    const { logs } = this.#place;
    if (logs === undefined || this.#logs === undefined) return;
    logs.retire(this.#logs.stdout);
    logs.retire(this.#logs.stderr);
  }

  #hold(pin: Pin): void {
    if (this.#isReleased) pin.release();
    else this.#pins.push(pin);
  }

  #refused(error: unknown): Outcome {
    if (error instanceof StatusError) return refused(error);
    this.#place.onFault(error);
    return refused(new StatusError(StatusCode.internal, "the server broke; its log tells more"));
  }
}

/** What a run is concluded with. */
export interface Conclusion {
  readonly worker: string;
  readonly mayStore: boolean;
  readonly wishes: InlineWishes;
}

/** What shells give for a command that was ended by `timeout`. */
const TIMED_OUT_EXIT = 124;

/** A result with what was asked to be in it, in parts. */
export async function withWishes(
  context: ServiceContext,
  wishes: InlineWishes,
  found: { readonly bytes: Uint8Array; readonly result: ActionResult },
): Promise<readonly Uint8Array[]> {
  return withInlined(found.bytes, await inlinedOf(context, wishes, found));
}

/** The streams of a command that gave no result. */
function messageOf(streams: Pick<ActionResult, "stdout" | "stdoutRaw" | "stderr" | "stderrRaw">) {
  const outputs = { outputFiles: [], outputDirectories: [], outputSymlinks: [] };
  return actionResultMessage({ ...outputs, exitCode: 0, metadata: { worker: "" }, ...streams });
}

function runEnd(outcome: RunOutcome): RunEnd {
  switch (outcome.kind) {
    case "completed":
      return outcome.result.exitCode === 0 ? "success" : "failure";
    case "timed-out":
      return "timeout";
    case "missing-blobs":
      return "missing_inputs";
    case "errored":
      return "error";
    default:
      return outcome.kind;
  }
}

/** For people and for our own client: what the command wrote and did not declare. */
function undeclaredText(paths: readonly string[] = []): string {
  return paths.length === 0 ? "" : `undeclared outputs were dropped: ${JSON.stringify(paths)}`;
}
