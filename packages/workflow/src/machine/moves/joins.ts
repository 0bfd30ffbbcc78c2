/**
 * Joins: nodes that wait for several tokens.
 *
 * A join that waits until its parents have settled asks whether any token of the frame can still reach it; if none can,
 * parents that have not arrived were skipped (or failed), and it runs with that knowledge. So a skipped branch never
 * leaves a join waiting. What can wait for ever (all parents wanted and one skipped, two joins that wait for each other)
 * ends the frame as a deadlock that says what each join waits for.
 */

import { parentsOf } from "../../definition/draft.ts";
import type { NodeError } from "../../definition/failure.ts";
import type { FlowGraph, ParentOutcome } from "../../definition/nodes.ts";
import type { Frame } from "../state/run-state.ts";
import type { Desk } from "./desk.ts";
import { isNamedTarget } from "./route.ts";

/** Runs every join that may run; true if there was one. */
export function fireJoins(desk: Desk, frame: Frame): boolean {
  let fired = false;
  for (const node of [...frame.joins.keys()]) {
    if (!mayFire(desk, frame, node)) continue;
    const graph = desk.graphOf(frame);
    const arrived = arrivals(graph, frame, node);
    const parents: Record<string, ParentOutcome> = {};
    for (const parent of parentsOfJoin(graph, node)) {
      parents[parent] = arrived.has(parent) ? "arrived" : (frame.ends.get(parent) ?? "skipped");
    }
    const keep = isCounted(graph, node) ? { keep: 1 as const } : {};
    desk.emit({ k: "join", f: frame.id, n: node, t: desk.t, parents, ...keep });
    const prefix = frame.id === "" ? "" : `${frame.id}/`;
    desk.moves.push({ move: "launch", visit: desk.state.visits.get(`${prefix}${node}#${frame.counts.get(node)}`)! });
    fired = true;
  }
  return fired;
}

/** Of `any` and `quorum`, late arrivals belong to the round that has run already. */
function isCounted(graph: FlowGraph, node: string): boolean {
  const { join } = graph.nodes.get(node)!;
  return join === "any" || typeof join === "object";
}

/** The parents whose token counts for the next round. */
function arrivals(graph: FlowGraph, frame: Frame, node: string): ReadonlySet<string> {
  const round = isCounted(graph, node) ? (frame.fired.get(node) ?? 0) : 0;
  const waiting = frame.joins.get(node) ?? new Map<string, number>();
  return new Set([...waiting].filter(([, count]) => count > round).map(([parent]) => parent));
}

function mayFire(desk: Desk, frame: Frame, node: string): boolean {
  const graph = desk.graphOf(frame);
  const arrived = arrivals(graph, frame, node);
  if (arrived.size === 0) return false;
  const { join } = graph.nodes.get(node)!;
  if (join === "any" || [...parentsOfJoin(graph, node)].every((parent) => arrived.has(parent))) return true;
  if (typeof join === "object") return arrived.size >= join.quorum;
  return join === "settled" && !canArrive(desk, frame, node);
}

/** Whether any token of the frame can still reach a join. */
function canArrive(desk: Desk, frame: Frame, node: string): boolean {
  const graph = desk.graphOf(frame);
  const reaching = reachOf(graph, node);
  for (const visit of desk.state.visits.values()) {
    if (visit.frame === frame.id && visit.parent === undefined && reaching.has(visit.node)) return true;
  }
  return [...frame.joins.keys()].some(
    (other) => other !== node && reaching.has(other) && arrivals(graph, frame, other).size > 0,
  );
}

/** Why a frame with nothing running cannot go on; `undefined` when no token waits. */
export function deadlock(desk: Desk, frame: Frame): NodeError | undefined {
  const graph = desk.graphOf(frame);
  const waiting = [...frame.joins.keys()].filter((node) => arrivals(graph, frame, node).size > 0);
  if (waiting.length === 0) return undefined;
  const facts = waiting.map((node) => {
    const arrived = arrivals(graph, frame, node);
    const missing = [...parentsOfJoin(graph, node)].filter((parent) => !arrived.has(parent));
    return [node, `has ${[...arrived].join(", ")}, waits for ${missing.join(", ")}`] as const;
  });
  return {
    class: "Terminal",
    code: "flow-deadlocked",
    message: `nothing runs${frame.id === "" ? "" : ` in ${frame.id}`}, and ${waiting.join(", ")} will never get what they wait for`,
    facts,
    next: 'Let the join be "settled", which goes on without parents that were skipped, or mend the edges.',
  };
}

const parentCache = new WeakMap<FlowGraph, ReadonlyMap<string, ReadonlySet<string>>>();

function parentsOfJoin(graph: FlowGraph, node: string): ReadonlySet<string> {
  let parents = parentCache.get(graph);
  if (parents === undefined) parentCache.set(graph, (parents = parentsOf(graph)));
  return parents.get(node) ?? new Set();
}

const reachCache = new WeakMap<FlowGraph, Map<string, ReadonlySet<string>>>();

/** The nodes from which a node can be reached. */
function reachOf(graph: FlowGraph, node: string): ReadonlySet<string> {
  const cache = reachCache.get(graph) ?? new Map<string, ReadonlySet<string>>();
  reachCache.set(graph, cache);
  const known = cache.get(node);
  if (known !== undefined) return known;
  const reaching = new Set<string>();
  const queue = [node];
  for (const target of queue) {
    for (const name of graph.nodes.keys()) {
      if (reaching.has(name)) continue;
      const leads =
        graph.outgoing.get(name)?.some((edge) => edge.to.includes(target)) === true ||
        isNamedTarget(graph, name, target);
      if (!leads) continue;
      reaching.add(name);
      queue.push(name);
    }
  }
  cache.set(node, reaching);
  return reaching;
}
