/** How visits and frames close, and take what is inside of them along. */
import type { FlowEventBody } from "../state/events.ts";
import type { Frame, RunState, Visit } from "../state/run-state.ts";

/** Tells an event; the body is made only if somebody listens. */
export type Tell = (body: () => FlowEventBody) => void;

/** A visit of a frame has ended. */
export function closeVisit(state: RunState, visit: Visit): void {
  state.visits.delete(visit.id);
  if (visit.parent === undefined) state.frames.get(visit.frame)!.open--;
}

/** Closes everything inside of a visit: branches that nobody waits for, subgraphs that ended or were left. */
export function dropDescendants(state: RunState, visit: Visit, tell: Tell): void {
  if (visit.phase.kind !== "fan" && visit.phase.kind !== "subgraph") return;
  // Most fans and subgraphs have ended by themselves: nothing is left to look for.
  const fan = visit.phase.kind === "fan" ? visit.phase.fan : undefined;
  if (fan !== undefined && fan.failed.size === 0 && fan.done.size === fan.started) return;
  if (fan === undefined && state.frames.get(visit.id)?.open === 0) {
    state.frames.delete(visit.id);
    return;
  }
  const prefix = `${visit.id}/`;
  for (const inner of [...state.visits.values()]) {
    if (!inner.id.startsWith(prefix)) continue;
    state.visits.delete(inner.id);
    if (inner.error !== undefined) continue;
    tell(() => ({ type: "node.skipped", path: inner.id, node: inner.node, why: "abandoned" }));
  }
  for (const id of [...state.frames.keys()]) if (id === visit.id || id.startsWith(prefix)) state.frames.delete(id);
}

/** Closes all other visits of a frame that one of its nodes has ended. */
export function dropFrame(state: RunState, frame: Frame, tell: Tell): void {
  for (const visit of [...state.visits.values()]) {
    if (visit.frame !== frame.id || visit.parent !== undefined) continue;
    dropDescendants(state, visit, tell);
    closeVisit(state, visit);
    tell(() => ({ type: "node.skipped", path: visit.id, node: visit.node, why: "frame-ended" }));
  }
  frame.joins.clear();
}
