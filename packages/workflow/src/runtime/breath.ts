/** Lets timers and I/O have their turn between steps that never wait. */
import type { Clock } from "@kahn/core";

/** After so many appends, or so long, others get their turn, though every step was ready at once. */
const BREATH_EVERY = 128;
const BREATH_AFTER_MS = 5;

/** Taken when the program starts, so that a test which fakes timers later does not stop its flows. */
const inNextRound = setImmediate;

/** The breaths of one run. */
export class Breath {
  readonly #clock: Clock;
  #appends = 0;
  #lastMs = 0;

  /** @param clock may stand still: appends are counted, too. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Called after each append: resolves in the next round of the event loop when a breath is due, else `undefined`. */
  take(): Promise<void> | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (++this.#appends % BREATH_EVERY !== 0 && nowMs - this.#lastMs < BREATH_AFTER_MS) return undefined;
    this.#lastMs = nowMs;
    return new Promise((resolve) => {
      inNextRound(resolve);
    });
  }
}
