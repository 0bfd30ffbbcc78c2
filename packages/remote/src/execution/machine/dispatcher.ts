/**
 * From the queue to the workers: what waits, what may start where, and what no worker could run.
 *
 * Invariant: what waits is in the queue under everyone it waits for; what was started holds one slot of a worker that
 *            fits, until `ended` or the worker's leaving; a pool with jobs waiting that no worker serves has its grace
 *            running.
 */
import { invariant } from "@kahn/core";
import { Deadlines } from "../queue/deadlines.ts";
import { FairQueue } from "../queue/queue.ts";
import type { Fits, WorkerLoad } from "../queue/worker-slots.ts";
import { WorkerSlots } from "../queue/worker-slots.ts";
import type { Job } from "./job.ts";
import type { AdmittedAction, JobId } from "./operation-state.ts";

/** A job that is to start. */
export interface Start {
  readonly job: Job;
  readonly worker: string;
}

/** Queue and slots together. */
export class Dispatcher {
  readonly #queue = new FairQueue();
  readonly #workers: WorkerSlots<Job>;
  readonly #waiting = new Map<JobId, Job>();
  readonly #unserved: Deadlines<string>;

  constructor(fits: Fits, unservedMs: number) {
    this.#workers = new WorkerSlots(fits);
    this.#unserved = new Deadlines(unservedMs);
  }

  get slots(): number {
    return this.#workers.slots;
  }

  get slotsUsed(): number {
    return this.#workers.used;
  }

  get loads(): WorkerLoad[] {
    return this.#workers.loads();
  }

  /** When the first pool has been without a worker for too long. */
  get nextDueMs(): number {
    return this.#unserved.nextMs;
  }

  /** A job waits from now on, for all its entries; `first`: before all others of its priority. */
  wait(job: Job, nowMs: number, place: "first" | "last"): void {
    this.#waiting.set(job.id, job);
    for (const entry of job.entries) this.#enqueue(job, entry, place);
    this.#noteUnserved(job.pool, nowMs);
  }

  /** One more waits for a job that waits. */
  join(job: Job, entry: AdmittedAction): void {
    this.#enqueue(job, entry, "last");
  }

  /** It shall not start. */
  remove(job: Job): void {
    this.#waiting.delete(job.id);
    this.#queue.remove(job.id);
  }

  /** What can start now, each on the worker with the most free slots. */
  *start(): Generator<Start> {
    const full = new Set<string>();
    while (this.#queue.size > 0) {
      const worker = this.#workers.freest(full);
      if (worker === undefined) return;
      const taken = this.#queue.take((pool) => this.#workers.fits(worker, pool));
      const job = taken === undefined ? undefined : this.#waiting.get(taken);
      if (job === undefined) {
        full.add(worker);
        continue;
      }
      this.#waiting.delete(job.id);
      this.#workers.hold(worker, job);
      yield { job, worker };
    }
  }

  /** A job that was started no longer runs. */
  ended({ job, worker }: Start, durationMs: number): void {
    this.#workers.free(worker, job);
    this.#queue.ended(job.id, durationMs);
  }

  workerJoined(worker: string, slots: number, nowMs: number): void {
    this.#workers.join(worker, slots);
    this.#workersChanged(nowMs);
  }

  /** Returns what ran there; `ended` is to be called for each. */
  workerLeft(worker: string, nowMs: number): readonly Job[] {
    const held = this.#workers.leave(worker);
    this.#workersChanged(nowMs);
    return held;
  }

  /** Jobs of pools whose grace is over. */
  takeUnserved(nowMs: number): Job[] {
    const pools = new Set(this.#unserved.take(nowMs));
    return pools.size === 0 ? [] : [...this.#waiting.values()].filter(({ pool }) => pools.has(pool));
  }

  #enqueue(job: Job, { path, priority, pool }: AdmittedAction, place: "first" | "last"): void {
    invariant(pool === job.pool, `job ${job.id} is merged across pools`);
    this.#queue.add({ job: job.id, path, priority, pool }, place);
  }

  #workersChanged(nowMs: number): void {
    this.#queue.setSlots(this.#workers.slots);
    const pools = new Set([...this.#waiting.values()].map(({ pool }) => pool));
    for (const pool of pools) this.#noteUnserved(pool, nowMs);
  }

  #noteUnserved(pool: string, nowMs: number): void {
    if (this.#workers.serves(pool)) this.#unserved.delete(pool);
    else this.#unserved.add(pool, nowMs);
  }
}
