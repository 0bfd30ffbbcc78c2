/** What folding records of every kind stands on. */
import type { Json } from "@kahn/core";
import { InvariantError } from "@kahn/core";
import type { EventSink, FlowEventBody } from "../state/events.ts";
import type { Fan, Frame, RunState, Values, Visit } from "../state/run-state.ts";
import { openVisit } from "../state/run-state.ts";

/** What folding needs besides the records. */
export interface FoldContext {
  /** The value behind its stored form. */
  readonly decode: (json: Json) => unknown;
  /** Told what happened; left out, only the numbers advance. */
  readonly sink?: EventSink | undefined;
  /** What the machine has computed already: the values of a frame after this visit's commit. */
  preview?: { readonly visit: string; readonly values: Values } | undefined;
}

/** Tells an event, or only counts it. */
export function tell(state: RunState, { sink }: FoldContext, body: () => FlowEventBody): void {
  state.events++;
  sink?.({ run: state.run, seq: state.events, atMs: state.lastMs, ...body() });
}

/** The open visit of this id. */
export function visitOf(state: RunState, id: string): Visit {
  const visit = state.visits.get(id);
  if (visit === undefined) throw new InvariantError(`the journal names the visit ${id}, which is not open`);
  return visit;
}

/** The frame of this id. */
export function frameOf(state: RunState, id: string): Frame {
  const frame = state.frames.get(id);
  if (frame === undefined) throw new InvariantError(`the journal names the frame "${id}", which is not open`);
  return frame;
}

/** A frame being folded. */
export interface Place {
  readonly state: RunState;
  readonly context: FoldContext;
  readonly frame: Frame;
}

/** Opens a visit of a frame's node. */
export function startNode({ state, context, frame }: Place, node: string): Visit {
  const visit = openVisit(state, frame, node);
  tell(state, context, () => ({ type: "node.started", path: visit.id, node, attempt: 1 }));
  return visit;
}

/** The branches of an open visit. */
export function fanOf(state: RunState, id: string): Fan {
  const { phase } = visitOf(state, id);
  if (phase.kind !== "fan") throw new InvariantError(`the visit ${id} has no branches`);
  return phase.fan;
}

/** Values from their stored forms. */
export function decodeAll(writes: Readonly<Record<string, Json>>, { decode }: FoldContext): Record<string, unknown> {
  return Object.fromEntries(Object.entries(writes).map(([key, json]) => [key, decode(json)]));
}
