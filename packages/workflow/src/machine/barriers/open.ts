/** The barriers that wait for somebody, as people are told of them. */
import type { Json } from "@kahn/core";
import type { AcceptedPayload } from "../state/records.ts";
import type { RunState } from "../state/run-state.ts";
import { isWaiting } from "../state/run-state.ts";

/** A barrier that waits. */
export interface OpenBarrier {
  /** What `decide` takes: `review#1`. */
  readonly barrier: string;
  readonly node: string;
  readonly payload?: Json;
  readonly dueMs?: number;
  /** What its approval has to say; `schema` if code of the graph checks that. */
  readonly accept?: AcceptedPayload;
}

/** The barriers of a run that wait. */
export function openBarriers(state: RunState): readonly OpenBarrier[] {
  const open: OpenBarrier[] = [];
  for (const visit of state.visits.values()) {
    const { id, node, phase } = visit;
    if (phase.kind !== "barrier" || !isWaiting(state, visit)) continue;
    const { payload, dueMs, accept } = phase;
    open.push({
      barrier: id,
      node,
      ...(payload === undefined ? {} : { payload }),
      ...(dueMs === undefined ? {} : { dueMs }),
      ...(accept === undefined ? {} : { accept }),
    });
  }
  return open;
}
