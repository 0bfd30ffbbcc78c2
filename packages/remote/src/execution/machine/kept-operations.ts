/**
 * Completed operations that can still be asked about: for a time, up to a number, up to so many bytes of responses.
 *
 * Invariant: the bounds hold after every call, but for the one that was added last: it stays, however large it is.
 */
import { Deadlines } from "../queue/deadlines.ts";
import type { MachineLimits, OperationId, Outcome } from "./operation-state.ts";

/** Which operations are kept. */
export class KeptOperations {
  readonly #limits: MachineLimits;
  readonly #due: Deadlines<OperationId>;
  readonly #sizes = new Map<OperationId, number>();
  #bytes = 0;

  constructor(limits: MachineLimits) {
    this.#limits = limits;
    this.#due = new Deadlines(limits.keptMs);
  }

  get size(): number {
    return this.#due.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get nextMs(): number {
    return this.#due.nextMs;
  }

  /** Keeps one more; returns those that are no longer kept for it. */
  add(id: OperationId, outcome: Outcome, nowMs: number): OperationId[] {
    const sizeBytes = outcome.kind === "answered" ? outcome.response.length : 0;
    this.#due.add(id, nowMs);
    this.#sizes.set(id, sizeBytes);
    this.#bytes += sizeBytes;
    const dropped: OperationId[] = [];
    while (this.size > 1 && (this.size > this.#limits.keptMax || this.#bytes > this.#limits.keptMaxBytes)) {
      const first = this.#due.first!;
      this.delete(first);
      dropped.push(first);
    }
    return dropped;
  }

  delete(id: OperationId): void {
    this.#due.delete(id);
    this.#bytes -= this.#sizes.get(id) ?? 0;
    this.#sizes.delete(id);
  }

  /** Removes and returns those whose time is over. */
  take(nowMs: number): OperationId[] {
    const taken = this.#due.take(nowMs);
    for (const id of taken) this.delete(id);
    return taken;
  }
}
