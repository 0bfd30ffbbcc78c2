/**
 * Directed graphs over numbered nodes: order, cycles, critical paths, reachability.
 *
 * Owns:      the compact graph value and the algorithms that every graph of ours needs (projects, tasks, kernel nodes).
 * Never:     knows what a node is; `labelGraph` keeps the names in a side table.
 * Invariant: every algorithm is iterative, O(nodes + edges), and deterministic: equal graphs give equal answers.
 *
 * Edges go from a dependent to what it depends on, as everywhere in Kahn.
 */
import { InvariantError } from "./result.ts";

/** A graph in compressed rows: node `n` depends on `targets[offsets[n]] … targets[offsets[n + 1] - 1]`. */
export interface Graph {
  /** Number of nodes; they are `0 … size - 1`. */
  readonly size: number;
  /** `size + 1` positions in `targets`. */
  readonly offsets: Int32Array;
  readonly targets: Int32Array;
}

/** A graph whose nodes have names. */
export interface LabelGraph<Label> {
  readonly graph: Graph;
  /** Node number → label. */
  readonly labels: readonly Label[];
  /** Label → node number. */
  readonly numbers: ReadonlyMap<Label, number>;
}

/**
 * Builds a graph from one list of dependencies per node. Keeps the order of each list, repetitions and self edges.
 * Throws `InvariantError` for a number that is no node.
 */
export function graphFromLists(lists: readonly (readonly number[])[]): Graph {
  const size = lists.length;
  const offsets = new Int32Array(size + 1);
  for (let node = 0; node < size; node++) offsets[node + 1] = offsets[node]! + lists[node]!.length;
  const targets = new Int32Array(offsets[size]!);
  let at = 0;
  for (const list of lists) {
    for (const target of list) {
      if (!(target >= 0 && target < size)) throw new InvariantError(`edge to ${target} in a graph of ${size} nodes`);
      targets[at++] = target;
    }
  }
  return { size, offsets, targets };
}

/** Builds a graph from labels. Labels are numbered in order; a dependency that is not among them is left out. */
export function labelGraph<Label>(
  labels: Iterable<Label>,
  dependenciesOf: (label: Label) => Iterable<Label>,
): LabelGraph<Label> {
  const numbers = new Map<Label, number>();
  for (const label of labels) if (!numbers.has(label)) numbers.set(label, numbers.size);
  const names = [...numbers.keys()];
  const lists = names.map((label) => {
    const list: number[] = [];
    for (const dependency of dependenciesOf(label)) {
      const number = numbers.get(dependency);
      if (number !== undefined) list.push(number);
    }
    return list;
  });
  return { graph: graphFromLists(lists), labels: names, numbers };
}

/** The same nodes with every edge turned round: what depends on a node. Rows are in ascending order. */
export function reverseGraph(graph: Graph): Graph {
  const { size, offsets, targets } = graph;
  const turned = new Int32Array(size + 1);
  for (let edge = 0; edge < targets.length; edge++) turned[targets[edge]! + 1]!++;
  for (let node = 0; node < size; node++) turned[node + 1]! += turned[node]!;
  const sources = new Int32Array(targets.length);
  const next = turned.slice(0, size);
  for (let node = 0; node < size; node++) {
    for (let edge = offsets[node]!; edge < offsets[node + 1]!; edge++) sources[next[targets[edge]!]!++] = node;
  }
  return { size, offsets: turned, targets: sources };
}

/**
 * Orders the nodes so that each comes after everything it depends on.
 *
 * @returns the order, or `undefined` if there is a cycle (`findCycles` names it).
 */
export function topologicalOrder(graph: Graph): Int32Array | undefined {
  const { size, offsets } = graph;
  const dependents = reverseGraph(graph);
  const left = new Int32Array(size);
  const order = new Int32Array(size);
  let end = 0;
  for (let node = 0; node < size; node++) {
    left[node] = offsets[node + 1]! - offsets[node]!;
    if (left[node] === 0) order[end++] = node;
  }
  for (let at = 0; at < end; at++) {
    const node = order[at]!;
    for (let edge = dependents.offsets[node]!; edge < dependents.offsets[node + 1]!; edge++) {
      const dependent = dependents.targets[edge]!;
      if (--left[dependent]! === 0) order[end++] = dependent;
    }
  }
  return end === size ? order : undefined;
}

/**
 * Finds one cycle in each knot of the graph (strongly connected component): the shortest through its lowest node.
 *
 * @returns the cycles, each as its nodes in order (each depends on the next, the last on the first) from its lowest
 *   node on, sorted by that node; empty for an acyclic graph. A self edge is a cycle of one node.
 */
export function findCycles(graph: Graph): number[][] {
  // Most graphs have none, and to see that is much cheaper than to find them.
  if (topologicalOrder(graph) !== undefined) return [];
  const component = strongComponents(graph);
  const lowest = new Map<number, number>();
  const size = new Map<number, number>();
  for (let node = 0; node < graph.size; node++) {
    const knot = component[node]!;
    if (!lowest.has(knot)) lowest.set(knot, node);
    size.set(knot, (size.get(knot) ?? 0) + 1);
  }
  const cycles: number[][] = [];
  for (const [knot, start] of lowest) {
    if (size.get(knot) === 1 && !hasEdge(graph, start, start)) continue;
    cycles.push(shortestCycle(graph, start, component));
  }
  return cycles.sort((left, right) => left[0]! - right[0]!);
}

function hasEdge(graph: Graph, from: number, to: number): boolean {
  for (let edge = graph.offsets[from]!; edge < graph.offsets[from + 1]!; edge++) {
    if (graph.targets[edge] === to) return true;
  }
  return false;
}

/** Breadth first from `start` within its component until an edge comes back to it. */
function shortestCycle(graph: Graph, start: number, component: Int32Array): number[] {
  const cameFrom = new Map<number, number>([[start, -1]]);
  const queue = [start];
  for (const node of queue) {
    for (let edge = graph.offsets[node]!; edge < graph.offsets[node + 1]!; edge++) {
      const target = graph.targets[edge]!;
      if (target === start) return pathTo(node, cameFrom);
      if (component[target] !== component[start] || cameFrom.has(target)) continue;
      cameFrom.set(target, node);
      queue.push(target);
    }
  }
  throw new InvariantError(`node ${start} is in a knot without a cycle`);
}

/** The way from where a search began to a node, both included. */
function pathTo(node: number, cameFrom: ReadonlyMap<number, number>): number[] {
  const path: number[] = [];
  for (let step = node; step !== -1; step = cameFrom.get(step)!) path.push(step);
  return path.reverse();
}

/** Tarjan's algorithm with its own stack: a chain of 100,000 nodes must not exhaust the call stack. */
function strongComponents({ size, offsets, targets }: Graph): Int32Array {
  const component = new Int32Array(size).fill(-1);
  const index = new Int32Array(size).fill(-1);
  const low = new Int32Array(size);
  const cursor = offsets.slice(0, size);
  const open: number[] = [];
  const path: number[] = [];
  let counter = 0;
  let components = 0;
  for (let root = 0; root < size; root++) {
    if (index[root] !== -1) continue;
    path.push(root);
    while (path.length > 0) {
      const node = path[path.length - 1]!;
      if (index[node] === -1) {
        index[node] = low[node] = counter++;
        open.push(node);
      }
      const target = cursor[node]! < offsets[node + 1]! ? targets[cursor[node]!++]! : -1;
      if (target !== -1 && index[target] === -1) path.push(target);
      else if (target !== -1 && component[target] === -1) low[node] = Math.min(low[node]!, index[target]!);
      if (target !== -1) continue;
      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[node]!);
      if (low[node] !== index[node]) continue;
      for (let member = -1; member !== node; ) {
        member = open.pop()!;
        component[member] = components;
      }
      components++;
    }
  }
  return component;
}

/**
 * Computes for each node how much work at least follows from its start on: its own weight and the heaviest chain of
 * dependents above it. In the unit of the weights.
 *
 * @param weights one non-negative weight per node.
 * @returns one length per node. Throws `InvariantError` if the graph has a cycle.
 */
export function criticalPaths(graph: Graph, weights: ArrayLike<number>): Float64Array {
  const order = topologicalOrder(graph);
  if (order === undefined) throw new InvariantError("critical path of a graph with a cycle");
  const above = new Float64Array(graph.size);
  for (let at = graph.size - 1; at >= 0; at--) {
    const node = order[at]!;
    above[node]! += weights[node]!;
    for (let edge = graph.offsets[node]!; edge < graph.offsets[node + 1]!; edge++) {
      const target = graph.targets[edge]!;
      if (above[node]! > above[target]!) above[target] = above[node]!;
    }
  }
  return above;
}

/** All nodes that the roots depend on, directly or not, with the roots themselves; ascending. Cycles do no harm. */
export function reachableFrom(graph: Graph, roots: Iterable<number>): Int32Array {
  const flags = reachableFlags(graph, roots);
  let count = 0;
  for (let node = 0; node < graph.size; node++) count += flags[node]!;
  const found = new Int32Array(count);
  let at = 0;
  for (let node = 0; node < graph.size; node++) if (flags[node] === 1) found[at++] = node;
  return found;
}

/** The same, as one flag for each node of the graph: 1 if it is among them. */
export function reachableFlags({ size, offsets, targets }: Graph, roots: Iterable<number>): Uint8Array {
  const flags = new Uint8Array(size);
  const found = new Int32Array(size);
  let end = 0;
  for (const root of roots) {
    if (flags[root] === 0) found[end++] = root;
    flags[root] = 1;
  }
  for (let at = 0; at < end; at++) {
    const node = found[at]!;
    for (let edge = offsets[node]!; edge < offsets[node + 1]!; edge++) {
      const target = targets[edge]!;
      if (flags[target] === 0) found[end++] = target;
      flags[target] = 1;
    }
  }
  return flags;
}
