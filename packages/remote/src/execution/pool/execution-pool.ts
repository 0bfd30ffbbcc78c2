/**
 * The pool: performs what the machine decides, and keeps what belongs to operations and jobs beside it.
 *
 * Owns:      operations by name, their watchers, the work of jobs, workers, and the one timer.
 * Never:     decides; `execution-machine.ts` does.
 * Invariant: effects are performed in their order, one event after the other, also when one leads to the next; an
 *            operation's watchers all hear its last message; no timer is left when nothing is known any more.
 */
import type { Clock, Digest, Random, Timer } from "@kahn/core";
import { randomHex } from "@kahn/core";
import { printOperationName } from "../../names/resource-name.ts";
import type { RequestMetadata } from "../../proto/generated/remote-execution.ts";
import type { ActionScope } from "../../store/server-store.ts";
import type { PreparedAction } from "../actions/action-request.ts";
import type { WorkerOffer } from "../actions/action-runner.ts";
import { fitsPool, workerHas } from "../actions/platform.ts";
import type { ExecutionFailure, ExecutionSource } from "../machine/execution-listener.ts";
import { ExecutionMachine } from "../machine/execution-machine.ts";
import type {
  ExecutionEffect,
  ExecutionEvent,
  JobId,
  MachineCounts,
  MachineLimits,
  OperationId,
  OperationView,
  Outcome,
} from "../machine/operation-state.ts";
import type { WorkerLoad } from "../queue/worker-slots.ts";
import { goingAway, queueFull } from "../results/execute-response.ts";
import { CallerLoads } from "./caller-loads.ts";
import type { InlineWishes, WorkPlace } from "./job-work.ts";
import { JobWork, NAME_COST } from "./job-work.ts";
import type { OperationShown } from "./operation-message.ts";
import { operationMessage } from "./operation-message.ts";
import type { OperationUpdate } from "./operation-watch.ts";
import { OperationWatch } from "./operation-watch.ts";

/** What Execute was asked, by whom. */
export interface OperationRequest {
  readonly instance: string;
  readonly scope: ActionScope;
  readonly action: Digest;
  readonly caller: string;
  readonly client: RequestMetadata | undefined;
  /** `skip_cache_lookup`. */
  readonly isFresh: boolean;
  readonly priority: number;
  readonly wishes: InlineWishes;
}

/** An operation that is known. */
export interface OperationRecord {
  readonly id: OperationId;
  readonly name: string;
  /** Counts operations; the order of listing. */
  readonly number: number;
  request: OperationRequest;
  view: OperationView;
  shown: OperationShown;
  prepared: PreparedAction | undefined;
  /** Where its result comes from, should it get one. */
  source: ExecutionSource;
  readonly watches: Set<OperationWatch>;
}

/** What a pool works with. */
export interface PoolOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: MachineLimits;
  readonly keepAliveMs: number;
  readonly place: WorkPlace;
}

/** Numbers for `/status` and metrics. */
export interface ExecutionStatus extends MachineCounts {
  readonly operations: number;
  readonly workers: readonly WorkerLoad[];
}

/** Operations, jobs and workers of one server. */
export class ExecutionPool {
  readonly #options: PoolOptions;
  readonly #machine: ExecutionMachine;
  readonly #operations = new Map<OperationId, OperationRecord>();
  readonly #jobs = new Map<JobId, { readonly work: JobWork; wishes: InlineWishes }>();
  readonly #workers = new Map<string, { readonly offer: WorkerOffer; readonly has: ReadonlySet<string> }>();
  readonly #effects: ExecutionEffect[] = [];
  readonly #loads = new CallerLoads();
  /** Characters of what the open operations wish to have inlined. */
  #wishLength = 0;
  #isPerforming = false;
  #isClosed = false;
  #opened = 0;
  #timer: { readonly timer: Timer; readonly dueMs: number } | undefined;
  #drained: (() => void)[] = [];

  constructor(options: PoolOptions) {
    this.#options = options;
    const fits = (worker: string, pool: string): boolean => fitsPool(this.#workers.get(worker)?.has ?? NOTHING, pool);
    this.#machine = new ExecutionMachine(options.limits, fits);
  }

  /** A new operation. @throws StatusError UNAVAILABLE or RESOURCE_EXHAUSTED, with RetryInfo. */
  open(request: OperationRequest): OperationRecord {
    if (this.#machine.isDraining) throw goingAway();
    if (this.#machine.isFull) throw queueFull(this.#machine.waiting);
    const id = randomHex(this.#options.random, 32);
    const name = printOperationName({ instance: request.instance, id });
    const shown = { name, action: request.action, partial: undefined, stdoutStreamName: "", stderrStreamName: "" };
    const view: OperationView = { stage: "cache-check", job: undefined };
    const watches = new Set<OperationWatch>();
    const known = { id, name, number: ++this.#opened, request: this.#heard(request), view, shown, watches };
    const record: OperationRecord = { ...known, prepared: undefined, source: "cached" };
    this.#operations.set(id, record);
    this.#loads.begin(request.caller);
    this.#step({ kind: "open", operation: id });
    return record;
  }

  /** How many actions a caller has under way, watched or not. */
  underWay(caller: string): number {
    return this.#loads.of(caller);
  }

  /** The request without its wishes, which are hints, when those who wait already wish for too much. */
  #heard(request: OperationRequest): OperationRequest {
    const length = wishLength(request.wishes);
    if (this.#wishLength + length > WISHES_MAX) return { ...request, wishes: NO_WISHES };
    this.#wishLength += length;
    return request;
  }

  /** Ends an operation whose answer needs no run. */
  answer({ id }: OperationRecord, outcome: Outcome): void {
    this.#step({ kind: "answer", operation: id, outcome });
  }

  /** Has an operation's action run, or lets it share a run. */
  admit(record: OperationRecord, prepared: PreparedAction): void {
    const { id, request } = record;
    const { instance, scope, action, caller, client, isFresh, priority } = request;
    record.prepared = prepared;
    // Unless a job is made for it.
    record.source = "merged";
    const key = JSON.stringify([instance, scope.overlay ?? "", action]);
    const invocation = client?.toolInvocationId ?? "";
    const path = [caller, client?.correlatedInvocationsId || invocation, invocation];
    const mergeKey = prepared.doNotCache ? undefined : key;
    const admitted = { mergeKey, key, isFresh, path, priority, pool: prepared.pool };
    this.#step({ kind: "admit", operation: id, action: admitted });
  }

  /** An operation by its id, on that instance. */
  find(instance: string, id: OperationId): OperationRecord | undefined {
    const record = this.#operations.get(id);
    return record?.request.instance === instance ? record : undefined;
  }

  /** All operations, in the order of opening. */
  all(): IterableIterator<OperationRecord> {
    return this.#operations.values();
  }

  /** Waits for an operation; `close` is to be called in any case. */
  watch(record: OperationRecord): { readonly watch: OperationWatch; close(): void } {
    const { clock, keepAliveMs } = this.#options;
    const watch = new OperationWatch(clock, { first: updateOf(record), keepAliveMs });
    record.watches.add(watch);
    this.#step({ kind: "watch", operation: record.id });
    return {
      watch,
      close: () => {
        if (record.watches.delete(watch)) this.#step({ kind: "unwatch", operation: record.id });
      },
    };
  }

  /** Cancels it at any stage; no effect on a completed one. */
  cancel({ id }: OperationRecord): void {
    this.#step({ kind: "cancel", operation: id });
  }

  /** Forgets it. What runs for it goes on. */
  delete({ id }: OperationRecord): void {
    this.#step({ kind: "delete", operation: id });
  }

  /** A worker is there. */
  join(offer: WorkerOffer): void {
    this.#workers.set(offer.name, { offer, has: workerHas(offer.properties) });
    this.#step({ kind: "join", worker: offer.name, slots: offer.slots });
  }

  /** A worker is gone, and with it its runs: each starts again elsewhere, once. */
  leave(worker: string): void {
    this.#step({ kind: "leave", worker });
    this.#workers.delete(worker);
  }

  /** Lets running actions finish and answers the others UNAVAILABLE. Resolves when nothing runs; may be repeated. */
  drain(): Promise<void> {
    this.#step({ kind: "drain" });
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#tellDrained();
    });
  }

  /** Ends everything at once, for a server that closes. */
  close(): void {
    this.#step({ kind: "drain" });
    for (const record of [...this.#operations.values()]) this.delete(record);
    this.#isClosed = true;
    for (const { work } of this.#jobs.values()) work.release();
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  status(): ExecutionStatus {
    return { ...this.#machine.counts(), operations: this.#operations.size, workers: this.#machine.workers() };
  }

  #step(event: ExecutionEvent): void {
    // Runs that were ended still answer; nobody listens, and no timer may be left.
    if (this.#isClosed) return;
    this.#effects.push(...this.#machine.step(event, this.#options.clock.monotonicMs()));
    // Effects of an event that an effect led to come after those that are being performed.
    if (this.#isPerforming) return;
    this.#isPerforming = true;
    try {
      for (let effect = this.#effects.shift(); effect !== undefined; effect = this.#effects.shift()) {
        this.#perform(effect);
      }
    } finally {
      this.#isPerforming = false;
    }
    this.#arm();
    this.#tellDrained();
  }

  #perform(effect: ExecutionEffect): void {
    switch (effect.kind) {
      case "changed":
        this.#changed(effect.operation, effect.view);
        break;
      case "check":
        void this.#check(effect.job, effect.operation);
        break;
      case "run":
        void this.#run(effect);
        break;
      case "stop":
        this.#jobs.get(effect.job)?.work.stop(effect.attempt);
        break;
      case "release":
        this.#loads.jobEnded(effect.job);
        this.#jobs.get(effect.job)?.work.release();
        this.#jobs.delete(effect.job);
        break;
      case "forget":
        this.#operations.delete(effect.operation);
    }
  }

  async #check(job: JobId, operation: OperationId): Promise<void> {
    const record = this.#operations.get(operation);
    if (record?.prepared === undefined) return;
    record.source = "executed";
    const { request, prepared } = record;
    const { scope, action, wishes } = request;
    const work = new JobWork(this.#options.place, { prepared, scope, action });
    this.#jobs.set(job, { work, wishes });
    const refused = await work.check();
    if (refused === undefined) this.#step({ kind: "checked", job });
    else this.#step({ kind: "settle", job, attempt: 0, outcome: refused });
  }

  async #run({ job, attempt, worker }: Extract<ExecutionEffect, { kind: "run" }>): Promise<void> {
    const offer = this.#workers.get(worker)?.offer;
    const known = this.#jobs.get(job);
    // Not within the step that started it: the runner may tell of progress at once.
    await undefined;
    if (offer === undefined || known === undefined) return;
    const outcome = await known.work.run(offer, attempt, () => this.#progress(job, attempt));
    if (!this.#machine.isCurrent(job, attempt)) return;
    if (outcome.kind === "lost") {
      this.#step({ kind: "lost", job, attempt });
      return;
    }
    this.#step({ kind: "ran", job, attempt });
    this.#loads.jobEnded(job);
    // It was stopped, and nobody waits.
    if (!this.#jobs.has(job)) return;
    const wishes = this.#wishesOf(job) ?? known.wishes;
    const of = { worker, mayStore: this.#machine.mayStore(job), wishes };
    this.#step({ kind: "settle", job, attempt, outcome: await known.work.conclude(outcome, of) });
  }

  /** What all who wait for a job want to have in its answer. */
  #wishesOf(job: JobId): InlineWishes | undefined {
    const all = [...this.#machine.operationsOf(job)].flatMap((id) => this.#operations.get(id)?.request.wishes ?? []);
    if (all.length === 0) return undefined;
    return {
      inlineStdout: all.some(({ inlineStdout }) => inlineStdout),
      inlineStderr: all.some(({ inlineStderr }) => inlineStderr),
      inlineOutputFiles: [...new Set(all.flatMap(({ inlineOutputFiles }) => inlineOutputFiles))],
    };
  }

  #progress(job: JobId, attempt: number): void {
    if (!this.#machine.isCurrent(job, attempt)) return;
    for (const id of this.#machine.operationsOf(job)) {
      const view = this.#machine.view(id);
      if (view !== undefined) this.#changed(id, view);
    }
  }

  #changed(id: OperationId, view: OperationView): void {
    const record = this.#operations.get(id);
    if (record === undefined) return;
    const { view: before } = record;
    record.view = view;
    const work = view.stage === "completed" ? undefined : this.#jobs.get(view.job ?? 0)?.work;
    if (work !== undefined) {
      const { metadata: partial, stdoutStreamName, stderrStreamName } = work;
      record.shown = { ...record.shown, partial, stdoutStreamName, stderrStreamName };
    }
    if (view.stage === "completed") {
      this.#options.place.listener.operationEnded(endOf(view.outcome, record));
      record.prepared = undefined;
      this.#uncount(record, { view: before, outcome: view.outcome });
      // It is remembered for minutes, with thousands of others: of no more use than its answer is.
      record.request = { ...record.request, wishes: NO_WISHES };
      record.shown = { ...record.shown, partial: undefined };
    }
    if (record.watches.size === 0) return;
    const update = updateOf(record);
    for (const watch of record.watches) watch.put(update);
  }

  /** It is done, and its caller has one less under way, unless that goes on without it. */
  #uncount(
    { request }: OperationRecord,
    { view, outcome }: { readonly view: OperationView; readonly outcome: Outcome },
  ): void {
    this.#wishLength -= wishLength(request.wishes);
    const job = view.stage === "completed" ? undefined : view.job;
    const isLeft = outcome.kind === "cancelled" && job !== undefined && this.#jobs.has(job);
    if (isLeft && this.#machine.operationsOf(job).size === 0) this.#loads.leave(request.caller, job);
    else this.#loads.end(request.caller);
  }

  #arm(): void {
    const dueMs = this.#machine.nextDueMs;
    if (this.#timer?.dueMs === dueMs) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#options;
    const fire = (): void => {
      this.#timer = undefined;
      this.#step({ kind: "tick" });
    };
    this.#timer = { dueMs, timer: clock.setTimer(Math.max(0, dueMs - clock.monotonicMs()), fire) };
  }

  #tellDrained(): void {
    if (this.#drained.length === 0) return;
    const { checking, queued, running, storing } = this.#machine.counts();
    if (checking + queued + running + storing > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

const NOTHING: ReadonlySet<string> = new Set();
/** Of all open operations together. */
const WISHES_MAX = 16 << 20;
const NO_WISHES: InlineWishes = { inlineStdout: false, inlineStderr: false, inlineOutputFiles: [] };

function wishLength({ inlineOutputFiles }: InlineWishes): number {
  return inlineOutputFiles.reduce((sum, path) => sum + path.length + NAME_COST, 0);
}

function endOf(outcome: Outcome, { source }: OperationRecord): ExecutionSource | ExecutionFailure {
  return outcome.kind === "answered" ? (outcome.failure ?? source) : outcome.kind;
}

function updateOf({ view, shown }: OperationRecord): OperationUpdate {
  return { message: operationMessage(view, shown), isLast: view.stage === "completed" };
}
