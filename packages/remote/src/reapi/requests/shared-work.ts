/**
 * Work that a call begins and that is worth more than the call: done once for all who ask for the same, a few at a time,
 * and given up when nobody waits for it any more.
 *
 * Owns:      who waits for what, the lanes, and when work is broken off.
 * Invariant: never more than `atOnceMax` is under way; what waits for a lane is waited for by somebody; who asks for what
 *            was broken off has it begun anew.
 */
import type { Clock, Timer } from "@kahn/core";
import { StatusCode, StatusError } from "../../grpc/index.ts";

/** Bounds of work of one kind. */
export interface SharedWorkOptions {
  readonly clock: Clock;
  readonly atOnceMax: number;
  /** How long work that has begun goes on when those who asked have gone: they may come back. */
  readonly abandonedMs: number;
}

interface Entry<T> {
  readonly abort: AbortController;
  readonly outcome: Promise<T>;
  hasBegun: boolean;
  waiters: number;
  timer: Timer | undefined;
}

/** Work of one kind, by what tells one piece from another. */
export class SharedWork<T> {
  readonly #options: SharedWorkOptions;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #line = new Set<() => void>();
  #busy = 0;

  constructor(options: SharedWorkOptions) {
    this.#options = options;
  }

  /**
   * Does the work, or joins the same under way.
   *
   * @param of `signal` is the caller's; `work` gets another, which aborts when it is broken off. It must end then.
   * @returns what the work returns, or rejects with what it throws. @throws StatusError CANCELLED when the caller leaves.
   */
  async run(key: string, of: { readonly signal: AbortSignal; work(signal: AbortSignal): Promise<T> }): Promise<T> {
    const entry = this.#entries.get(key) ?? this.#begin(key, of.work);
    entry.waiters++;
    entry.timer?.cancel();
    entry.timer = undefined;
    try {
      return await Promise.race([entry.outcome, left(of.signal)]);
    } finally {
      if (--entry.waiters === 0 && this.#entries.get(key) === entry) this.#abandon(key, entry);
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Entry<T> {
    const abort = new AbortController();
    const begin = async (): Promise<T> => {
      await this.#lane(abort.signal);
      try {
        abort.signal.throwIfAborted();
        entry.hasBegun = true;
        return await work(abort.signal);
      } finally {
        this.#busy--;
        const [next] = this.#line;
        // What was broken off while it waited has held none of the lanes.
        if (this.#busy < this.#options.atOnceMax) next?.();
        entry.timer?.cancel();
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      }
    };
    const outcome = Promise.resolve().then(begin);
    // Nobody may be left to hear of it.
    outcome.catch(() => {});
    const entry: Entry<T> = { abort, outcome, hasBegun: false, waiters: 0, timer: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Resolves with a lane taken, also when the signal aborts before one is free. */
  async #lane(signal: AbortSignal): Promise<void> {
    if (this.#busy >= this.#options.atOnceMax && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          this.#line.delete(go);
          signal.removeEventListener("abort", go);
          this.#busy++;
          resolve();
        };
        this.#line.add(go);
        signal.addEventListener("abort", go);
      });
    } else this.#busy++;
  }

  #abandon(key: string, entry: Entry<T>): void {
    const { clock, abandonedMs } = this.#options;
    const stop = (): void => {
      this.#entries.delete(key);
      entry.abort.abort(new StatusError(StatusCode.cancelled, "nobody waits for it any more"));
    };
    if (!entry.hasBegun || abandonedMs === 0) stop();
    else entry.timer = clock.setTimer(abandonedMs, stop);
  }
}

function left(signal: AbortSignal): Promise<never> {
  const gone = (): StatusError => new StatusError(StatusCode.cancelled, "the caller has gone");
  return new Promise((_, reject) => {
    if (signal.aborted) reject(gone());
    else signal.addEventListener("abort", () => reject(gone()), { once: true });
  });
}
