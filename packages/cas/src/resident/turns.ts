/** Long work in a process that has others to serve: every few milliseconds the others have their turn. */
import type { Clock } from "@kahn/core";
import { sleep } from "@kahn/core";

const TURN_MS = 4;

/** Counts the time that one piece of work has had. */
export class Turns {
  readonly #clock: Clock;
  #endMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + TURN_MS;
  }

  /** True when the work has had its time; it should then await `pass`. */
  get isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endMs;
  }

  /** Lets others work. */
  async pass(): Promise<void> {
    await sleep(this.#clock, 0);
    this.#endMs = this.#clock.monotonicMs() + TURN_MS;
  }
}
