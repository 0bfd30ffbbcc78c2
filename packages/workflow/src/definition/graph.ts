/**
 * Graphs: plain objects with inferred names, checked as a whole when they are defined.
 *
 * Invariant: a `FlowGraph` is valid; only this module makes one. Everything wrong with it is reported at once.
 */
import type { Digest, Json, Problem, Result } from "@kahn/core";
import { err, ok, ProblemError } from "@kahn/core";
import type { PayloadMark } from "./barrier-paths.ts";
import { duplicateNode, validate } from "./checks/validate.ts";
import { normalEdges } from "./draft.ts";
import { graphHash, structureOf } from "./hash.ts";
import type { AnyNode, Edge, FlowGraph, FlowNode } from "./nodes.ts";
import type { StateSchema } from "./state.ts";
import type { GraphStructure } from "./structure.ts";

/** What is given to `defineGraph`. `N` are the names, `P` maps them to the marks of barriers. */
export interface GraphSpec<S, N extends string, P> {
  readonly id: string;
  readonly version?: string;
  readonly start: NoInfer<N>;
  /** How many visits of nodes one run may make; default 1,000. */
  readonly maxSteps?: number;
  readonly nodes: { readonly [K in N]: FlowNode<S, NoInfer<N>> } & { readonly [K in keyof P]: PayloadMark<P[K]> };
  readonly edges: readonly Edge<S, NoInfer<N>>[];
}

/** A graph whose names are not known to the type checker. */
export interface DynamicGraphSpec {
  readonly id: string;
  readonly version?: string;
  readonly state: StateSchema;
  readonly start: string;
  readonly maxSteps?: number;
  readonly nodes: Readonly<Record<string, AnyNode>> | ReadonlyMap<string, AnyNode>;
  readonly edges: readonly Edge<Readonly<Record<string, unknown>>>[];
}

/** How many steps a run may make if the graph does not say. */
export const MAX_STEPS = 1000;

/**
 * Defines a graph from one plain object; names of nodes, keys and payloads are checked by the compiler.
 *
 * @throws ProblemError with everything that is wrong.
 */
export function defineGraph<S, N extends string, P>(
  state: StateSchema<S>,
  spec: GraphSpec<S, N, P>,
): FlowGraph<S, NoInfer<P>> {
  const built = buildGraph({ ...(spec as unknown as DynamicGraphSpec), state });
  if (!built.ok) throw new ProblemError(built.problem);
  return built.value as FlowGraph<S, NoInfer<P>>;
}

/** Builds a graph whose names come from elsewhere; every problem at once. */
export function buildGraph(spec: DynamicGraphSpec): Result<FlowGraph, readonly Problem[]> {
  const nodes = nodesOf(spec);
  const { edges, outgoing } = normalEdges(spec.edges);
  const problems = validate({ ...spec, nodes, edges, outgoing });
  if (problems.some(({ severity }) => severity === "error")) return err(problems);
  const base = {
    id: spec.id,
    version: spec.version ?? "1",
    schema: spec.state,
    start: spec.start,
    maxSteps: spec.maxSteps ?? MAX_STEPS,
    nodes,
    edges,
    outgoing,
  };
  let structure: GraphStructure | undefined;
  let hash: Digest | undefined;
  // Worked out when they are first asked for: a run needs them, a check or a drawing does not.
  const graph: FlowGraph = {
    ...base,
    warnings: problems,
    get structure() {
      structure ??= structureOf(base);
      return structure;
    },
    get hash() {
      hash ??= graphHash(graph.structure);
      return hash;
    },
  };
  return ok(graph);
}

function nodesOf({ nodes }: DynamicGraphSpec): ReadonlyMap<string, AnyNode> {
  if (nodes instanceof Map) return new Map(nodes);
  const record = nodes as Readonly<Record<string, AnyNode>>;
  const map = new Map<string, AnyNode>();
  for (const name of Object.keys(record)) map.set(name, record[name]!);
  return map;
}

/** A graph with names as plain text, built step by step. */
export interface GraphBuilder {
  node(name: string, node: AnyNode): GraphBuilder;
  edge(edge: Edge<Readonly<Record<string, unknown>>>): GraphBuilder;
  build(): Result<FlowGraph, readonly Problem[]>;
}

/** Starts a graph whose names are checked only when it is built; a name given twice is a problem. */
export function dynamicGraph(head: Omit<DynamicGraphSpec, "nodes" | "edges">): GraphBuilder {
  const nodes = new Map<string, AnyNode>();
  const edges: Edge<Readonly<Record<string, unknown>>>[] = [];
  const twice: string[] = [];
  const builder: GraphBuilder = {
    node: (name, node) => {
      if (nodes.has(name)) twice.push(name);
      nodes.set(name, node);
      return builder;
    },
    edge: (edge) => {
      edges.push(edge);
      return builder;
    },
    build: () => {
      const built = buildGraph({ ...head, nodes, edges });
      if (twice.length === 0) return built;
      return err([...twice.map((name) => duplicateNode(head.id, name)), ...(built.ok ? [] : built.problem)]);
    },
  };
  return builder;
}

/** The structure as JSON, for journals. */
export function structureJson(graph: FlowGraph): Json {
  return graph.structure as unknown as Json;
}
