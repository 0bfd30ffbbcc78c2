/** A world of random events around the machine, with its own book-keeping of what must be true. */
import assert from "node:assert/strict";
import type { SeededRandom } from "@kahn/testing";
import { ExecutionMachine } from "./execution-machine.ts";
import type { ExecutionEffect, ExecutionEvent, JobId, MachineLimits, OperationId, Outcome } from "./operation-state.ts";
import { DEFAULT_MACHINE_LIMITS } from "./operation-state.ts";

/** Pools are letters; a worker fits the pools in its name. */
const fits = (worker: string, pool: string): boolean => worker.includes(pool);

interface Run {
  readonly job: JobId;
  readonly attempt: number;
  readonly worker: string;
}

/** Pools of the world; no worker but the last that joins fits `z`. */
const POOLS = ["a", "b", "z"];

export class MachineWorld {
  readonly limits: MachineLimits;
  readonly machine: ExecutionMachine;
  readonly #random: SeededRandom;
  nowMs = 0;
  /** Operations that were opened and not forgotten. */
  readonly open = new Map<OperationId, { watchers: number; doneTimes: number; key?: string }>();
  readonly checks = new Set<JobId>();
  readonly runs = new Map<string, Run>();
  readonly storing = new Map<JobId, Run>();
  readonly workers = new Map<string, number>();
  readonly made = new Set<JobId>();
  readonly released = new Set<JobId>();
  readonly losses = new Map<JobId, number>();
  readonly runsOf = new Map<JobId, number>();
  readonly kept = new Set<JobId>();
  #names = 0;

  constructor(random: SeededRandom, limits: Partial<MachineLimits> = {}) {
    this.#random = random;
    this.limits = { ...DEFAULT_MACHINE_LIMITS, keptMax: 20, keptMaxBytes: 400, ...limits };
    this.machine = new ExecutionMachine(this.limits, fits);
  }

  step(event: ExecutionEvent): void {
    const effects = this.machine.step(event, this.nowMs);
    for (const effect of effects) this.#note(effect);
    this.#check();
  }

  /** One random event. */
  random(): string {
    const pick = this.#random.pick([...ACTIONS]);
    this.#acts[pick]();
    return pick;
  }

  /** Lets everything come to its end. */
  finish(): void {
    this.step({ kind: "join", worker: "abz", slots: 100 });
    for (let round = 0; round < 1000; round++) {
      for (const [operation, { doneTimes }] of this.open) {
        if (doneTimes === 0 && this.machine.view(operation)?.stage === "cache-check") this.#admit(operation);
      }
      for (const job of [...this.checks]) this.#checked(job);
      for (const run of [...this.runs.values()]) this.#ran(run);
      for (const run of [...this.storing.values()]) this.#settle(run.job, run.attempt);
      if (this.checks.size + this.runs.size + this.storing.size === 0 && this.#isAllDone()) return;
    }
    assert.fail("it does not come to an end");
  }

  #isAllDone(): boolean {
    return [...this.open.values()].every(({ doneTimes }) => doneTimes === 1);
  }

  readonly #acts: Record<(typeof ACTIONS)[number], () => void> = {
    open: () => {
      const operation = `op${++this.#names}`;
      this.open.set(operation, { watchers: 0, doneTimes: 0 });
      this.step({ kind: "open", operation });
      if (this.#random.chance(0.8)) this.#watch(operation);
    },
    admit: () => this.#withOperation((operation) => this.#admit(operation)),
    answer: () => this.#withOperation((operation) => this.#answerSometimes(operation)),
    watch: () => this.#withOperation((operation) => this.#watch(operation)),
    unwatch: () => this.#withOperation((operation) => this.#unwatch(operation)),
    cancel: () => this.#withOperation((operation) => this.step({ kind: "cancel", operation })),
    delete: () => this.#withOperation((operation) => this.#delete(operation)),
    checked: () => this.#with(this.checks, (job) => this.#checked(job)),
    lacking: () =>
      this.#with(this.checks, (job) => {
        this.checks.delete(job);
        this.step({ kind: "settle", job, attempt: 0, outcome: this.#answered(false) });
      }),
    ran: () => this.#with(this.runs.values(), (run) => this.#ran(run)),
    stored: () => this.#with(this.storing.values(), (run) => this.#settle(run.job, run.attempt)),
    lost: () => this.#with(this.runs.values(), (run) => this.#lost(run)),
    late: () => {
      // Answers of runs that were given up, and of jobs that never were.
      const job = this.#random.int(1, this.made.size + 1);
      this.step({ kind: this.#random.pick(["ran", "lost"]), job, attempt: 99 });
      this.step({ kind: "settle", job, attempt: 99, outcome: this.#answered(true) });
    },
    join: () => {
      const worker = `${this.#random.pick(["a", "b", "ab"])}${++this.#names}`;
      const slots = this.#random.int(1, 3);
      this.workers.set(worker, slots);
      this.step({ kind: "join", worker, slots });
    },
    leave: () =>
      this.#with(this.workers.keys(), (worker) => {
        this.workers.delete(worker);
        for (const [key, run] of this.runs) if (run.worker === worker) this.#noteLost(key, run);
        this.step({ kind: "leave", worker });
      }),
    wait: () => {
      this.nowMs += this.#random.pick([1, 1000, 30_000, 61_000]);
      this.step({ kind: "tick" });
    },
  };

  #admit(operation: OperationId): void {
    const number = this.#random.int(1, 5);
    const isMerged = this.#random.chance(0.8);
    this.step({
      kind: "admit",
      operation,
      action: {
        mergeKey: isMerged ? `k${number}` : undefined,
        key: `k${number}`,
        isFresh: this.#random.chance(0.2),
        path: ["caller", "build", this.#random.pick(["i", "j", "k"])],
        priority: this.#random.pick([0, 0, 0, -5, 5]),
        pool: number === 5 ? "z" : POOLS[number % 2]!,
      },
    });
  }

  #answerSometimes(operation: OperationId): void {
    if (this.#random.chance(0.3)) this.step({ kind: "answer", operation, outcome: this.#answered(false) });
  }

  #answered(isReusable: boolean): Outcome {
    return { kind: "answered", response: new Uint8Array(this.#random.int(0, 60)), isReusable };
  }

  #watch(operation: OperationId): void {
    this.open.get(operation)!.watchers++;
    this.step({ kind: "watch", operation });
  }

  #unwatch(operation: OperationId): void {
    const known = this.open.get(operation)!;
    if (known.watchers === 0) return;
    known.watchers--;
    this.step({ kind: "unwatch", operation });
  }

  #delete(operation: OperationId): void {
    const view = this.machine.view(operation);
    if (view !== undefined && "job" in view && view.job !== undefined) this.kept.add(view.job);
    this.step({ kind: "delete", operation });
    assert.equal(this.machine.view(operation), undefined);
  }

  #checked(job: JobId): void {
    this.checks.delete(job);
    this.step({ kind: "checked", job });
  }

  #ran(run: Run): void {
    this.runs.delete(keyOf(run));
    this.storing.set(run.job, run);
    this.step({ kind: "ran", ...run });
  }

  #settle(job: JobId, attempt: number): void {
    this.storing.delete(job);
    this.step({ kind: "settle", job, attempt, outcome: this.#answered(true) });
  }

  #lost(run: Run): void {
    this.#noteLost(keyOf(run), run);
    this.step({ kind: "lost", ...run });
  }

  #noteLost(key: string, run: Run): void {
    this.runs.delete(key);
    this.losses.set(run.job, (this.losses.get(run.job) ?? 0) + 1);
  }

  #with<T>(from: Iterable<T>, act: (one: T) => void): void {
    const all = [...from];
    if (all.length > 0) act(this.#random.pick(all));
  }

  #withOperation(act: (operation: OperationId) => void): void {
    this.#with(this.open.keys(), act);
  }

  #note(effect: ExecutionEffect): void {
    switch (effect.kind) {
      case "check":
        assert.ok(!this.made.has(effect.job), "a job is checked twice");
        this.made.add(effect.job);
        this.checks.add(effect.job);
        break;
      case "run":
        this.#noteRun(effect);
        break;
      case "changed":
        if (effect.view.stage === "completed") this.open.get(effect.operation)!.doneTimes++;
        break;
      case "forget":
        assert.equal(this.open.get(effect.operation)?.doneTimes, 1, "an operation is forgotten without an answer");
        this.open.delete(effect.operation);
        break;
      case "release":
        assert.ok(!this.released.has(effect.job), "a job is released twice");
        this.released.add(effect.job);
        this.checks.delete(effect.job);
        this.storing.delete(effect.job);
        break;
      case "stop":
    }
  }

  #noteRun(run: Run): void {
    assert.ok(!this.released.has(run.job), "a job starts that is over");
    const waiting = this.machine.operationsOf(run.job).size;
    assert.ok(waiting > 0 || this.kept.has(run.job), "a job starts that nobody waits for");
    for (const other of this.runs.values()) assert.notEqual(other.job, run.job, "a job runs twice at once");
    this.runs.set(keyOf(run), { job: run.job, attempt: run.attempt, worker: run.worker });
    const runs = (this.runsOf.get(run.job) ?? 0) + 1;
    this.runsOf.set(run.job, runs);
    assert.equal(runs, 1 + (this.losses.get(run.job) ?? 0), "a job runs again that lost no worker");
    assert.ok(runs <= 1 + this.limits.requeuesMax, "a job runs too often");
  }

  /** After every event. */
  #check(): void {
    const counts = this.machine.counts();
    for (const { worker, slots, used } of this.machine.workers()) {
      const runs = [...this.runs.values()].filter((run) => run.worker === worker).length;
      assert.ok(used <= slots, `worker ${worker} has ${used} runs in ${slots} slots`);
      assert.equal(used, runs, `worker ${worker} has slots that nothing runs in`);
    }
    assert.equal(counts.running, this.runs.size);
    for (const [operation, { doneTimes }] of this.open) {
      const view = this.machine.view(operation);
      assert.ok(view !== undefined, `operation ${operation} is lost`);
      assert.equal(doneTimes, view.stage === "completed" ? 1 : 0, `${operation} is answered ${doneTimes} times`);
      if (view.stage === "completed" || view.job === undefined) continue;
      assert.ok(this.machine.operationsOf(view.job).has(operation), `the job of ${operation} does not know it`);
    }
    assert.ok(counts.completed <= this.limits.keptMax);
    assert.ok(counts.completed <= 1 || counts.keptBytes <= this.limits.keptMaxBytes);
  }
}

function keyOf({ job, attempt }: { readonly job: JobId; readonly attempt: number }): string {
  return `${job}.${attempt}`;
}

const ACTIONS = [
  ...(["open", "open", "open", "admit", "admit", "admit", "admit", "answer", "watch", "unwatch", "unwatch"] as const),
  ...(["cancel", "delete", "checked", "checked", "checked", "lacking", "ran", "ran", "ran", "stored"] as const),
  ...(["stored", "lost", "late", "join", "leave", "wait"] as const),
] as const;
