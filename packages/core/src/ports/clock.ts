/** Port: time. Every wait and every timestamp in Kahn comes through here, so tests run in virtual time. */

/** A pending timer. */
export interface Timer {
  /** Stops the timer; no effect after it fired. */
  cancel(): void;
}

/** Time as the system sees it. */
export interface Clock {
  /** Wall time in whole milliseconds since the epoch; may jump. For records, never for durations. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start, never going back; may have a fraction. For durations. */
  monotonicMs(): number;
  /** Calls `fire` once after at least `delayMs`. A pending timer keeps the process alive. */
  setTimer(delayMs: number, fire: () => void): Timer;
}

/** Resolves after `delayMs`, or as soon as the signal aborts; never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const finish = () => {
      timer.cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = clock.setTimer(delayMs, finish);
    signal?.addEventListener("abort", finish);
  });
}
