/**
 * The end of a node and what follows from it.
 *
 * Owns:      release of dependents, cascades, the sweeps of cancel and fail-fast.
 * Invariant: after each function no node waits for something that is over, and after a sweep every unsettled node is
 *            in flight (the fixpoint of a drain, reached by going through all nodes instead of along edges).
 */
import type { NodeEnd } from "@kahn/core";
import {
  ANSWERED,
  CACHED,
  CANCELLED,
  ERRORED,
  FAILED,
  LOOKUP,
  QUEUED,
  READY,
  RESTORING,
  SKIPPED,
  SUCCEEDED,
  WAITING,
} from "./node-table.ts";
import type { KernelState, Stop } from "./state.ts";

const END_STATUS = {
  succeeded: SUCCEEDED,
  failed: FAILED,
  errored: ERRORED,
  skipped: SKIPPED,
  cancelled: CANCELLED,
} as const;

/** How a node ends. */
export interface Ending {
  readonly end: NodeEnd;
  /** The root cause, −1 for none. */
  readonly cause: number;
}

/** Ends a node by its own outcome; dependents are released or skipped, and under fail-fast a failure drains the run. */
export function settle(state: KernelState, node: number, ending: Ending): void {
  conclude(state, node, ending);
  const fallen = [node];
  for (const each of fallen) releaseDependents(state, each, fallen);
  if (ending.end === "succeeded" || state.stop.kind !== "no") return;
  state.hasFailure = true;
  if (state.options.failure === "fail-fast") stopWith(state, { kind: "drain", cause: rootOf(state, node) });
}

/** An end for which nothing but the node itself is the cause. */
export function own(end: Exclude<NodeEnd, "skipped" | "cancelled">): Ending {
  return { end, cause: -1 };
}

/** The end of a node that the stop overtook; its cause is the failure that drained the run, if one did. */
export function stopped(state: KernelState): Ending {
  return { end: "cancelled", cause: state.stop.kind === "drain" ? state.stop.cause : -1 };
}

/** Stops admission: everything that is not in flight is cancelled at once. */
export function stopWith(state: KernelState, stop: Stop): void {
  state.stop = stop;
  sweep(state, 0);
}

/** Cancels all nodes from `first` on that are not in flight. */
export function sweep(state: KernelState, first: number): void {
  const { nodes } = state;
  for (let node = first; node < nodes.count; node++) {
    if (nodes.status[node]! <= QUEUED) conclude(state, node, stopped(state));
  }
}

/** A service answers: its dependents may start though it has not ended. */
export function answer(state: KernelState, node: number): void {
  state.nodes.flags[node]! |= ANSWERED;
  const { nodes, edges } = state;
  for (let edge = edges.firstDependent[node]!; edge !== -1; edge = edges.nextDependent[edge]!) {
    const dependent = edges.dependent[edge]!;
    if (nodes.status[dependent] === WAITING) meet(state, dependent);
  }
}

/** Lets a waiting node with nothing unmet go on to its look-up. */
export function makeReady(state: KernelState, node: number): void {
  state.nodes.setStatus(node, READY);
  state.ready.push(node);
}

function rootOf(state: KernelState, node: number): number {
  const cause = state.nodes.cause[node]!;
  return cause === -1 ? node : cause;
}

/** The one place where a node gets its end. */
function conclude(state: KernelState, node: number, { end, cause }: Ending): void {
  const { nodes } = state;
  nodes.setStatus(node, END_STATUS[end]);
  nodes.cause[node] = cause;
  if (end === "succeeded") {
    const source = (nodes.flags[node]! & CACHED) === 0 ? "executed" : "cached";
    state.effects.push({ kind: "settled", node, end, source });
  } else if (cause === -1) state.effects.push({ kind: "settled", node, end });
  else state.effects.push({ kind: "settled", node, end, cause });
}

/** Goes through the dependents of a settled node. Those it takes down with it are added to `fallen`. */
function releaseDependents(state: KernelState, node: number, fallen: number[]): void {
  const { nodes, edges } = state;
  const isOver = nodes.status[node] === SUCCEEDED;
  const wasReleased = (nodes.flags[node]! & ANSWERED) !== 0;
  for (let edge = edges.firstDependent[node]!; edge !== -1; edge = edges.nextDependent[edge]!) {
    const dependent = edges.dependent[edge]!;
    const status = nodes.status[dependent]!;
    if (edges.strict[edge] === 1 && !isOver) {
      if (status <= QUEUED) {
        conclude(state, dependent, { end: "skipped", cause: rootOf(state, node) });
        fallen.push(dependent);
      } else if (status === LOOKUP || status === RESTORING) {
        // Only under a service that answered and then died. A hit still counts; a miss must not be executed.
        nodes.cause[dependent] = rootOf(state, node);
      }
    } else if (status === WAITING && !wasReleased) meet(state, dependent);
  }
}

/** Takes one thing away from what holds a node back. */
function meet(state: KernelState, dependent: number): void {
  if (--state.nodes.unmet[dependent]! === 0) makeReady(state, dependent);
}
