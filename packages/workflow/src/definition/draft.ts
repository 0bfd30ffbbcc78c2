/**
 * A graph on its way to being valid: what is checked, and the ways through it as numbers.
 *
 * Owns:      edges as the machine reads them, the targets that nodes name themselves, who the parents of a node are.
 * Invariant: the topology of a draft is built once, and only of a draft all of whose names lead somewhere.
 */
import type { Graph } from "@kahn/core";
import { reachableFlags, reverseGraph } from "@kahn/core";
import type { AnyNode, Edge, FlowEdge } from "./nodes.ts";
import { END } from "./nodes.ts";
import type { StateSchema } from "./state.ts";

/** What is checked. */
export interface Draft {
  readonly id: string;
  readonly start: string;
  readonly maxSteps?: number | undefined;
  readonly state: StateSchema;
  readonly nodes: ReadonlyMap<string, AnyNode>;
  readonly edges: readonly FlowEdge[];
  /** The same, by the node that they leave. */
  readonly outgoing: ReadonlyMap<string, readonly FlowEdge[]>;
}

/** Edges as the machine reads them, and by the node that they leave. */
export function normalEdges(edges: readonly Edge<Readonly<Record<string, unknown>>>[]): {
  readonly edges: FlowEdge[];
  readonly outgoing: ReadonlyMap<string, readonly FlowEdge[]>;
} {
  const outgoing = new Map<string, FlowEdge[]>();
  // Only nodes with several edges can have two that are called the same.
  const seen = new Map<string, number>();
  const normal = edges.map((edge) => {
    const spec = "from" in edge ? edge : { from: edge[0], to: edge[1] };
    const to = typeof spec.to === "string" ? [spec.to] : [...spec.to];
    const base = `${spec.from}>${to.length === 1 ? to[0] : to.join("+")}`;
    const siblings = outgoing.get(spec.from);
    const id = siblings === undefined ? base : idBeside(siblings, base, seen);
    const found: FlowEdge =
      "from" in edge ? { ...edge, to, kind: classOf(edge), id } : { from: spec.from, to, kind: "normal", id };
    if (siblings === undefined) outgoing.set(spec.from, [found]);
    else siblings.push(found);
    return found;
  });
  return { edges: normal, outgoing };
}

function idBeside(siblings: readonly FlowEdge[], base: string, seen: Map<string, number>): string {
  if (siblings.length === 1) seen.set(siblings[0]!.id, 1);
  const nth = (seen.get(base) ?? 0) + 1;
  seen.set(base, nth);
  return nth === 1 ? base : `${base}~${nth}`;
}

function classOf(spec: {
  readonly fallback?: true;
  readonly onError?: unknown;
  readonly when?: unknown;
}): FlowEdge["kind"] {
  if (spec.onError !== undefined) return "error";
  if (spec.fallback === true) return "fallback";
  return spec.when === undefined ? "normal" : "conditional";
}

/** Whether a node names targets itself; cheaper than asking for them. */
export function hasNamedTargets(node: AnyNode): boolean {
  if (node.targets !== undefined && node.targets.length > 0) return true;
  return node.kind === "condition" || (node.kind === "barrier" && typeof node.onReject === "object");
}

/** Nodes that a node names itself, with where it does so. */
export function* namedTargets(name: string, node: AnyNode): Iterable<readonly [target: string, where: string]> {
  for (const target of node.targets ?? []) yield [target, `targets of "${name}"`];
  if (node.kind === "condition") for (const [target] of node.choices) yield [target, `condition "${name}"`];
  if (node.kind === "barrier" && typeof node.onReject === "object") yield [node.onReject.goto, `onReject of "${name}"`];
}

/**
 * The nodes from which an edge, or the choice of a condition, leads to each node: those that its join waits for. What
 * `targets` and `onReject` name are ways that may be taken, too, but nobody waits for them.
 */
export function parentsOf({ nodes, edges }: Pick<Draft, "nodes" | "edges">): ReadonlyMap<string, ReadonlySet<string>> {
  const parents = new Map<string, Set<string>>();
  const add = (from: string, target: string) => {
    const set = parents.get(target);
    if (set === undefined) parents.set(target, new Set([from]));
    else set.add(from);
  };
  for (const edge of edges) for (const target of edge.to) add(edge.from, target);
  for (const [name, node] of nodes) {
    if (node.kind === "condition") for (const [target] of node.choices) add(name, target);
  }
  return parents;
}

/** The ways through a draft, its nodes by number in order of declaration, `END` last. */
export interface Topology {
  readonly names: readonly string[];
  readonly numbers: ReadonlyMap<string, number>;
  readonly start: number;
  /** Along edges and to named targets. */
  readonly ways: Graph;
  /** Those of them that nothing bounds: neither a `maxVisits` nor a person. */
  readonly unbounded: Graph;
  /** One flag for each node: whether it can be reached from the start. */
  readonly reached: Uint8Array;
  /** And whether `END` can be reached from it. */
  readonly ending: Uint8Array;
}

/** Numbers the nodes of a draft and lists its ways. */
export function topologyOf(draft: Draft): Topology {
  const names: string[] = [];
  const numbers = new Map<string, number>();
  const isBarrier: boolean[] = [];
  for (const [name, node] of draft.nodes) {
    numbers.set(name, names.length);
    names.push(name);
    isBarrier.push(node.kind === "barrier");
  }
  numbers.set(END, names.length);
  names.push(END);
  const all: Ways = { from: [], to: [] };
  const bare: Ways = { from: [], to: [] };
  for (const { from, to, maxVisits } of draft.edges) {
    const start = numbers.get(from)!;
    // A person in a cycle is bound enough.
    const isBound = maxVisits !== undefined || isBarrier[start] === true;
    for (const target of to) add(all, start, numbers.get(target)!);
    if (!isBound) for (const target of to) add(bare, start, numbers.get(target)!);
  }
  for (const [name, node] of draft.nodes) {
    if (!hasNamedTargets(node)) continue;
    const start = numbers.get(name)!;
    for (const [target] of namedTargets(name, node)) {
      add(all, start, numbers.get(target)!);
      if (node.kind !== "barrier") add(bare, start, numbers.get(target)!);
    }
  }
  const ways = graphOf(names.length, all);
  const start = numbers.get(draft.start)!;
  return {
    names,
    numbers,
    start,
    ways,
    unbounded: bare.to.length === all.to.length ? ways : graphOf(names.length, bare),
    reached: reachableFlags(ways, [start]),
    ending: reachableFlags(reverseGraph(ways), [names.length - 1]),
  };
}

/** Ways one after the other; a list for each node would cost as much as all that is asked of them. */
interface Ways {
  readonly from: number[];
  readonly to: number[];
}

function add({ from, to }: Ways, start: number, target: number): void {
  from.push(start);
  to.push(target);
}

/** The ways by the node where they start, in their order. */
function graphOf(size: number, { from, to }: Ways): Graph {
  const offsets = new Int32Array(size + 1);
  for (const node of from) offsets[node + 1]!++;
  for (let node = 0; node < size; node++) offsets[node + 1]! += offsets[node]!;
  const next = offsets.slice(0, size);
  const targets = new Int32Array(to.length);
  for (let way = 0; way < to.length; way++) targets[next[from[way]!]!++] = to[way]!;
  return { size, offsets, targets };
}
