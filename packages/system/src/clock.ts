/** The `Clock` port on Node's timers. */
import type { Clock, Timer } from "@kahn/core";

/** Longer delays overflow Node's timers, which then fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Real time. `monotonicMs` counts from the start of this process. */
export function nodeClock(): Clock {
  return { nowMs: () => Date.now(), monotonicMs: () => performance.now(), setTimer };
}

function setTimer(delayMs: number, fire: () => void): Timer {
  if (delayMs <= 0) {
    // Node makes a millisecond of no delay: too much for those who only let others have their turn.
    const turn = setImmediate(fire);
    return { cancel: () => clearImmediate(turn) };
  }
  let leftMs = delayMs;
  let handle: NodeJS.Timeout;
  const arm = () => {
    const stepMs = Math.min(leftMs, TIMER_MAX_MS);
    leftMs -= stepMs;
    handle = setTimeout(leftMs > 0 ? arm : fire, stepMs);
  };
  arm();
  return { cancel: () => clearTimeout(handle) };
}
