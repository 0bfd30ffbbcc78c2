/**
 * Where flushes are done: in place, which holds up this thread, or in the thread pool.
 *
 * Measured on two shared cores: `fdatasync` in place 120 µs; through the pool and back through the event loop 155 µs,
 * and whoever comes back finds cold caches, which cost a workflow step as much again.
 *
 * Owns:      the choice, for all journals of one store.
 * Invariant: in place only while flushes are quick and one journal alone asks for them. A device that hesitates, an
 *            event loop that is busy with other things (answers come late then) and a second journal each send the
 *            next flushes to the pool, where several run side by side and nobody is held up.
 */
import type { Clock } from "@kahn/core";

/** A flush that took longer was held up. */
const QUICK_MS = 1;
/**
 * So many flushes go to the pool after one in place was held up. On cores that others keep busy, a thread that blocks in
 * the call gets its core back late: 2.3 ms were measured in place, and 0.7 ms through the pool.
 */
const POOLED_AFTER_SLOW = 64;

/** See the head of the file. */
export class FlushPace {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #pooled = 0;
  #last: { readonly journal: object; readonly tookMs: number } | undefined;

  /** @param clock tells how long flushes take. */
  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Flushes for a journal. Rejects with what either of the two throws. */
  async flush(journal: object, handle: { sync(): Promise<void>; syncNow?(): void }): Promise<void> {
    const last = this.#last;
    const isAlone = last?.journal === journal && last.tookMs < QUICK_MS;
    const isInPlace = isAlone && this.#pooled === 0 && handle.syncNow !== undefined;
    const beganMs = this.#clock.monotonicMs();
    try {
      if (isInPlace) handle.syncNow!();
      else await handle.sync();
    } finally {
      const tookMs = this.#clock.monotonicMs() - beganMs;
      this.#last = { journal, tookMs };
      if (!isInPlace) this.#pooled = Math.max(0, this.#pooled - 1);
      else if (tookMs >= QUICK_MS) this.#pooled = POOLED_AFTER_SLOW;
    }
  }
}
