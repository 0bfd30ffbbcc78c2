/**
 * The machine of remote execution: one transition over operations, jobs, the queue and the slots.
 *
 * Owns:      every decision about who waits for what, what runs where, what is merged, and what is forgotten when.
 * Never:     waits, looks at a clock, or does anything: it answers with effects for `execution-pool.ts`.
 * Invariant: each operation is done exactly once; each job has at most one run under way, and only on a worker that
 *            fits; no worker has more runs than slots; a job without operations does not start; effects come in the
 *            order in which they are to be performed. `machine-world.fixture.ts` checks all of them after every event.
 * Note:      state is linear: `step` changes what the machine holds. `operation-state.ts` has the words.
 */
import { invariant } from "@kahn/core";
import { Deadlines } from "../queue/deadlines.ts";
import type { Fits, WorkerLoad } from "../queue/worker-slots.ts";
import { Dispatcher } from "./dispatcher.ts";
import { InFlight } from "./in-flight.ts";
import { ENTRIES_MAX, type Job, newJob } from "./job.ts";
import { KeptOperations } from "./kept-operations.ts";
import type {
  AdmittedAction,
  ExecutionEffect,
  ExecutionEvent,
  JobId,
  MachineCounts,
  MachineLimits,
  OperationId,
  OperationView,
  Outcome,
} from "./operation-state.ts";

interface Operation {
  readonly openedAt: number;
  phase:
    | { readonly kind: "checking" }
    | { readonly kind: "attached"; readonly job: Job }
    | { readonly kind: "done"; readonly outcome: Outcome };
  watchers: number;
}

/** The machine. */
export class ExecutionMachine {
  readonly #limits: MachineLimits;
  readonly #operations = new Map<OperationId, Operation>();
  readonly #checking = new Set<OperationId>();
  readonly #jobs = new Map<JobId, Job>();
  readonly #inFlight = new InFlight();
  readonly #dispatcher: Dispatcher;
  readonly #abandoned: Deadlines<OperationId>;
  readonly #kept: KeptOperations;
  readonly #pinned: Deadlines<JobId>;
  readonly #poisoned: Deadlines<string>;
  #isDraining = false;
  #jobsMade = 0;
  /** Counts events: what is before what. */
  #events = 0;
  #nowMs = 0;
  #effects: ExecutionEffect[] = [];

  constructor(limits: MachineLimits, fits: Fits) {
    this.#limits = limits;
    this.#dispatcher = new Dispatcher(fits, limits.unservedMs);
    this.#abandoned = new Deadlines(limits.abandonedMs);
    this.#kept = new KeptOperations(limits);
    this.#pinned = new Deadlines(limits.pinnedMs);
    this.#poisoned = new Deadlines(limits.poisonedMs);
  }

  /** Takes one event at a time that never goes back, and says what is to be done, in this order. */
  step(event: ExecutionEvent, nowMs: number): readonly ExecutionEffect[] {
    this.#events++;
    this.#nowMs = nowMs;
    this.#effects = [];
    this.#apply(event, nowMs);
    this.#dispatch();
    this.#inFlight.forgetBefore(this.#oldestChecking());
    return this.#effects;
  }

  /** When the next `tick` is wanted; `Infinity` when none is. */
  get nextDueMs(): number {
    const lists = [this.#abandoned, this.#kept, this.#pinned, this.#poisoned];
    return Math.min(this.#dispatcher.nextDueMs, ...lists.map(({ nextMs }) => nextMs));
  }

  /** True from the drain on: nothing new is taken. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** True when no further operation is to be opened. */
  get isFull(): boolean {
    const { queueMax, openMax } = this.#limits;
    return this.#checking.size + this.#jobs.size - this.#dispatcher.slotsUsed >= queueMax || this.waiting >= openMax;
  }

  /** Operations that are not done; any number of them may share a job. */
  get waiting(): number {
    return this.#operations.size - this.#kept.size;
  }

  /** How an operation stands; `undefined` when it is not known. */
  view(id: OperationId): OperationView | undefined {
    const operation = this.#operations.get(id);
    if (operation === undefined) return undefined;
    const { phase } = operation;
    if (phase.kind === "done") return { stage: "completed", outcome: phase.outcome };
    if (phase.kind === "checking") return { stage: "cache-check", job: undefined };
    const { job } = phase;
    const { kind } = job.phase;
    const stage = kind === "checking" ? "cache-check" : kind === "queued" ? "queued" : "executing";
    return { stage, job: job.id };
  }

  /** The operations that wait for a job. */
  operationsOf(job: JobId): ReadonlySet<OperationId> {
    return this.#jobs.get(job)?.operations ?? new Set();
  }

  /** True while that run's answer is awaited: not when its worker was given up meanwhile. */
  isCurrent(job: JobId, attempt: number): boolean {
    const known = this.#jobs.get(job);
    return known?.attempt === attempt && known.phase.kind === "running";
  }

  /** True when the job's result is the one to be stored. */
  mayStore(job: JobId): boolean {
    const known = this.#jobs.get(job);
    return known !== undefined && known.mergeKey !== undefined && !known.isSuperseded;
  }

  counts(): MachineCounts {
    const phases = { checking: this.#checking.size, queued: 0, running: 0, storing: 0 };
    for (const job of this.#jobs.values()) phases[job.phase.kind]++;
    return {
      ...phases,
      ...{ completed: this.#kept.size, keptBytes: this.#kept.bytes },
      ...{ slots: this.#dispatcher.slots, slotsUsed: this.#dispatcher.slotsUsed, isDraining: this.#isDraining },
    };
  }

  /** Runs under way by worker. */
  workers(): WorkerLoad[] {
    return this.#dispatcher.loads;
  }

  #apply(event: ExecutionEvent, nowMs: number): void {
    switch (event.kind) {
      case "open":
        this.#open(event.operation);
        break;
      case "answer":
        if (this.#checking.has(event.operation)) this.#finish(event.operation, event.outcome);
        break;
      case "admit":
        this.#admit(event.operation, event.action);
        break;
      case "watch":
      case "unwatch":
        this.#watch(event.operation, event.kind === "watch" ? 1 : -1);
        break;
      case "cancel":
        this.#cancel(event.operation, "asked");
        break;
      case "delete":
        this.#delete(event.operation);
        break;
      case "checked":
        this.#checked(event.job);
        break;
      case "ran":
        this.#ran(event.job, event.attempt);
        break;
      case "lost":
        this.#lost(event.job, event.attempt);
        break;
      case "settle":
        this.#settle(event.job, event.attempt, event.outcome);
        break;
      case "join":
        this.#dispatcher.workerJoined(event.worker, event.slots, nowMs);
        break;
      case "leave":
        this.#leave(event.worker);
        break;
      case "drain":
        this.#drain();
        break;
      case "tick":
        this.#tick();
    }
  }

  #open(id: OperationId): void {
    invariant(!this.#operations.has(id), `operation ${id} is opened twice`);
    this.#operations.set(id, { openedAt: this.#events, phase: { kind: "checking" }, watchers: 0 });
    this.#checking.add(id);
    this.#abandoned.add(id, this.#nowMs);
  }

  #admit(id: OperationId, action: AdmittedAction): void {
    const operation = this.#operations.get(id);
    if (operation?.phase.kind !== "checking") return;
    const answer = this.#answerAtOnce(operation, action);
    if (answer !== undefined) {
      this.#finish(id, answer);
      return;
    }
    const job = this.#inFlight.joinable(action, operation.openedAt) ?? this.#newJob(id, action);
    this.#checking.delete(id);
    operation.phase = { kind: "attached", job };
    job.operations.add(id);
    if (job.entries.length < ENTRIES_MAX) {
      job.entries.push(action);
      if (job.phase.kind === "queued") this.#dispatcher.join(job, action);
    }
    this.#changed(id);
  }

  #answerAtOnce({ openedAt }: Operation, action: AdmittedAction): Outcome | undefined {
    if (this.#isDraining) return { kind: "drained" };
    if (this.#poisoned.has(action.key)) return { kind: "poisoned", losses: this.#limits.requeuesMax + 1 };
    return this.#inFlight.recent(action, openedAt);
  }

  #newJob(operation: OperationId, action: AdmittedAction): Job {
    const job = newJob(++this.#jobsMade, action);
    this.#jobs.set(job.id, job);
    this.#inFlight.begin(job);
    this.#effects.push({ kind: "check", job: job.id, operation });
    return job;
  }

  #watch(id: OperationId, by: 1 | -1): void {
    const operation = this.#operations.get(id);
    if (operation === undefined) return;
    operation.watchers += by;
    invariant(operation.watchers >= 0, `operation ${id} is watched by fewer than nobody`);
    if (operation.phase.kind === "done") return;
    if (operation.watchers > 0) this.#abandoned.delete(id);
    else this.#abandoned.add(id, this.#nowMs);
  }

  #cancel(id: OperationId, because: "asked" | "abandoned"): void {
    const operation = this.#operations.get(id);
    if (operation === undefined || operation.phase.kind === "done") return;
    const job = operation.phase.kind === "attached" ? operation.phase.job : undefined;
    this.#finish(id, { kind: "cancelled", because });
    if (job !== undefined && job.operations.size === 0 && !job.isKept) this.#unwanted(job);
  }

  /** Not a cancel: what runs goes on, for whoever asks next. */
  #delete(id: OperationId): void {
    const operation = this.#operations.get(id);
    if (operation === undefined) return;
    if (operation.phase.kind === "attached") operation.phase.job.isKept = true;
    if (operation.phase.kind !== "done") this.#finish(id, { kind: "cancelled", because: "deleted" });
    this.#forget(id);
  }

  #unwanted(job: Job): void {
    const { phase } = job;
    if (phase.kind === "checking" || phase.kind === "queued") this.#over(job, undefined);
    // What is being stored goes on being stored.
    if (phase.kind !== "running" || phase.isStopping) return;
    job.phase = { ...phase, isStopping: true };
    this.#inFlight.end(job);
    this.#effects.push({ kind: "stop", job: job.id, attempt: job.attempt });
  }

  #checked(id: JobId): void {
    const job = this.#jobs.get(id);
    if (job?.phase.kind === "checking") this.#wait(job);
  }

  #wait(job: Job, place: "first" | "last" = "last"): void {
    job.phase = { kind: "queued" };
    job.startedAt = undefined;
    this.#dispatcher.wait(job, this.#nowMs, place);
    this.#changedAll(job);
  }

  #ran(id: JobId, attempt: number): void {
    const job = this.#jobs.get(id);
    if (job?.attempt !== attempt || job.phase.kind !== "running") return;
    const isStopping = job.phase.isStopping;
    this.#freeSlot(job);
    job.phase = { kind: "storing" };
    // Nobody waits and nobody can come: nothing to store for.
    if (isStopping) this.#over(job, undefined);
  }

  #lost(id: JobId, attempt: number): void {
    const job = this.#jobs.get(id);
    if (job?.attempt !== attempt || job.phase.kind !== "running") return;
    const { isStopping } = job.phase;
    this.#freeSlot(job);
    job.phase = { kind: "storing" };
    if (isStopping) this.#over(job, undefined);
    else if (++job.losses > this.#limits.requeuesMax) this.#poison(job);
    else if (this.#isDraining) this.#over(job, { kind: "drained" });
    else this.#wait(job, "first");
  }

  #poison(job: Job): void {
    this.#over(job, { kind: "poisoned", losses: job.losses });
    this.#poisoned.add(job.key, this.#nowMs);
    while (this.#poisoned.size > this.#limits.poisonedMax) this.#poisoned.delete(this.#poisoned.first!);
  }

  #settle(id: JobId, attempt: number, outcome: Outcome): void {
    const job = this.#jobs.get(id);
    if (job?.attempt !== attempt) return;
    const expected = attempt === 0 ? "checking" : "storing";
    if (job.phase.kind !== expected) return;
    this.#inFlight.ended(job, outcome, this.#events);
    this.#over(job, outcome);
  }

  /** Ends a job, and with it every operation that waits for it. */
  #over(job: Job, outcome: Outcome | undefined): void {
    if (job.phase.kind === "queued") this.#dispatcher.remove(job);
    this.#jobs.delete(job.id);
    this.#inFlight.end(job);
    invariant(outcome !== undefined || job.operations.size === 0, `job ${job.id} ends without an answer`);
    if (outcome !== undefined) for (const id of [...job.operations]) this.#finish(id, outcome);
    if (outcome?.kind === "answered") this.#pinned.add(job.id, this.#nowMs);
    else this.#effects.push({ kind: "release", job: job.id });
  }

  #finish(id: OperationId, outcome: Outcome): void {
    const operation = this.#operations.get(id);
    invariant(operation !== undefined && operation.phase.kind !== "done", `operation ${id} is answered twice`);
    if (operation.phase.kind === "attached") operation.phase.job.operations.delete(id);
    this.#checking.delete(id);
    this.#abandoned.delete(id);
    operation.phase = { kind: "done", outcome };
    this.#changed(id);
    for (const dropped of this.#kept.add(id, outcome, this.#nowMs)) this.#forget(dropped);
  }

  #forget(id: OperationId): void {
    this.#kept.delete(id);
    this.#operations.delete(id);
    this.#effects.push({ kind: "forget", operation: id });
  }

  #leave(worker: string): void {
    for (const job of this.#dispatcher.workerLeft(worker, this.#nowMs)) {
      this.#effects.push({ kind: "stop", job: job.id, attempt: job.attempt });
      this.#lost(job.id, job.attempt);
    }
  }

  #drain(): void {
    this.#isDraining = true;
    for (const id of [...this.#checking]) this.#finish(id, { kind: "drained" });
    for (const job of [...this.#jobs.values()]) {
      if (job.phase.kind === "checking" || job.phase.kind === "queued") this.#over(job, { kind: "drained" });
    }
  }

  #tick(): void {
    for (const id of this.#abandoned.take(this.#nowMs)) this.#cancel(id, "abandoned");
    for (const job of this.#dispatcher.takeUnserved(this.#nowMs)) {
      this.#over(job, { kind: "unsatisfiable", pool: job.pool });
    }
    for (const id of this.#kept.take(this.#nowMs)) this.#forget(id);
    for (const job of this.#pinned.take(this.#nowMs)) this.#effects.push({ kind: "release", job });
    this.#poisoned.take(this.#nowMs);
  }

  #dispatch(): void {
    for (const { job, worker } of this.#dispatcher.start()) {
      job.attempt++;
      job.startedAt = this.#events;
      job.phase = { kind: "running", worker, sinceMs: this.#nowMs, isStopping: false };
      this.#effects.push({ kind: "run", job: job.id, attempt: job.attempt, worker });
      this.#changedAll(job);
    }
  }

  #freeSlot(job: Job): void {
    invariant(job.phase.kind === "running", `job ${job.id} holds no slot`);
    const { worker, sinceMs } = job.phase;
    this.#dispatcher.ended({ job, worker }, this.#nowMs - sinceMs);
  }

  #oldestChecking(): number {
    for (const id of this.#checking) return this.#operations.get(id)!.openedAt;
    return Number.POSITIVE_INFINITY;
  }

  #changed(operation: OperationId): void {
    const view = this.view(operation);
    if (view !== undefined) this.#effects.push({ kind: "changed", operation, view });
  }

  #changedAll(job: Job): void {
    for (const id of job.operations) this.#changed(id);
  }
}
