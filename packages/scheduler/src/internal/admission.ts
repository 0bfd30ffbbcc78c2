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
import type { ClaimProblem } from "./resources.ts";
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
  let isAscending = true;
  for (let at = 0; at < specs.length; at++) {
    const spec = specs[at]!;
    // Nearly every delta comes in an order in which all edges go down: then there is no cycle to look for.
    if (!(isDescending(spec.requires, first + at) && isDescending(spec.after, first + at))) isAscending = false;
    checkEdges(spec, { node: first + at, total: first + specs.length }, problems);
    for (const problem of claimProblems(state, specs, first + at)) problems.push({ ...problem, node: first + at });
  }
  let order: Int32Array | undefined;
  if (!isAscending) {
    const graph = graphFromLists(innerLists(specs, first));
    order = topologicalOrder(graph);
    const cycles = order === undefined ? findCycles(graph) : [];
    for (const cycle of cycles) problems.push({ code: "cycle", nodes: cycle.map((node) => node + first) });
  }
  if (problems.length > 0) return { kind: "rejected", reasons: problems };
  const doomed = enter(state, specs);
  lengthenPaths(state, first, order);
  return { kind: "admitted", first, doomed };
}

function isDescending(edges: readonly number[], node: number): boolean {
  for (const edge of edges) if (edge >= node) return false;
  return true;
}

interface Place {
  readonly node: number;
  /** How many nodes there are with the delta. */
  readonly total: number;
}

function checkEdges(spec: NodeSpec, { node, total }: Place, problems: DeltaProblem[]): void {
  for (const list of [spec.requires, spec.after, spec.validates]) {
    for (const edge of list) {
      if (edge === node) problems.push({ code: "self-edge", node });
      else if (!(edge >= 0 && edge < total && Number.isInteger(edge))) {
        problems.push({ code: "unknown-node", node, edge });
      }
    }
  }
}

/** A claim must be within the limits, also together with what the services it requires hold all the while. */
function claimProblems(state: KernelState, specs: readonly NodeSpec[], node: number): readonly ClaimProblem[] {
  const { nodes, resources } = state;
  const spec = specs[node - nodes.count]!;
  const claim = resources.intern(spec.claim);
  const own = resources.problemsOf(claim);
  if (own.length > 0) return own;
  let services: Set<number> | undefined;
  for (const edge of spec.requires) {
    if (edge !== node && isLasting(state, specs, edge)) services = (services ?? new Set()).add(edge);
  }
  if (services === undefined) return own;
  const held = [...services].map((edge) =>
    edge < nodes.count ? nodes.claim[edge]! : resources.intern(specs[edge - nodes.count]!.claim),
  );
  return resources.problemsBeside(claim, held);
}

/** True for a service that has not ended. */
function isLasting({ nodes }: KernelState, specs: readonly NodeSpec[], node: number): boolean {
  if (node < nodes.count) return nodes.lifetime[node] !== TASK && nodes.status[node]! < SUCCEEDED;
  const spec = specs[node - nodes.count];
  return spec !== undefined && spec.lifetime !== "task";
}

/** The edges that order nodes of the delta among themselves, renumbered from 0; wrong ones are left out. */
function innerLists(specs: readonly NodeSpec[], first: number): number[][] {
  return specs.map((spec, at) => {
    const inner = (edge: number) => edge >= first && edge < first + specs.length && edge !== first + at;
    return [...spec.requires, ...spec.after].filter(inner).map((edge) => edge - first);
  });
}

/** Enters nodes and distinct edges, and counts what holds each node back. */
function enter(state: KernelState, specs: readonly NodeSpec[]): [number, number][] {
  const { nodes, edges } = state;
  const first = nodes.count;
  nodes.reserve(specs.length);
  edges.reserve(
    first + specs.length,
    specs.reduce((sum, spec) => sum + spec.requires.length + spec.after.length, 0),
  );
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
  const raise = (node: number) => {
    const path = nodes.pathMs[node]!;
    const end = edges.rowStart[node + 1]!;
    for (let edge = edges.rowStart[node]!; edge < end; edge++) {
      const dependency = edges.dependency[edge]!;
      const length = path + nodes.weightMs[dependency]!;
      if (length <= nodes.pathMs[dependency]! || nodes.status[dependency] !== WAITING) continue;
      nodes.pathMs[dependency] = length;
      if (dependency < first) raised.push(dependency);
    }
  };
  for (let at = nodes.count - first - 1; at >= 0; at--) raise(first + (order?.[at] ?? at));
  let budget = (nodes.count - first + edges.count - edges.rowStart[first]!) * RELAXATIONS_PER_ITEM;
  for (let at = 0; at < raised.length && budget > 0; at++) {
    const node = raised[at]!;
    budget -= 1 + edges.rowStart[node + 1]! - edges.rowStart[node]!;
    raise(node);
  }
}
