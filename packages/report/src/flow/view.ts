/**
 * The view of a workflow's run: what its events say so far.
 *
 * Owns:      the fold from events to what can be shown: visits that run, branches counted, barriers that wait.
 * Invariant: a pure function of the events given; memory grows with what is open, not with what is over.
 */
import type { FlowEvent } from "@kahn/workflow";

/** A visit that has begun and not ended. */
export interface OpenVisit {
  readonly path: string;
  readonly sinceMs: number;
  attempt: number;
  /** Of a barrier: how it was decided, until the visit ends. */
  verdict?: string;
  /** Of a node with branches. */
  fan?: FanCount;
}

/** The branches of a visit. */
export interface FanCount {
  readonly count: number;
  done: number;
  failed: number;
}

/** A barrier that waits. */
export interface WaitingBarrier {
  readonly barrier: string;
  readonly sinceMs: number;
  readonly dueMs?: number;
}

/** What is known of a run. */
export interface FlowView {
  readonly visits: Map<string, OpenVisit>;
  readonly waiting: Map<string, WaitingBarrier>;
  graph: string;
  version: string;
  startedAtMs: number | undefined;
  /** Visits that ended by themselves. */
  steps: number;
  retries: number;
  /** Number of the last event. */
  seq: number;
}

/** A view before any event. */
export function emptyFlowView(): FlowView {
  const counts = { steps: 0, retries: 0, seq: 0 };
  return { visits: new Map(), waiting: new Map(), graph: "", version: "", startedAtMs: undefined, ...counts };
}

/** Takes in one event. @returns the visit that it ended, as it was before. */
export function foldFlowEvent(view: FlowView, event: FlowEvent): OpenVisit | undefined {
  view.seq = event.seq;
  switch (event.type) {
    case "run.started":
      view.graph = event.graph;
      view.version = event.version;
      view.startedAtMs ??= event.atMs;
      return undefined;
    case "run.resumed":
      view.version = event.version;
      // What ran when the run was left runs again: its time begins anew.
      for (const visit of view.visits.values()) view.visits.set(visit.path, { ...visit, sinceMs: event.atMs });
      return undefined;
    case "node.started":
    case "branch.started":
      begin(view, event);
      return undefined;
    case "node.retrying":
      view.retries++;
      return undefined;
    case "fan.opened":
      visitAt(view, event.path, event.atMs).fan = { count: event.count, done: 0, failed: 0 };
      return undefined;
    case "barrier.opened":
    case "barrier.decided":
    case "barrier.timedout":
      foldBarrier(view, event);
      return undefined;
    case "branch.committed":
    case "node.committed":
    case "node.failed":
    case "node.skipped":
      return end(view, event);
    default:
      return undefined;
  }
}

function begin(view: FlowView, event: Extract<FlowEvent, { type: "node.started" | "branch.started" }>): void {
  const open = view.visits.get(event.path);
  if (open === undefined)
    view.visits.set(event.path, { path: event.path, sinceMs: event.atMs, attempt: event.attempt });
  else open.attempt = event.attempt;
}

function visitAt(view: FlowView, path: string, atMs: number): OpenVisit {
  const open = view.visits.get(path);
  if (open !== undefined) return open;
  const visit: OpenVisit = { path, sinceMs: atMs, attempt: 1 };
  view.visits.set(path, visit);
  return visit;
}

type BarrierEvent = Extract<FlowEvent, { type: "barrier.opened" | "barrier.decided" | "barrier.timedout" }>;

function foldBarrier(view: FlowView, event: BarrierEvent): void {
  if (event.type === "barrier.opened") {
    const due = event.dueMs === undefined ? {} : { dueMs: event.dueMs };
    view.waiting.set(event.barrier, { barrier: event.barrier, sinceMs: event.atMs, ...due });
    visitAt(view, event.barrier, event.atMs);
    return;
  }
  view.waiting.delete(event.barrier);
  visitAt(view, event.barrier, event.atMs).verdict = verdictText(event);
}

const VERDICTS = { approve: "approved", reject: "rejected", modify: "modified", reroute: "rerouted" } as const;
const DEFAULTS = { approve: "approved", reject: "rejected", skip: "passed over" } as const;

function verdictText(event: Exclude<BarrierEvent, { type: "barrier.opened" }>): string {
  if (event.type === "barrier.timedout") return `${DEFAULTS[event.default]}, for nobody decided in time`;
  const by = event.by === undefined ? "" : ` by ${event.by}`;
  const reason = event.reason === undefined || event.reason === "" ? "" : `: ${event.reason}`;
  return `${VERDICTS[event.decision]}${by}${reason}`;
}

type EndEvent = Extract<FlowEvent, { type: "branch.committed" | "node.committed" | "node.failed" | "node.skipped" }>;

function end(view: FlowView, event: EndEvent): OpenVisit | undefined {
  const visit = view.visits.get(event.path);
  view.visits.delete(event.path);
  view.waiting.delete(event.path);
  if (event.type === "node.committed" || event.type === "branch.committed") view.steps++;
  const fan = view.visits.get(parentOf(event.path))?.fan;
  if (fan !== undefined && event.type === "branch.committed") fan.done++;
  if (fan !== undefined && event.type === "node.failed") fan.failed++;
  return visit;
}

/** The visit that a path is inside of: of `gather#1/3` it is `gather#1`. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
