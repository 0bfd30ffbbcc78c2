/** Which run is shown, in one line. */
import { type RunEvent, type RunId, runIdTimeMs } from "@kahn/core";

/** When a run began: `2026-01-31 12:00:00`, in UTC. */
export function startText(run: RunId): string {
  return new Date(runIdTimeMs(run)).toISOString().slice(0, 19).replace("T", " ");
}

/** Its id, its command line as far as the journal has it, and when it began; without a newline. */
export function runTitle(run: RunId, events: Iterable<RunEvent>): string {
  const parts = [`run ${run}`];
  for (const event of events) {
    if (event.kind !== "run.started") continue;
    parts.push(`kahn ${event.argv.join(" ")}`);
    break;
  }
  return [...parts, `${startText(run)} UTC`].join(" · ");
}
