/**
 * One who waits for an operation: messages in order, the last one said to be the last.
 *
 * Invariant: `next` ends, whatever happens: with a message, after the keep-alive with the newest one again, or with
 *            nothing when the signal aborts.
 */
import type { Clock } from "@kahn/core";
import type { Init } from "../../proto/codec.ts";
import type { Operation } from "../../proto/generated/operations.ts";

/** What a watcher is told. */
export interface OperationUpdate {
  readonly message: Init<Operation>;
  readonly isLast: boolean;
}

/** Updates of one operation for one watcher. */
export class OperationWatch {
  readonly #clock: Clock;
  readonly #keepAliveMs: number;
  #newest: OperationUpdate;
  #waiting: OperationUpdate[];
  #wake: (() => void) | undefined;

  constructor(clock: Clock, { first, keepAliveMs }: { readonly first: OperationUpdate; readonly keepAliveMs: number }) {
    this.#clock = clock;
    this.#keepAliveMs = keepAliveMs;
    this.#newest = first;
    this.#waiting = [first];
  }

  /** For the pool: something changed. */
  put(update: OperationUpdate): void {
    this.#newest = update;
    this.#waiting.push(update);
    this.#wake?.();
  }

  /** How it stands now. */
  get newest(): OperationUpdate {
    return this.#newest;
  }

  /** The next message; `undefined` once the signal has aborted. */
  async next(signal: AbortSignal): Promise<OperationUpdate | undefined> {
    if (this.#waiting.length === 0 && !signal.aborted) await this.#changed(signal);
    if (signal.aborted) return undefined;
    return this.#waiting.shift() ?? this.#newest;
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", done);
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#clock.setTimer(this.#keepAliveMs, done);
      signal.addEventListener("abort", done);
      this.#wake = done;
    });
  }
}
