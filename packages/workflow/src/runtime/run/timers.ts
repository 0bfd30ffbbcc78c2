/** The timers of one run: of its visits, one each, and of the graces that aborted nodes are given. */
import type { Timer } from "@kahn/core";
import type { FlowRecord } from "../../machine/state/records.ts";
import type { RunClock } from "./clock.ts";

/** See the head of the file. */
export class RunTimers {
  readonly #clock: RunClock;
  readonly #visits = new Map<string, Timer>();
  readonly #graces = new Set<Timer>();

  /** @param clock tells when they are due. */
  constructor(clock: RunClock) {
    this.#clock = clock;
  }

  /** Sets the timer of a visit, instead of the one it has. */
  set(visit: string, dueMs: number, fire: () => void): void {
    this.#visits.get(visit)?.cancel();
    const timer = this.#clock.setTimer(dueMs, () => {
      this.#visits.delete(visit);
      fire();
    });
    this.#visits.set(visit, timer);
  }

  /** Sets one of no visit. */
  after(delayMs: number, fire: () => void): void {
    const timer = this.#clock.setTimer(this.#clock.nowMs() + delayMs, () => {
      this.#graces.delete(timer);
      fire();
    });
    this.#graces.add(timer);
  }

  /** A timer of a visit that is over would keep the process awake. */
  drop(records: readonly FlowRecord[]): void {
    if (this.#visits.size === 0) return;
    for (const record of records) {
      if (record.k !== "c" && record.k !== "b") continue;
      this.#visits.get(record.v)?.cancel();
      this.#visits.delete(record.v);
    }
  }

  /** Cancels all of them. */
  close(): void {
    for (const timer of [...this.#visits.values(), ...this.#graces]) timer.cancel();
  }
}
