/**
 * The time of one run in this process: wall time that never goes back.
 *
 * Invariant: between two readings at least as much passes as the monotonic clock says. A wall clock that is set back
 *            makes no duration negative and holds no timer up; one that is ahead (a machine that slept) is believed.
 */
import type { Clock, Timer } from "@kahn/core";

/** Longer timers are set in parts: what Node takes at most. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** See the head of the file. */
export class RunClock {
  readonly #clock: Clock;
  #lastMs: number;
  #monotonicMs: number;

  /** @param fromMs what the journal says is past already. */
  constructor(clock: Clock, fromMs: number) {
    this.#clock = clock;
    this.#lastMs = Math.max(fromMs, clock.nowMs());
    this.#monotonicMs = clock.monotonicMs();
  }

  /** Milliseconds since the epoch, whole. */
  nowMs(): number {
    const monotonicMs = this.#clock.monotonicMs();
    const passedMs = Math.floor(monotonicMs - this.#monotonicMs);
    const wallMs = this.#clock.nowMs();
    this.#monotonicMs += passedMs;
    this.#lastMs = Math.max(wallMs, this.#lastMs + passedMs);
    return this.#lastMs;
  }

  /** Fires when this clock shows `dueMs`, and never before: a timer of the system may be a millisecond early. */
  setTimer(dueMs: number, fire: () => void): Timer {
    let timer: Timer;
    const wait = () => {
      const leftMs = Math.max(0, dueMs - this.nowMs());
      timer = this.#clock.setTimer(Math.min(TIMER_MAX_MS, leftMs), () => (this.nowMs() < dueMs ? wait() : fire()));
    };
    wait();
    return { cancel: () => timer.cancel() };
  }
}
