/** The last lines of a run. */
import type { Paint } from "../text/paint.ts";
import { problemText } from "../text/problem.ts";
import { countText, durationText } from "../text/units.ts";
import { labelOf, type RunView } from "./view.ts";

/** Counts, time, what it saved, and what failed, over several lines. Empty while the run has not finished. */
export function summaryText(view: RunView, paint: Paint): string {
  if (view.finished === undefined) return "";
  const { counts } = view;
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const parts: string[] = [];
  const part = (count: number, text: string, always = false) => {
    if (count > 0 || always) parts.push(`${count} ${text}`);
  };
  part(counts.executed, view.remoteExecuted === 0 ? "executed" : `executed (${view.remoteExecuted} remotely)`, true);
  part(counts.cached, view.remoteHits === 0 ? "cached" : `cached (${view.remoteHits} remotely)`, true);
  part(counts.failed, "failed");
  part(counts.errored, "could not run");
  part(counts.skipped, "skipped");
  part(counts.cancelled, "cancelled");
  const lines = [`${verdict(view, paint)}  ${countText(total, "task")}: ${parts.join(", ")}`, `  ${timeLine(view)}`];
  lines.push(...uncachedLines(view, paint), ...failureLines(view, paint));
  if (view.finished.problem !== undefined) lines.push(problemText(view.finished.problem, paint).trimEnd());
  return `\n${lines.join("\n")}\n`;
}

function verdict(view: RunView, paint: Paint): string {
  switch (view.finished!.status) {
    case "succeeded":
      return paint("✔ done", "green");
    case "failed":
      return paint("✖ failed", "red");
    case "cancelled":
      return paint("○ cancelled", "yellow");
    case "errored":
      return paint("✖ stopped", "red");
  }
}

function timeLine(view: RunView): string {
  const took = durationText(view.finished!.durationMs);
  return view.savedMs === 0 ? `time ${took}` : `time ${took}, saved ${durationText(view.savedMs)} of work`;
}

/** Each reason for which tasks are never cached, with how many it holds back. */
function uncachedLines(view: RunView, paint: Paint): string[] {
  const counts = new Map<string, number>();
  for (const reasons of view.missed.values()) {
    const [first] = reasons;
    if (first?.code !== "not-cacheable") continue;
    const why = first.detail ?? "";
    counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  return [...counts].map(([why, count]) =>
    paint(`  not cached: ${countText(count, "task")}${why === "" ? "" : `, ${why}`}`, "dim"),
  );
}

function failureLines(view: RunView, paint: Paint): string[] {
  const lines: string[] = [];
  for (const event of view.settled.values()) {
    if (event.end !== "failed" && event.end !== "errored") continue;
    const problem = event.problem;
    if (problem === undefined) lines.push(`  ${paint("✖", "red")} ${labelOf(view, event.node)}`);
    else lines.push(problemText(problem, paint).trimEnd());
  }
  return lines;
}
