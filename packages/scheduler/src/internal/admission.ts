/**
 * Admission of a delta: all of it or nothing.
 *
 * Owns:      the checks, the entry of nodes and edges, and the critical paths.
 * Invariant: only nodes of the delta have new dependencies, so a cycle lies within one delta, always.
 *
 * Critical paths of earlier nodes: a delta lengthens them as far as it can without disorder or undue cost. Only nodes
 * that are still waiting are raised (those in a queue keep their place), nearest first, and at most RELAXATIONS_PER_ITEM
 * edges are followed for each node and edge of the delta. What is beyond keeps an estimate that is too short: that
 * costs order, never correctness. Without the bound a chain admitted link by link would cost O(n²).
 */
import { findCycles, graphFromLists, InvariantError, topologicalOrder } from "@kahn/core";
import type { DeltaProblem, NodeSpec } from "../kernel-types.ts";
import { ANSWERED, PINNED, RUNNING, SERVICE, SUCCEEDED, TASK, WAITING } from "./node-table.ts";
import type { KernelState } from "./state.ts";

const RELAXATIONS_PER_ITEM = 8;
const LIFETIMES = { task: TASK, service: SERVICE, pinned: PINNED } as const;

/** What admission found. */
export type Admission =
  | { readonly kind: "rejected"; readonly reasons: readonly DeltaProblem[] }
  /** The nodes are entered as waiting; `doomed` are those with a requirement that has already failed. */
  | { readonly kind: "admitted"; readonly first: number; readonly doomed: readonly (readonly [number, number])[] };

/** Checks a delta and enters it. Changes nothing if it is rejected. */
export function admit(state: KernelState, specs: readonly NodeSpec[]): Admission {
  if (state.isSealed) return { kind: "rejected", reasons: [{ code: "sealed" }] };
  const first = state.nodes.count;
  const problems: DeltaProblem[] = [];
  let edgeCount = 0;
  let isAscending = true;
  const total = first + specs.length;
  for (let at = 0; at < specs.length; at++) {
    const spec = specs[at]!;
    const node = first + at;
    edgeCount += spec.requires.length + spec.after.length;
    for (const list of [spec.requires, spec.after, spec.validates]) {
      for (const edge of list) {
        if (edge >= 0 && edge < node && Number.isInteger(edge)) continue;
        if (edge === node) problems.push({ code: "self-edge", node });
        else if (!(edge >= 0 && edge < total && Number.isInteger(edge))) {
          problems.push({ code: "unknown-node", node, edge });
        } else if (list !== spec.validates) isAscending = false;
      }
    }
    const claim = state.resources.intern(spec.claim);
    for (const problem of state.resources.problemsOf(claim)) problems.push({ ...problem, node });
  }
  let order: Int32Array | undefined;
  if (!isAscending) {
    const graph = graphFromLists(innerLists(specs, first));
    order = topologicalOrder(graph);
    if (order === undefined) {
      for (const cycle of findCycles(graph)) problems.push({ code: "cycle", nodes: cycle.map((node) => node + first) });
    }
  }
  if (problems.length > 0) return { kind: "rejected", reasons: problems };
  const doomed = enter(state, specs, edgeCount);
  lengthenPaths(state, first, order);
  return { kind: "admitted", first, doomed };
}

/** The edges that order nodes of the delta among themselves, renumbered from 0; wrong ones are left out. */
function innerLists(specs: readonly NodeSpec[], first: number): number[][] {
  return specs.map((spec, at) => {
    const inner = (edge: number) => edge >= first && edge < first + specs.length && edge !== first + at;
    return [...spec.requires, ...spec.after].filter(inner).map((edge) => edge - first);
  });
}

/** Enters nodes and distinct edges, and counts what holds each node back. */
function enter(state: KernelState, specs: readonly NodeSpec[], edgeCount: number): [number, number][] {
  const { nodes, edges } = state;
  const first = nodes.count;
  nodes.reserve(specs.length);
  edges.reserve(first + specs.length, edgeCount);
  const firstEdge = edges.count;
  for (const spec of specs) {
    const node = nodes.add();
    edges.addNode(node);
    nodes.claim[node] = state.resources.intern(spec.claim);
    nodes.lifetime[node] = LIFETIMES[spec.lifetime];
    nodes.priorityClass[node] = finite(spec.priorityClass);
    nodes.weightMs[node] = Math.max(0, finite(spec.weightMs));
    nodes.pathMs[node] = nodes.weightMs[node]!;
    enterEdges(state, node, spec);
  }
  const doomed: [number, number][] = [];
  for (let edge = firstEdge; edge < edges.count; edge++) {
    edges.link(edge);
    const node = edges.dependent[edge]!;
    const dependency = edges.dependency[edge]!;
    if (!isMet(state, dependency, edges.strict[edge] === 1)) nodes.unmet[node]!++;
    const isBad = edges.strict[edge] === 1 && nodes.status[dependency]! > SUCCEEDED;
    if (isBad) doomed.push([node, dependency]);
  }
  return doomed;
}

/** Enters the distinct edges of one node. `requires` comes first: it says more than an `after` to the same node. */
function enterEdges({ nodes, edges }: KernelState, node: number, spec: NodeSpec): void {
  const offered = spec.requires.length + spec.after.length;
  for (let at = 0; at < offered; at++) {
    const strict = at < spec.requires.length;
    const dependency = strict ? spec.requires[at]! : spec.after[at - spec.requires.length]!;
    if (nodes.namedBy[dependency] === node + 1) continue;
    nodes.namedBy[dependency] = node + 1;
    edges.add(node, dependency, strict ? 1 : 0);
  }
}

/** True if an edge to this dependency holds nothing back: it is over, or it is a service that answers. */
export function isMet({ nodes }: Pick<KernelState, "nodes">, dependency: number, strict: boolean): boolean {
  const status = nodes.status[dependency]!;
  if (status === RUNNING) return (nodes.flags[dependency]! & ANSWERED) !== 0;
  return strict ? status === SUCCEEDED : status >= SUCCEEDED;
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new InvariantError(`priority and weight are finite numbers, not ${value}`);
  return value;
}

/** Sets the critical paths of the new nodes, and raises those of waiting earlier ones within the bound. */
function lengthenPaths(state: KernelState, first: number, order: Int32Array | undefined): void {
  const { nodes, edges } = state;
  const raised: number[] = [];
  for (let at = nodes.count - first - 1; at >= 0; at--) {
    const node = first + (order === undefined ? at : order[at]!);
    raiseDependencies(state, node, first, raised);
  }
  let budget = (nodes.count - first + edges.count - edges.rowStart[first]!) * RELAXATIONS_PER_ITEM;
  for (let at = 0; at < raised.length && budget > 0; at++) {
    const node = raised[at]!;
    budget -= 1 + edges.rowStart[node + 1]! - edges.rowStart[node]!;
    raiseDependencies(state, node, first, raised);
  }
}

/** Passes the length of a node's path on to its dependencies. Earlier nodes that grew are added to `raised`. */
function raiseDependencies({ nodes, edges }: KernelState, node: number, first: number, raised: number[]): void {
  const path = nodes.pathMs[node]!;
  const end = edges.rowStart[node + 1]!;
  for (let edge = edges.rowStart[node]!; edge < end; edge++) {
    const dependency = edges.dependency[edge]!;
    const length = path + nodes.weightMs[dependency]!;
    if (length <= nodes.pathMs[dependency]! || nodes.status[dependency] !== WAITING) continue;
    nodes.pathMs[dependency] = length;
    if (dependency < first) raised.push(dependency);
  }
}
