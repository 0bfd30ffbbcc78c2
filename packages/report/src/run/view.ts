/**
 * The view of a run: what its events say so far.
 *
 * Owns:      the fold from events to what can be shown; terminal, plain text and summaries all read this.
 * Invariant: a pure function of the events given, so a journal replayed shows what the live run showed.
 */
import type { MissReason, PlannedNodeRecord, Problem, RunCounts, RunEvent, RunStatus } from "@kahn/core";

/** A node that runs. */
export interface RunningNode {
  readonly node: number;
  readonly sinceMs: number;
}

/** How a node ended. */
export type SettledNode = Extract<RunEvent, { kind: "node.settled" }>;

/** What is known of a run. Members are replaced or filled as events come. */
export interface RunView {
  readonly nodes: PlannedNodeRecord[];
  readonly running: Map<number, RunningNode>;
  readonly settled: Map<number, SettledNode>;
  readonly missed: Map<number, readonly MissReason[]>;
  readonly warnings: { readonly node: number | undefined; readonly problem: Problem }[];
  readonly counts: { -readonly [Key in keyof RunCounts]: RunCounts[Key] };
  savedMs: number;
  /** How many of the cached results came from a remote cache. */
  remoteHits: number;
  /** How many of the executed ones a server ran. */
  remoteExecuted: number;
  startedAtMs: number | undefined;
  concurrency: number;
  cancelling: boolean;
  finished: { readonly status: RunStatus; readonly durationMs: number; readonly problem?: Problem } | undefined;
}

/** A view before any event. */
export function emptyRunView(): RunView {
  return {
    nodes: [],
    running: new Map(),
    settled: new Map(),
    missed: new Map(),
    warnings: [],
    counts: { executed: 0, cached: 0, failed: 0, errored: 0, skipped: 0, cancelled: 0 },
    savedMs: 0,
    remoteHits: 0,
    remoteExecuted: 0,
    startedAtMs: undefined,
    concurrency: 1,
    cancelling: false,
    finished: undefined,
  };
}

/** Takes in one event. */
export function foldRunEvent(view: RunView, event: RunEvent): void {
  switch (event.kind) {
    case "run.started":
      view.startedAtMs = event.atMs;
      view.concurrency = event.concurrency;
      break;
    case "run.planned":
      for (const node of event.nodes) view.nodes[node.node] = node;
      break;
    case "node.missed":
      view.missed.set(event.node, event.reasons);
      break;
    case "node.started":
      view.running.set(event.node, { node: event.node, sinceMs: event.atMs });
      break;
    case "node.settled":
      foldSettled(view, event);
      break;
    case "node.warned":
      view.warnings.push({ node: event.node, problem: event.problem });
      break;
    case "run.warned":
      view.warnings.push({ node: undefined, problem: event.problem });
      break;
    case "run.cancelling":
      view.cancelling = true;
      break;
    case "run.finished": {
      const { status, durationMs, savedMs, remoteHits = 0, remoteExecuted = 0 } = event;
      Object.assign(view.counts, event.counts);
      view.savedMs = savedMs;
      view.remoteHits = remoteHits;
      view.remoteExecuted = remoteExecuted;
      view.finished = { status, durationMs, ...(event.problem === undefined ? {} : { problem: event.problem }) };
      break;
    }
    case "node.ready":
    case "node.retried":
      break;
  }
}

function foldSettled(view: RunView, event: SettledNode): void {
  view.running.delete(event.node);
  view.settled.set(event.node, event);
  if (event.end !== "succeeded") view.counts[event.end]++;
  else if (event.source !== undefined) view.counts[event.source]++;
  if (event.source === "cached") view.savedMs += event.durationMs ?? 0;
}

/** The label of a node. */
export function labelOf(view: RunView, node: number): string {
  return view.nodes[node]?.label ?? `node ${node}`;
}

/**
 * Milliseconds that the rest of the run is expected to take: the remaining work spread over the slots, and no less
 * than the longest chain of it; `undefined` while most of it never ran before.
 */
export function remainingMs(view: RunView, nowMs: number): number | undefined {
  const chain = new Map<number, number>();
  let work = 0;
  let known = 0;
  let open = 0;
  // Dependencies have lower or higher numbers as it comes, so chains are followed with a memo, not in one pass.
  const lengthOf = (node: number): number => {
    const memo = chain.get(node);
    if (memo !== undefined) return memo;
    chain.set(node, 0);
    let below = 0;
    for (const dependency of view.nodes[node]!.requires) below = Math.max(below, lengthOf(dependency));
    const length = below + ownMs(view, node, nowMs);
    chain.set(node, length);
    return length;
  };
  let longest = 0;
  for (const { node, estimateMs, persistent } of view.nodes) {
    if (view.settled.has(node) || persistent === true) continue;
    open++;
    if (estimateMs !== undefined) known++;
    work += ownMs(view, node, nowMs);
    longest = Math.max(longest, lengthOf(node));
  }
  return known * 2 < open ? undefined : Math.max(longest, work / Math.max(1, view.concurrency));
}

function ownMs(view: RunView, node: number, nowMs: number): number {
  if (view.settled.has(node)) return 0;
  const estimateMs = view.nodes[node]?.estimateMs ?? 0;
  const running = view.running.get(node);
  return running === undefined ? estimateMs : Math.max(0, estimateMs - (nowMs - running.sinceMs));
}
