/**
 * Workers and their slots: who is there, and who has room.
 *
 * Invariant: a worker holds no more than its slots; what a worker that left held is returned once.
 */
import { invariant } from "@kahn/core";

/** Answers whether a worker can run what needs this pool. Pure. */
export type Fits = (worker: string, pool: string) => boolean;

/** One worker's load. */
export interface WorkerLoad {
  readonly worker: string;
  readonly slots: number;
  readonly used: number;
}

/** Slots of all workers, each held by a `T`. */
export class WorkerSlots<T> {
  readonly #fits: Fits;
  readonly #workers = new Map<string, { readonly slots: number; readonly held: Set<T> }>();

  constructor(fits: Fits) {
    this.#fits = fits;
  }

  join(worker: string, slots: number): void {
    invariant(!this.#workers.has(worker) && slots > 0, `worker ${worker} joins twice, or without a slot`);
    this.#workers.set(worker, { slots, held: new Set() });
  }

  /** Removes a worker and returns what held its slots. */
  leave(worker: string): readonly T[] {
    const held = [...(this.#workers.get(worker)?.held ?? [])];
    this.#workers.delete(worker);
    return held;
  }

  fits(worker: string, pool: string): boolean {
    return this.#fits(worker, pool);
  }

  /** True when a worker is there that could run what needs this pool, busy or not. */
  serves(pool: string): boolean {
    for (const worker of this.#workers.keys()) if (this.#fits(worker, pool)) return true;
    return false;
  }

  /** The worker with the most free slots; `undefined` when all but the excepted are full. */
  freest(except: ReadonlySet<string>): string | undefined {
    let best: string | undefined;
    let mostFree = 0;
    for (const [worker, { slots, held }] of this.#workers) {
      if (slots - held.size <= mostFree || except.has(worker)) continue;
      best = worker;
      mostFree = slots - held.size;
    }
    return best;
  }

  hold(worker: string, holder: T): void {
    const known = this.#workers.get(worker);
    invariant(known !== undefined && known.held.size < known.slots, `worker ${worker} has no free slot`);
    known.held.add(holder);
  }

  /** No effect when the worker has left. */
  free(worker: string, holder: T): void {
    this.#workers.get(worker)?.held.delete(holder);
  }

  get slots(): number {
    let slots = 0;
    for (const worker of this.#workers.values()) slots += worker.slots;
    return slots;
  }

  get used(): number {
    let used = 0;
    for (const { held } of this.#workers.values()) used += held.size;
    return used;
  }

  loads(): WorkerLoad[] {
    return [...this.#workers].map(([worker, { slots, held }]) => ({ worker, slots, used: held.size }));
  }
}
