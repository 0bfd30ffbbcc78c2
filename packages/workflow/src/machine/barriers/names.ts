/** The barriers that could have been meant, in words, for whoever named one that is not there. */
import { closestName } from "@kahn/core";
import type { AnyNode, FlowGraph } from "../../definition/nodes.ts";
import { isWaiting, type RunState } from "../state/run-state.ts";

/** So many are named. */
const NAMES_MAX = 10;

/** The barriers of a graph: the one with the nearest name, or else all of them. */
export function barriersThere(graph: FlowGraph, wanted: string): string {
  const paths = [...pathsOf(graph.nodes, "")];
  const near = closestName(wanted, paths);
  if (near !== undefined) return `did you mean ${near}?`;
  return paths.length === 0 ? "the graph has none" : `the graph has ${listed(paths)}`;
}

/** The visits that wait for a decision. */
export function openNow(state: RunState): string {
  const open = [...state.visits.values()].filter((visit) => isWaiting(state, visit)).map(({ id }) => id);
  return open.length === 0 ? "none is open" : `open: ${listed(open)}`;
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return `${names.slice(0, NAMES_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Without occurrences, as a decision for a node names them; `*` stands for the items of a map. */
function* pathsOf(nodes: Iterable<readonly [string, AnyNode]>, outer: string): Iterable<string> {
  for (const [name, node] of nodes) {
    const path = `${outer}${name}`;
    if (node.kind === "barrier") yield path;
    else if (node.kind === "subgraph") yield* pathsOf(node.graph.nodes, `${path}/`);
    else if (node.kind === "parallel") yield* pathsOf(Object.entries(node.branches as object), `${path}/`);
    else if (node.kind === "map") yield* pathsOf([["*", node.shape as AnyNode]], `${path}/`);
  }
}
