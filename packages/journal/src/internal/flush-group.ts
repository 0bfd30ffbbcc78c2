/**
 * Group commit: one flush serves everyone who waits for it.
 *
 * Owns:      who waits for which flush.
 * Invariant: a waiter is answered by a flush that began after it came; at most one flush runs at a time.
 *
 * No waiting for company: a flush begins in the micro-task after the first caller came, so callers of one turn of the
 * event loop share it, and whoever comes while it runs shares the next. A lone caller pays one flush and no delay,
 * and under load the groups grow by themselves to what comes in during one flush (0.2–5 ms).
 */

/** How a flush ended. */
export type FlushOutcome = { readonly kind: "flushed" } | { readonly kind: "failed"; readonly error: unknown };

/** Groups the calls for one flush. */
export class FlushGroup {
  readonly #flush: () => Promise<void>;
  #waiting: ((outcome: FlushOutcome) => void)[] = [];
  #running = false;

  /** @param flush flushes everything written before it is called. */
  constructor(flush: () => Promise<void>) {
    this.#flush = flush;
  }

  /** True while somebody waits. */
  get isBusy(): boolean {
    return this.#running;
  }

  /** Resolves once everything written before this call is flushed, or the flush failed. Never rejects. */
  join(): Promise<FlushOutcome> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#running) return;
      this.#running = true;
      queueMicrotask(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const served = this.#waiting;
      this.#waiting = [];
      const outcome = await this.#attempt();
      // Before the answers, so that a waiter that goes on finds the group at rest.
      this.#running = this.#waiting.length > 0;
      for (const resolve of served) resolve(outcome);
    }
  }

  async #attempt(): Promise<FlushOutcome> {
    try {
      await this.#flush();
      return { kind: "flushed" };
    } catch (error) {
      return { kind: "failed", error };
    }
  }
}
