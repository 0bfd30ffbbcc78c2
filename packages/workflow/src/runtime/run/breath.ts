/** Lets timers and I/O have their turn between steps that never wait. */
import type { Clock } from "@kahn/core";

/** After so many appends, or so long, others get their turn, though every step was ready at once. */
const BREATH_EVERY = 128;
const BREATH_AFTER_MS = 5;
/** Calls made in one round of the event loop at most. */
const CALLS_AT_ONCE = 256;

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
    return nextRound();
  }
}

/**
 * Calls `call` for each item in order; of many items, a part in each round of the event loop. What a call starts and what
 * ends at once is gone then before more is started, so that a wide fan takes little memory.
 */
export async function inRounds<Item>(items: readonly Item[], call: (item: Item) => void): Promise<void> {
  for (let index = 0; index < items.length; index++) {
    if (index > 0 && index % CALLS_AT_ONCE === 0) await nextRound();
    call(items[index]!);
  }
}

/** Resolves in the next round of the event loop, whatever clock is used. */
function nextRound(): Promise<void> {
  return new Promise((resolve) => {
    inNextRound(resolve);
  });
}
