/**
 * Ids of effects: the node and the phase of its life that awaits an answer.
 *
 * Invariant: a node goes through each phase at most once, so an id is used once; an answer is the awaited one exactly
 *            if the node is in that phase. Nothing has to be kept per effect.
 */
import { LOOKUP, RESTORING, RUNNING, STORING } from "./node-table.ts";

const PHASES = [LOOKUP, RESTORING, RUNNING, STORING] as const;

/** The id of the effect that a node in this phase awaits. */
export function effectId(node: number, phase: (typeof PHASES)[number]): number {
  return node * 4 + PHASES.indexOf(phase);
}

/** The node that an id belongs to; not a node's number if the id was never given out. */
export function effectNode(id: number): number {
  return Math.floor(id / 4);
}

/** The phase that an id belongs to; `undefined` for what is no id. */
export function effectPhase(id: number): number | undefined {
  return PHASES[id - 4 * effectNode(id)];
}
