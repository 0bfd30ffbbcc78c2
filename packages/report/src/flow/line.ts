/** One line for each thing that a workflow's run tells: a table of renderers, so that no kind of event is forgotten. */
import type { FlowEvent, NodeError } from "@kahn/workflow";
import type { Paint } from "../text/paint.ts";
import { durationText } from "../text/units.ts";
import { type FlowView, type OpenVisit, parentOf } from "./view.ts";

/** What a line is made from: the view after the event, and the visit that it ended. */
export interface FlowLineContext {
  readonly view: FlowView;
  readonly visit: OpenVisit | undefined;
  readonly paint: Paint;
  /** Whether beginnings are told, too; a terminal shows what runs by itself. */
  readonly tellsStarts: boolean;
}

/** Of the branches of one node, so many failures are told; the rest are counted. */
const FAILURES_MAX = 5;

type Renderers = {
  readonly [T in FlowEvent["type"]]: (
    event: Extract<FlowEvent, { type: T }>,
    context: FlowLineContext,
  ) => string | undefined;
};

const nothing = () => undefined;

const RENDERERS: Renderers = {
  "run.started": (event, { paint }) =>
    `${paint("▶", "cyan")} ${event.graph} ${paint(`version ${event.version} · run ${event.run}`, "dim")}`,
  "run.resumed": (event, { paint, view }) => {
    const mode = event.mode === "strict" ? "" : ` · ${event.mode}`;
    return `${paint("▶", "cyan")} ${view.graph} resumed ${paint(`version ${event.version} · run ${event.run}${mode}`, "dim")}`;
  },
  "node.started": (event, context) => startLine(event.path, context),
  "node.committed": (event, { visit, paint }) => {
    const ways = { fallback: "fell back", error: "failed, and the graph goes on", timeout: "timed out" } as const;
    const how = event.how === undefined ? undefined : ways[event.how];
    const mark = how === undefined ? paint("✔", "green") : paint("↪", "yellow");
    const why = event.why ?? event.error?.message;
    // Why it failed was told when it did.
    const isTold = how === undefined || (event.how === "error" && visit === undefined);
    const said = [visit?.verdict, how, isTold ? undefined : why].filter((each) => each !== undefined);
    const next = event.next.length === 0 ? "" : paint(` → ${event.next.join(", ")}`, "dim");
    return `${mark} ${event.path}${took(visit, event.atMs)}${said.length === 0 ? "" : ` ${said.join(": ")}`}${next}`;
  },
  "node.retrying": (event, { paint }) => {
    const waitMs = Math.max(0, event.dueMs - event.atMs);
    return `${paint("↻", "yellow")} ${event.path} attempt ${event.attempt} in ${durationText(waitMs)}: ${event.error.message}`;
  },
  "node.failed": (event, { view, visit, paint }) => {
    const failed = view.visits.get(parentOf(event.path))?.fan?.failed ?? 0;
    if (failed > FAILURES_MAX) return undefined;
    const verdict = visit?.verdict === undefined ? "" : ` ${visit.verdict};`;
    return `${paint("✖", "red")} ${event.path}${took(visit, event.atMs)}${verdict} ${errorText(event.error)}`;
  },
  "node.skipped": (event, { view, paint }) => {
    if (view.visits.get(parentOf(event.path))?.fan !== undefined) return undefined;
    const why = event.why === "abandoned" ? "given up" : "not needed any more";
    return `${paint("○", "yellow")} ${event.path} ${why}`;
  },
  "fan.opened": (event, { paint }) => paint(`· ${event.path} opens ${event.count} branches`, "dim"),
  "branch.started": nothing,
  "branch.committed": (event, { view, paint }) => {
    const path = parentOf(event.path);
    const fan = view.visits.get(path)?.fan;
    if (fan === undefined || !isTenth(fan.done, fan.count)) return undefined;
    return paint(`· ${path} ${fan.done}/${fan.count} branches`, "dim");
  },
  "subgraph.opened": nothing,
  "state.changed": nothing,
  "barrier.opened": (event, { paint }) => {
    const left = event.dueMs === undefined ? "" : `, ${durationText(Math.max(0, event.dueMs - event.atMs))} left`;
    return `${paint("⏸", "yellow")} ${event.barrier} waits for a decision${left}`;
  },
  "barrier.decided": nothing,
  "barrier.timedout": nothing,
  "decision.recorded": (event, { paint }) => {
    if (event.ack === "accepted") return undefined;
    return paint(
      `· a decision for ${event.target} came${event.by === undefined ? "" : ` from ${event.by}`}: ${event.ack}`,
      "dim",
    );
  },
  "decision.revoked": (event, { paint }) => paint(`· the decision ${event.token} was taken back`, "dim"),
  "join.fired": nothing,
  "checkpoint.saved": (event, { paint }) => paint(`· checkpoint ${event.name}`, "dim"),
  observed: (event, { paint }) => `${paint("!", "yellow")} ${event.path} ${errorText(event.error)}`,
  "run.cancelling": (event) => `cancelling: ${event.reason}`,
  "run.completed": nothing,
  "run.failed": nothing,
  "run.cancelled": nothing,
  "run.suspended": nothing,
};

/** The line for an event, without a newline; `undefined` for what is only counted. */
export function flowLine(event: FlowEvent, context: FlowLineContext): string | undefined {
  const render = RENDERERS[event.type] as (event: FlowEvent, context: FlowLineContext) => string | undefined;
  return render(event, context);
}

function startLine(path: string, { view, paint, tellsStarts }: FlowLineContext): string | undefined {
  if (!tellsStarts || view.visits.get(parentOf(path))?.fan !== undefined) return undefined;
  return paint(`· ${path} started`, "dim");
}

function took(visit: OpenVisit | undefined, atMs: number): string {
  if (visit === undefined) return "";
  const tries = visit.attempt > 1 ? `, attempt ${visit.attempt}` : "";
  return ` ${durationText(Math.max(0, atMs - visit.sinceMs))}${tries}`;
}

/** Told when another tenth of many branches is done; of few each. */
function isTenth(done: number, count: number): boolean {
  return count <= 10 || Math.floor((done * 10) / count) > Math.floor(((done - 1) * 10) / count);
}

/** An error on one line. */
export function errorText(error: NodeError): string {
  const at = error.stack === undefined ? "" : ` at ${placeOf(error.stack)}`;
  return `${error.message.split("\n")[0]} [${error.code}]${at}`;
}

/** The place of the first frame of a stack: `/work/graph.ts:12:7`. */
function placeOf(stack: string): string {
  const [first = ""] = stack.split("\n");
  return /\((.*)\)$/.exec(first)?.[1] ?? first;
}
