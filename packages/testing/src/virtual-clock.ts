/**
 * Time that only the test moves.
 *
 * Owns:      the wall time, the monotonic time and every timer of one simulated world.
 * Never:     looks at the real time or waits.
 * Invariant: timers fire in the order of their due times, those due together in the order in which they were set;
 *            while a timer fires, the clock shows the time at which it was due.
 */
import type { Clock, Timer } from "@kahn/core";
import { InvariantError } from "@kahn/core";

interface PendingTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly fire: () => void;
}

/** How often `runAll` fires before it takes the timers for an endless chain. */
const RUN_ALL_MAX = 1_000_000;

/** A clock for tests: stands still until told to move. */
export class VirtualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  /** Sorted by due time, then by the order of setting. */
  readonly #pending: PendingTimer[] = [];

  /** @param startMs wall time at the start, in milliseconds since the epoch. */
  constructor(startMs: number) {
    this.#wallMs = startMs;
  }

  nowMs(): number {
    return Math.floor(this.#wallMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    // Like Node: what is not a number or lies in the past is due at once, yet never fires inside `setTimer`.
    const waitMs = Number.isNaN(delayMs) ? 0 : Math.max(0, delayMs);
    const entry = { dueMs: this.#monotonicMs + waitMs, order: this.#order++, fire };
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#pending[middle]!.dueMs <= entry.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#pending.splice(low, 0, entry);
    return {
      cancel: () => {
        const at = this.#pending.indexOf(entry);
        if (at >= 0) this.#pending.splice(at, 1);
      },
    };
  }

  /** How many timers are waiting. */
  get pendingTimers(): number {
    return this.#pending.length;
  }

  /** Milliseconds until the next timer is due; `undefined` when none is pending. */
  get nextDueInMs(): number | undefined {
    const next = this.#pending[0];
    return next === undefined ? undefined : Math.max(0, next.dueMs - this.#monotonicMs);
  }

  /** Moves both times forward and fires, in order, every timer due by then, those set meanwhile included. */
  advance(byMs: number): void {
    if (!(byMs >= 0)) throw new InvariantError(`a clock cannot be advanced by ${byMs} ms`);
    const untilMs = this.#monotonicMs + byMs;
    for (let next = this.#pending[0]; next !== undefined && next.dueMs <= untilMs; next = this.#pending[0]) {
      this.#fireFirst();
    }
    this.#moveTo(untilMs);
  }

  /** Moves to the next timer and fires that one alone; `false` when none is pending. */
  advanceToNext(): boolean {
    if (this.#pending.length === 0) return false;
    this.#fireFirst();
    return true;
  }

  /**
   * Fires timers until none is left, letting promises settle after each.
   *
   * @throws InvariantError when timers set each other without end.
   */
  async runAll(): Promise<void> {
    await settled();
    for (let fired = 0; this.advanceToNext(); fired++) {
      if (fired >= RUN_ALL_MAX) throw new InvariantError("timers set each other without end");
      await settled();
    }
  }

  /** Sets the wall time alone, as an administrator or NTP would; durations and timers do not notice. */
  jump(wallMs: number): void {
    this.#wallMs = wallMs;
  }

  #fireFirst(): void {
    const first = this.#pending.shift()!;
    this.#moveTo(Math.max(first.dueMs, this.#monotonicMs));
    first.fire();
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Resolves after every promise that can settle without the outside world has settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock that starts at a round time of the year 2024 unless told otherwise. */
export function virtualClock(startMs = 1_704_067_200_000): VirtualClock {
  return new VirtualClock(startMs);
}
