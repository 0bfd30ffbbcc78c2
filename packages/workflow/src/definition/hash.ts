/**
 * The structure of a graph, and its digest.
 *
 * Owns:      what of a graph a run under way depends on: start, names, kinds, declared versions, edges with their
 *            classes and labels, barriers' defaults, the tasks and commands of actions, keys with their
 *            reducers.
 * Invariant: equal structure, equal digest, whatever the order of declaration of nodes and keys; the order of edges
 *            of one node counts, since routing does.
 */
import type { Digest, Json } from "@kahn/core";
import { canonicalJson, digestOf } from "@kahn/core";
import type { ActionWork } from "./action-work.ts";
import type { AnyNode, FlowEdge } from "./nodes.ts";
import type { StateSchema } from "./state.ts";
import type { GraphStructure } from "./structure.ts";

interface Parts {
  readonly id: string;
  readonly start: string;
  readonly schema: StateSchema;
  readonly nodes: ReadonlyMap<string, AnyNode>;
  readonly outgoing: ReadonlyMap<string, readonly FlowEdge[]>;
}

/** Reads the structure of a graph. */
export function structureOf({ id, start, schema, nodes, outgoing }: Parts): GraphStructure {
  const keys = Object.entries(schema.keys).map(([name, key]) => [name, key.isBlob ? "blob" : key.reducer.name]);
  return {
    id,
    start,
    keys: Object.fromEntries(keys),
    nodes: Object.fromEntries([...nodes].map(([name, node]) => [name, nodeStructure(node)])),
    edges: Object.fromEntries([...outgoing].map(([from, edges]) => [from, edges.map(edgeStructure)])),
  };
}

/** The digest of a structure. */
export function graphHash(structure: GraphStructure): Digest {
  return digestOf(canonicalJson(structure as unknown as Json));
}

/** One node: a text for an ordinary task, else its kind and what matters of it. */
function nodeStructure(node: AnyNode): Json {
  const shared = { version: node.version, targets: node.targets, join: node.join };
  switch (node.kind) {
    case "condition":
      return { kind: "condition", ...shared, choices: node.choices.map(([target]) => target) };
    case "barrier":
      return { kind: "barrier", ...shared, onTimeout: node.onTimeout, onReject: node.onReject };
    case "parallel": {
      const branches = Object.entries(node.branches).map(([name, branch]) => [name, nodeStructure(branch as AnyNode)]);
      return { kind: "parallel", ...shared, strategy: node.strategy, branches };
    }
    case "map":
      return { kind: "map", ...shared, strategy: node.strategy, body: nodeStructure(node.shape as AnyNode) };
    case "subgraph":
      return { kind: "subgraph", ...shared, graph: node.graph.structure as unknown as Json };
    case "action":
      return { kind: "action", ...shared, work: workStructure(node.work) } as Json;
    default: {
      const kind = node.kind ?? "task";
      // Most nodes say nothing more, and a graph may have thousands of them.
      const isPlain = node.version === undefined && node.targets === undefined && node.join === undefined;
      return isPlain ? kind : { kind, ...shared };
    }
  }
}

/** Work that depends on the state is code, which only a declared version tells apart. */
function workStructure(work: ActionWork | ((state: never) => ActionWork)): unknown {
  if (typeof work === "function") return "computed";
  // Names alone: structures are journalled, and a value may be a secret.
  return "env" in work ? { ...work, env: Object.keys(work.env ?? {}).sort() } : work;
}

function edgeStructure(edge: FlowEdge): Json {
  const isPlain = edge.label === undefined && edge.maxVisits === undefined && edge.onError === undefined;
  if (isPlain && edge.to.length === 1) return `${edge.kind}>${edge.to[0]}`;
  return {
    kind: edge.kind,
    to: edge.to,
    label: edge.label,
    maxVisits: edge.maxVisits,
    onError: typeof edge.onError === "function" ? "predicate" : edge.onError,
  };
}

/** One difference between two structures. */
export interface StructureDifference {
  readonly what: "start" | "key" | "node" | "edges";
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
}

/** What differs between the structure that a run began with and another; inside of subgraphs and branches by path. */
export function compareStructures(before: GraphStructure, after: GraphStructure): readonly StructureDifference[] {
  return [...differencesIn(before, after, "")];
}

function* differencesIn(before: GraphStructure, after: GraphStructure, path: string): Iterable<StructureDifference> {
  if (before.start !== after.start) yield { what: "start", name: `${path}${after.start}`, change: "changed" };
  yield* differing("key", [before.keys, after.keys], path);
  yield* differing("node", [before.nodes, after.nodes], path);
  yield* differing("edges", [before.edges, after.edges], path);
}

type Part = Readonly<Record<string, Json>>;

function* differing(
  what: StructureDifference["what"],
  [old, fresh]: readonly [Part, Part],
  path: string,
): Iterable<StructureDifference> {
  for (const name of new Set([...Object.keys(old), ...Object.keys(fresh)])) {
    const [a, b] = [old[name], fresh[name]];
    const named = `${path}${name}`;
    if (a === undefined) yield { what, name: named, change: "added" };
    else if (b === undefined) yield { what, name: named, change: "removed" };
    else if (canonicalJson(a) === canonicalJson(b)) continue;
    else if (what !== "node") yield { what, name: named, change: "changed" };
    else yield* differingNodes(a, b, named);
  }
}

interface Nested {
  readonly graph?: GraphStructure;
  readonly branches?: readonly (readonly [string, Json])[];
  readonly body?: Json;
}

/** Of a node with others inside: what differs in there, and the node itself if something else of it does. */
function* differingNodes(before: Json, after: Json, path: string): Iterable<StructureDifference> {
  const { graph: g1, branches: b1, body: m1, ...one } = objectOf(before);
  const { graph: g2, branches: b2, body: m2, ...two } = objectOf(after);
  const found: StructureDifference[] = [];
  if (g1 !== undefined && g2 !== undefined) {
    found.push(...differencesIn(g1, g2, `${path}/`));
    // Of a graph of another name that does the same, the node itself is what differs.
    if (g1.id !== g2.id && found.length === 0) found.push({ what: "node", name: path, change: "changed" });
  } else if (b1 !== undefined && b2 !== undefined) {
    found.push(...differing("node", [Object.fromEntries(b1), Object.fromEntries(b2)], `${path}/`));
  } else if (m1 !== undefined && m2 !== undefined)
    found.push(...differing("node", [{ "*": m1 }, { "*": m2 }], `${path}/`));
  const isOther = canonicalJson(one as Json) !== canonicalJson(two as Json);
  if (isOther || found.length === 0) yield { what: "node", name: path, change: "changed" };
  yield* found;
}

function objectOf(structure: Json): Nested {
  return (typeof structure === "string" ? { kind: structure } : structure) as Nested;
}
