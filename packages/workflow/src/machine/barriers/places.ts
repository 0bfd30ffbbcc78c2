/**
 * Where barriers are: those that a visit's id or a pattern of paths names, with the graph that each is in.
 *
 * Invariant: of a visit that is open, or is an item of a map that is open, the node is the one that is really there; the
 *            body of a map may give each item another. Of what is still to come it is the one that the graph shows.
 */
import type { AnyBarrier, AnyNode, FlowGraph } from "../../definition/nodes.ts";
import type { Desk } from "../moves/desk.ts";
import type { Visit } from "../state/run-state.ts";

/** A barrier of any state. */
export type Barrier = AnyBarrier<Readonly<Record<string, unknown>>>;

/** One barrier. */
export interface BarrierPlace {
  readonly barrier: Barrier;
  /** The graph in whose frame it is. */
  readonly graph: FlowGraph;
  /** Its name there, or that of its branch. */
  readonly name: string;
  /** Whether it is a branch of a node with branches. */
  readonly isBranch: boolean;
}

/** A visit's path without occurrences: `sub#1/review#2` → `sub/review`. */
export function staticPath(id: string): string {
  return id.replace(/#\d+/g, "");
}

/** Whether a pattern names a path; `*` stands for one part. */
export function matchesPath(pattern: string, path: string): boolean {
  if (pattern === path) return true;
  if (!pattern.includes("*")) return false;
  const wanted = pattern.split("/");
  const parts = path.split("/");
  return wanted.length === parts.length && wanted.every((part, index) => part === "*" || part === parts[index]);
}

/** The barriers that a path without occurrences names; several, if it has a `*`. */
export function barriersAt(graph: FlowGraph, pattern: string): readonly BarrierPlace[] {
  const [head = "", ...rest] = pattern.split("/");
  const found: BarrierPlace[] = [];
  for (const [name, node] of named(graph.nodes, head)) descend({ node, graph, name, isBranch: false }, rest, found);
  return found;
}

/** The barriers that a decision is for: one visit's, or those of a pattern. */
export function barriersMeant(
  desk: Desk,
  { barrier, node = "" }: { readonly barrier?: string | undefined; readonly node?: string | undefined },
): readonly BarrierPlace[] {
  if (barrier === undefined) return barriersAt(desk.graph, node);
  const present = presentPlace(desk, barrier);
  if (present === undefined) return barriersAt(desk.graph, staticPath(barrier));
  return present.node?.kind === "barrier" ? [{ ...present, barrier: present.node }] : [];
}

interface Place {
  readonly node: AnyNode | undefined;
  readonly graph: FlowGraph;
  readonly name: string;
  readonly isBranch: boolean;
}

/** What is at the id of a visit that is open, or that a fan which is open has still to begin. */
function presentPlace(desk: Desk, id: string): Place | undefined {
  const visit = desk.state.visits.get(id);
  if (visit !== undefined) return { ...inFrame(desk, visit), node: desk.nodeOf(visit), name: visit.node };
  const cut = id.lastIndexOf("/");
  const parent = cut < 0 ? undefined : desk.state.visits.get(id.slice(0, cut));
  if (parent?.phase.kind !== "fan") return undefined;
  const name = id.slice(cut + 1);
  const branch = desk.guard(`the body of ${parent.id}`, () => desk.branchOf(parent, name));
  return { ...inFrame(desk, parent), isBranch: true, node: branch.ok ? branch.value : undefined, name };
}

function inFrame(desk: Desk, visit: Visit) {
  return { graph: desk.graphOf(desk.frameOf(visit)), isBranch: visit.parent !== undefined };
}

function descend(place: Place, rest: readonly string[], found: BarrierPlace[]): void {
  const { node, graph } = place;
  const [next, ...after] = rest;
  if (next === undefined) {
    if (node?.kind === "barrier") found.push({ ...place, barrier: node });
  } else if (node?.kind === "subgraph") {
    for (const [name, inner] of named(node.graph.nodes, next))
      descend({ node: inner, graph: node.graph, name, isBranch: false }, after, found);
  } else if (node?.kind === "parallel") {
    const branches = new Map(Object.entries(node.branches as Readonly<Record<string, AnyNode>>));
    for (const [name, branch] of named(branches, next))
      descend({ node: branch, graph, name, isBranch: true }, after, found);
  } else if (node?.kind === "map") {
    descend({ node: node.shape as AnyNode, graph, name: next, isBranch: true }, after, found);
  }
}

function named(nodes: ReadonlyMap<string, AnyNode>, part: string): Iterable<readonly [string, AnyNode]> {
  if (part === "*") return nodes;
  const node = nodes.get(part);
  return node === undefined ? [] : [[part, node]];
}
