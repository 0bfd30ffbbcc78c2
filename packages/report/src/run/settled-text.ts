/** One line for each way a node can end: a table of renderers, so that a new end does not compile until it has one. */
import type { NodeEnd } from "@kahn/core";
import type { Paint } from "../text/paint.ts";
import { countText, durationText } from "../text/units.ts";
import { missLine } from "./miss-text.ts";
import { labelOf, type RunView, type SettledNode } from "./view.ts";

type Renderer = (view: RunView, event: SettledNode, paint: Paint) => string;

const RENDERERS: Record<NodeEnd, Renderer> = {
  succeeded: (view, event, paint) => {
    const label = labelOf(view, event.node);
    if (event.source === undefined) return `${paint("✔", "green")} ${label}`;
    if (event.source === "cached") {
      const restored = event.restoredFiles ? `, ${countText(event.restoredFiles, "file")} restored` : "";
      const from = event.from === undefined ? "" : ` from ${event.from}`;
      return `${paint("=", "cyan")} ${label} ${paint(`cached${from}${restored}`, "dim")}`;
    }
    const reasons = view.missed.get(event.node) ?? [];
    // Said once for all of them, in the summary.
    const why = reasons[0]?.code === "not-cacheable" ? "" : missLine(reasons);
    // Of a service that we ended there is no time of a command.
    if (event.durationMs === undefined && view.nodes[event.node]?.persistent === true) {
      return `${paint("✔", "green")} ${label} ended, no longer needed`;
    }
    const tries = event.attempts === undefined ? "" : `, attempt ${event.attempts}`;
    const took = `${durationText(event.durationMs ?? 0)}${tries}`;
    return `${paint("✔", "green")} ${label} ${took}${whereText(event)}${why === "" ? "" : paint(` · ${why}`, "dim")}`;
  },
  failed: (view, event, paint) => {
    const took = event.durationMs === undefined ? "" : `, ${durationText(event.durationMs)}`;
    return `${paint("✖", "red")} ${labelOf(view, event.node)} ${howFailed(event)}${took}${whereText(event)}`;
  },
  errored: (view, event, paint) => `${paint("✖", "red")} ${labelOf(view, event.node)} could not be run`,
  skipped: (view, event, paint) => {
    const because = event.cause === undefined ? "" : `: ${labelOf(view, event.cause)} failed`;
    return `${paint("○", "yellow")} ${labelOf(view, event.node)} skipped${because}`;
  },
  cancelled: (view, event, paint) => `${paint("○", "yellow")} ${labelOf(view, event.node)} cancelled`,
};

/** Where it ran, of what could have run elsewhere. */
function whereText({ ran, end }: SettledNode): string {
  if (ran === undefined) return "";
  const { where, cached, before } = ran;
  const place = where === "here" ? " here" : ` on ${where}`;
  const had = cached === true ? ", which had it" : "";
  return `${place}${had}${before === undefined || end !== "succeeded" ? "" : `, before ${before}`}`;
}

function howFailed({ problem, exitCode }: SettledNode): string {
  if (problem?.code === "service-not-ready") return "was not ready in time";
  if (problem?.code === "task-timed-out") return "failed, timed out";
  return exitCode === undefined ? "failed" : `failed, exit ${exitCode}`;
}

/** The line for a node that has settled, without a newline. */
export function settledText(view: RunView, event: SettledNode, paint: Paint): string {
  return RENDERERS[event.end](view, event, paint);
}
