/**
 * Where flushes are done: in place, which holds up this thread, or in the thread pool.
 *
 * Measured on two shared cores: `fdatasync` in place 120 µs; through the pool and back through the event loop 155 µs,
 * and whoever comes back finds cold caches, which cost a workflow step as much again.
 *
 * Owns:      the choice, for all journals of one store.
 * Invariant: in place only while flushes are quick and one journal alone asks for them. A device that hesitates, an
 *            event loop that is busy with other things (answers come late then) and a second journal each send the
 *            next flush to the pool, where several run side by side and nobody is held up.
 */
import type { Clock } from "@kahn/core";

/** A flush that took longer sends the next one to the pool. */
const QUICK_MS = 1;

/** See the head of the file. */
export class FlushPace {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #last: { readonly journal: object; readonly tookMs: number } | undefined;

  /** @param clock tells how long flushes take. */
  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Flushes for a journal. Rejects with what either of the two throws. */
  async flush(journal: object, handle: { sync(): Promise<void>; syncNow?(): void }): Promise<void> {
    const last = this.#last;
    const beganMs = this.#clock.monotonicMs();
    try {
      if (last?.journal === journal && last.tookMs < QUICK_MS && handle.syncNow !== undefined) handle.syncNow();
      else await handle.sync();
    } finally {
      this.#last = { journal, tookMs: this.#clock.monotonicMs() - beganMs };
    }
  }
}
