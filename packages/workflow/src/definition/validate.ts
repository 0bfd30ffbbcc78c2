/**
 * Everything that can be wrong with a graph, found at once, before it runs.
 *
 * Invariant: linear in nodes and edges: knots are found by Tarjan's algorithm, never by listing cycles.
 */
import type { Graph, Problem } from "@kahn/core";
import {
  closestName,
  findCycles,
  graphFromLists,
  parseDurationMs,
  problem,
  reachableFrom,
  reverseGraph,
  warning,
} from "@kahn/core";
import type { AnyNode, Edge, FlowEdge } from "./nodes.ts";
import { END } from "./nodes.ts";

/** What is checked. */
export interface Draft {
  readonly id: string;
  readonly start: string;
  readonly maxSteps?: number | undefined;
  readonly nodes: ReadonlyMap<string, AnyNode>;
  readonly edges: readonly FlowEdge[];
}

/** Edges as the machine reads them. */
export function normalEdges(edges: readonly Edge<Readonly<Record<string, unknown>>>[]): FlowEdge[] {
  const seen = new Map<string, number>();
  return edges.map((edge) => {
    const spec = "from" in edge ? edge : { from: edge[0], to: edge[1] };
    const to = typeof spec.to === "string" ? [spec.to] : [...spec.to];
    const base = `${spec.from}>${to.length === 1 ? to[0] : to.join("+")}`;
    const nth = (seen.get(base) ?? 0) + 1;
    seen.set(base, nth);
    const id = nth === 1 ? base : `${base}~${nth}`;
    return "from" in edge ? { ...edge, to, kind: classOf(edge), id } : { from: spec.from, to, kind: "normal", id };
  });
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

/** All problems of a draft, errors and warnings. */
export function validate(draft: Draft): Problem[] {
  const problems = [...nameProblems(draft), ...targetProblems(draft), ...optionProblems(draft)];
  if (problems.length > 0) return problems;
  return [...exitProblems(draft), ...joinProblems(draft), ...reachProblems(draft), ...cycleWarnings(draft)];
}

/** A name given to two nodes. */
export function duplicateNode(graph: string, name: string): Problem {
  return problem("flow-node-duplicate", `graph "${graph}" has two nodes called "${name}"`, {
    next: "Give one of them another name; the later one would replace the first silently.",
  });
}

function* nameProblems({ id, start, nodes }: Draft): Iterable<Problem> {
  const branches = [...nodes.values()].flatMap(branchNames);
  for (const name of [...nodes.keys(), ...branches]) {
    if (/^[^\s/#$>+~][^\s/#>+~]*$/.test(name)) continue;
    yield problem("flow-name-invalid", `graph "${id}": "${name}" cannot be the name of a node`, {
      next: "Leave out spaces and the characters / # > + ~, and a $ at the start.",
    });
  }
  if (!nodes.has(start)) {
    yield unknownNode({ id, nodes }, start, "start");
  }
}

function branchNames(node: AnyNode): string[] {
  return node.kind === "parallel" ? Object.keys(node.branches) : [];
}

function unknownNode({ id, nodes }: Pick<Draft, "id" | "nodes">, name: string, where: string): Problem {
  const near = closestName(name, [...nodes.keys()]);
  return problem("flow-node-unknown", `graph "${id}": ${where} names "${name}", and there is no such node`, {
    next: near === undefined ? "Declare the node, or mend the name." : `Did you mean "${near}"?`,
  });
}

function hasNamedTargets(node: AnyNode): boolean {
  return (node.targets?.length ?? 0) > 0 || node.kind === "condition" || node.kind === "barrier";
}

/** Nodes that a node names itself, with where it does so. */
function* namedTargets(name: string, node: AnyNode): Iterable<readonly [target: string, where: string]> {
  for (const target of node.targets ?? []) yield [target, `targets of "${name}"`];
  if (node.kind === "condition") for (const [target] of node.choices) yield [target, `condition "${name}"`];
  if (node.kind === "barrier" && typeof node.onReject === "object") yield [node.onReject.goto, `onReject of "${name}"`];
}

function* targetProblems(draft: Draft): Iterable<Problem> {
  const { nodes, edges } = draft;
  for (const edge of edges) {
    if (!nodes.has(edge.from) && edge.from !== END) yield unknownNode(draft, edge.from, `edge ${edge.id}`);
    for (const name of edge.to) if (!nodes.has(name) && name !== END) yield unknownNode(draft, name, `edge ${edge.id}`);
    if (edge.to.length === 0) yield optionProblem(draft, `edge ${edge.id}`, "leads nowhere");
    if (edge.from === END) yield optionProblem(draft, `edge ${edge.id}`, "leaves END");
  }
  for (const [name, node] of nodes) {
    if (!hasNamedTargets(node)) continue;
    for (const [target, where] of namedTargets(name, node)) {
      if (target !== END && !nodes.has(target)) yield unknownNode(draft, target, where);
    }
  }
}

function optionProblem({ id }: Pick<Draft, "id">, where: string, what: string): Problem {
  return problem("flow-option-invalid", `graph "${id}": ${where} ${what}`, { next: "Mend the option." });
}

function* optionProblems(draft: Draft): Iterable<Problem> {
  if (draft.maxSteps !== undefined && !(draft.maxSteps >= 1)) yield optionProblem(draft, "maxSteps", "is less than 1");
  for (const edge of draft.edges) {
    if (edge.maxVisits !== undefined && !(edge.maxVisits >= 1)) {
      yield optionProblem(draft, `edge ${edge.id}`, "has a maxVisits of less than 1");
    }
  }
  for (const [name, node] of draft.nodes) yield* nodeOptionProblems(draft, name, node);
}

function* nodeOptionProblems(draft: Draft, name: string, node: AnyNode): Iterable<Problem> {
  const where = `node "${name}"`;
  for (const [option, written] of durationsOf(node)) {
    if (written !== undefined && parseDurationMs(written) === undefined) {
      yield optionProblem(draft, where, `has a ${option} that is no duration: ${JSON.stringify(written)}`);
    }
  }
  if ("retry" in node && node.retry !== undefined && !(node.retry.max >= 1)) {
    yield optionProblem(draft, where, "has a retry.max of less than 1");
  }
  if ("limit" in node && node.limit !== undefined && !(node.limit >= 1)) {
    yield optionProblem(draft, where, "has a limit of less than 1");
  }
  if (node.kind === "parallel") {
    const branches = Object.entries(node.branches);
    const quorum = typeof node.strategy === "object" ? node.strategy.quorum : 1;
    if (branches.length === 0) yield optionProblem(draft, where, "has no branches");
    else if (!(quorum >= 1 && quorum <= branches.length)) {
      yield optionProblem(draft, where, `wants ${quorum} of ${branches.length} branches`);
    }
    for (const [branch, inner] of branches) yield* nodeOptionProblems(draft, `${name}/${branch}`, inner as AnyNode);
  }
}

function durationsOf(node: AnyNode): readonly (readonly [string, string | number | undefined])[] {
  if (node.kind === "barrier") return [["timeout", node.timeout]];
  if (node.kind !== undefined && node.kind !== "task" && node.kind !== "action") return [];
  const { timeout, retry } = node;
  const { run, idle } = typeof timeout === "object" ? timeout : { run: timeout, idle: undefined };
  return [
    ["timeout", run],
    ["idle timeout", idle],
    ["retry.delay", retry?.delay],
    ["retry.maxDelay", retry?.maxDelay],
  ];
}

function* exitProblems(draft: Draft): Iterable<Problem> {
  const normal = new Map<string, number>();
  const leaves = new Set<string>();
  for (const edge of draft.edges) {
    leaves.add(edge.from);
    if (edge.kind === "normal") normal.set(edge.from, (normal.get(edge.from) ?? 0) + 1);
  }
  for (const [name, count] of normal) {
    if (count < 2) continue;
    yield problem(
      "flow-edges-ambiguous",
      `graph "${draft.id}": "${name}" has ${count} normal edges, and one is taken`,
      {
        next: `Write one edge with all targets to start them together, or give all but one a "when".`,
      },
    );
  }
  for (const [name, node] of draft.nodes) {
    if (leaves.has(name) || !namedTargets(name, node)[Symbol.iterator]().next().done) continue;
    yield problem("flow-dead-end", `graph "${draft.id}": nothing leads on from "${name}"`, {
      next: `Add an edge from it, for example ["${name}", END].`,
    });
  }
}

function* joinProblems(draft: Draft): Iterable<Problem> {
  let parents: ReturnType<typeof parentsOf> | undefined;
  for (const [name, node] of draft.nodes) {
    if (node.join === undefined) continue;
    parents ??= parentsOf(draft);
    const count = parents.get(name)?.size ?? 0;
    const needed = typeof node.join === "object" ? node.join.quorum : 1;
    if (count >= needed && needed >= 1) continue;
    yield problem(
      "flow-join-unsatisfiable",
      `graph "${draft.id}": join "${name}" waits for ${needed} of ${count} parents`,
      {
        next: "Add the edges that are missing, or ask for fewer.",
      },
    );
  }
}

/** The nodes with an edge to each node. */
export function parentsOf({ edges }: Pick<Draft, "edges">): ReadonlyMap<string, ReadonlySet<string>> {
  const parents = new Map<string, Set<string>>();
  for (const edge of edges) {
    for (const target of edge.to) {
      const set = parents.get(target);
      if (set === undefined) parents.set(target, new Set([edge.from]));
      else set.add(edge.from);
    }
  }
  return parents;
}

/** Nodes by number, with `END` as the last one. */
function numbered(
  draft: Draft,
  keep: (edge: Pick<FlowEdge, "from" | "maxVisits">) => boolean,
): { graph: Graph; names: string[] } {
  const names = [...draft.nodes.keys(), END];
  const numbers = new Map(names.map((name, index) => [name, index]));
  const lists: number[][] = names.map(() => []);
  for (const edge of draft.edges) {
    if (keep(edge)) for (const target of edge.to) lists[numbers.get(edge.from)!]!.push(numbers.get(target)!);
  }
  for (const [name, node] of draft.nodes) {
    if (!hasNamedTargets(node) || !keep({ from: name })) continue;
    for (const [target] of namedTargets(name, node)) lists[numbers.get(name)!]!.push(numbers.get(target)!);
  }
  return { graph: graphFromLists(lists), names };
}

function* reachProblems(draft: Draft): Iterable<Problem> {
  const { graph, names } = numbered(draft, () => true);
  const reached = flagged(graph, names.indexOf(draft.start));
  const ending = flagged(reverseGraph(graph), names.length - 1);
  for (const [index, name] of names.entries()) {
    if (name === END) continue;
    if (reached[index] === 0) {
      yield warning("flow-unreachable", `graph "${draft.id}": "${name}" cannot be reached from "${draft.start}"`, {
        next: "Add an edge to it, or remove it.",
      });
    } else if (ending[index] === 0) {
      yield problem("flow-no-end", `graph "${draft.id}": no way leads from "${name}" to END`, {
        next: "Add an edge to END on that way, even if nodes end the run themselves.",
      });
    }
  }
}

/** One flag for each node: whether it can be reached from a root. */
function flagged(graph: Graph, root: number): Uint8Array {
  const flags = new Uint8Array(graph.size);
  for (const node of reachableFrom(graph, [root])) flags[node] = 1;
  return flags;
}

function* cycleWarnings(draft: Draft): Iterable<Problem> {
  const { graph, names } = numbered(draft, ({ from, maxVisits }) => {
    // A person in the cycle is bound enough.
    return maxVisits === undefined && draft.nodes.get(from)?.kind !== "barrier";
  });
  const cycles = findCycles(graph).map((cycle) => cycle.map((node) => names[node]!));
  for (const cycle of cycles) {
    const path = [...cycle, cycle[0]!].join(" → ");
    yield warning("flow-cycle-unbounded", `graph "${draft.id}": no edge of the cycle ${path} has a maxVisits`, {
      next: "Only maxSteps ends it; give one of its edges a maxVisits.",
    });
    const inCycle = new Set(cycle);
    const falling = draft.edges.find(
      (edge) => edge.kind === "fallback" && inCycle.has(edge.from) && inCycle.has(edge.to[0]!),
    );
    if (falling === undefined) continue;
    yield warning("flow-fallback-cycle", `graph "${draft.id}": the fallback edge ${falling.id} is part of a cycle`, {
      next: "A node that cannot do its work is asked again and again; lead the fallback out, or bound it by maxVisits.",
    });
  }
}
