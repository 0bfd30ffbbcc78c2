/**
 * Ends a set of processes and makes sure that they have ended.
 *
 * Owns:      the way from TERM over the grace to KILL, and the wait for quiet after the leader's end.
 * Invariant: after `quiet` no signal is ever sent again: the number may be somebody else's.
 */
import type { Clock, Timer } from "@kahn/core";
import { sleep } from "@kahn/core";
import type { ProcessSet } from "./process-set.ts";

/**
 * How long what a leader leaves behind may live unasked: the last stage of a pipe that the shell does not wait for
 * (`> >(tee log)`) still has to write its last lines.
 */
const LINGER_MS = 100;
/** The kernel may take its time with a process in an uninterruptible call; this long we wait for it after KILL. */
const UNKILLABLE_MS = 10_000;
const POLL_MIN_MS = 1;
const POLL_MAX_MS = 32;

type Phase =
  | { readonly kind: "running" }
  | { readonly kind: "asked"; readonly killTimer: Timer }
  | { readonly kind: "killed"; readonly atMs: number }
  | { readonly kind: "quiet" };

/** The ending of one set of processes. */
export class ProcessEnding {
  readonly #set: ProcessSet;
  readonly #clock: Clock;
  readonly #graceMs: number;
  #phase: Phase = { kind: "running" };

  constructor(set: ProcessSet, clock: Clock, graceMs: number) {
    this.#set = set;
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** `term` asks and, after the grace, kills; a second `term` changes nothing. `kill` does not wait. */
  end(how: "term" | "kill"): void {
    const { kind } = this.#phase;
    if (kind === "quiet" || kind === "killed") return;
    if (how === "kill") {
      this.#kill();
      return;
    }
    if (kind === "asked") return;
    this.#phase = { kind: "asked", killTimer: this.#clock.setTimer(this.#graceMs, () => this.#kill()) };
    this.#set.signal("SIGTERM");
    // A stopped process heeds TERM only when it goes on.
    this.#set.signal("SIGCONT");
  }

  /** To be called when the leader has ended: ends the rest and resolves once nothing of it lives. */
  async settle(): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    for (
      let pollMs = POLL_MIN_MS;
      this.#set.hasLive() && !this.#isHopeless();
      pollMs = Math.min(2 * pollMs, POLL_MAX_MS)
    ) {
      if (this.#clock.monotonicMs() - startMs >= LINGER_MS) this.end("term");
      await sleep(this.#clock, pollMs);
    }
    if (this.#phase.kind === "asked") this.#phase.killTimer.cancel();
    this.#phase = { kind: "quiet" };
  }

  #kill(): void {
    if (this.#phase.kind === "asked") this.#phase.killTimer.cancel();
    if (this.#phase.kind === "quiet") return;
    this.#phase = { kind: "killed", atMs: this.#clock.monotonicMs() };
    this.#set.signal("SIGKILL");
  }

  #isHopeless(): boolean {
    return this.#phase.kind === "killed" && this.#clock.monotonicMs() - this.#phase.atMs > UNKILLABLE_MS;
  }
}
