/**
 * Everything that can be wrong with a graph, found at once, before it runs.
 *
 * Owns:      names, targets, options, and ways out of single nodes; ways through the graph, joins and writes have files
 *            of their own.
 * Invariant: linear in nodes and edges: knots are found by Tarjan's algorithm, never by listing cycles.
 */
import type { Problem } from "@kahn/core";
import { closestName, parseDurationMs, problem, warning } from "@kahn/core";
import { workMistakes } from "../action-work.ts";
import type { Draft } from "../draft.ts";
import { hasNamedTargets, namedTargets, topologyOf } from "../draft.ts";
import type { AnyNode } from "../nodes.ts";
import { END } from "../nodes.ts";
import { joinProblems } from "./joins.ts";
import { cycleWarnings, reachProblems } from "./reach.ts";
import { branchWriteProblems, pathWriteWarnings } from "./writes.ts";

/** All problems of a draft, errors and warnings. */
export function validate(draft: Draft): Problem[] {
  const named = [...nameProblems(draft), ...targetProblems(draft)];
  const local = [...optionProblems(draft), ...exitProblems(draft), ...branchWriteProblems(draft)];
  // Where a name leads nowhere, every question of ways would only repeat that.
  if (named.length > 0) return [...named, ...local];
  const topology = topologyOf(draft);
  return [
    ...local,
    ...joinProblems(draft, topology),
    ...reachProblems(draft, topology),
    ...pathWriteWarnings(draft, topology),
    ...cycleWarnings(draft, topology),
  ];
}

/** A name given to two nodes. */
export function duplicateNode(graph: string, name: string): Problem {
  return problem("flow-node-duplicate", `graph "${graph}" has two nodes called "${name}"`, {
    next: "Give one of them another name; the later one would replace the first silently.",
  });
}

const NAME = /^(?!__proto__$)[^\s/#$>+~][^\s/#>+~]*$/;

function* nameProblems({ id, start, nodes, state }: Draft): Iterable<Problem> {
  // An object cannot hold it as it holds others: what is written to it would be lost without a word.
  if (Object.hasOwn(state.keys, "__proto__")) {
    yield problem("flow-name-invalid", `graph "${id}": "__proto__" cannot be a key of the state`, {
      next: "Give the key another name.",
    });
  }
  for (const [name, node] of nodes) {
    if (NAME.test(name) && node.kind !== "parallel" && node.kind !== "map") continue;
    for (const each of [name, ...branchNames(node)]) {
      if (NAME.test(each)) continue;
      yield problem("flow-name-invalid", `graph "${id}": "${each}" cannot be the name of a node`, {
        next: "Leave out spaces and the characters / # > + ~, and a $ at the start; __proto__ is no name either.",
      });
    }
  }
  if (!nodes.has(start)) {
    yield unknownNode({ id, nodes }, start, "start");
  }
}

function branchNames(node: AnyNode): readonly string[] {
  return branchesOf(node).flatMap(([branch, inner]) => [
    ...(node.kind === "parallel" ? [branch] : []),
    ...branchNames(inner),
  ]);
}

const NO_BRANCHES: readonly (readonly [string, AnyNode])[] = [];

/** What is inside of a node with branches; `*` stands for every branch of a map. */
function branchesOf(node: AnyNode): readonly (readonly [branch: string, node: AnyNode])[] {
  if (node.kind === "parallel") return Object.entries(node.branches) as unknown as typeof NO_BRANCHES;
  return node.kind === "map" ? [["*", node.shape as AnyNode]] : NO_BRANCHES;
}

function unknownNode({ id, nodes }: Pick<Draft, "id" | "nodes">, name: string, where: string): Problem {
  const near = closestName(name, [...nodes.keys()]);
  return problem("flow-node-unknown", `graph "${id}": ${where} names "${name}", and there is no such node`, {
    next: near === undefined ? "Declare the node, or mend the name." : `Did you mean "${near}"?`,
  });
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
  for (const [name, node] of draft.nodes) if (!isPlain(node)) yield* nodeOptionProblems(draft, name, node);
}

/** Whether a node is only code, as most nodes of a large graph are; cheaper than looking for problems. */
function isPlain(node: AnyNode): boolean {
  if (node.kind !== undefined && node.kind !== "task") return false;
  return node.timeout === undefined && node.retry === undefined;
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
  if (node.kind === "action" && typeof node.work !== "function") {
    for (const mistake of workMistakes(node.work)) yield optionProblem(draft, where, mistake);
  }
  if (node.kind === "map") {
    if (typeof node.over !== "function") yield optionProblem(draft, where, "has an over that is no function");
    if (typeof node.body !== "function") {
      yield optionProblem(draft, where, "has a body that is no function; it gives the node for an item");
    }
  }
  if (node.kind === "parallel" || node.kind === "map") yield* fanProblems(draft, name, node);
}

function* fanProblems(draft: Draft, name: string, node: Extract<AnyNode, { kind: "parallel" | "map" }>) {
  const where = `node "${name}"`;
  const branches = branchesOf(node);
  const most = node.kind === "parallel" ? branches.length : Number.POSITIVE_INFINITY;
  const quorum = typeof node.strategy === "object" ? node.strategy.quorum : 1;
  if (branches.length === 0) yield optionProblem(draft, where, "has no branches");
  else if (!(quorum >= 1 && quorum <= most)) {
    yield optionProblem(draft, where, `wants ${quorum} of ${node.kind === "map" ? "its" : most} branches`);
  }
  for (const [branch, inner] of branches) {
    yield* nodeOptionProblems(draft, `${name}/${branch}`, inner);
    if (inner.join === undefined && !hasNamedTargets(inner)) continue;
    const what = inner.join === undefined ? "names targets" : "has a join";
    yield problem("flow-branch-astray", `graph "${draft.id}": the branch "${name}/${branch}" ${what}`, {
      next: "A branch has no edges; put nodes with edges between them into a subgraph.",
    });
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
  for (const [name, edges] of draft.outgoing) {
    if (edges.length < 2) continue;
    const normal = edges.filter(({ kind }) => kind === "normal").length;
    if (normal < 2) continue;
    yield problem(
      "flow-edges-ambiguous",
      `graph "${draft.id}": "${name}" has ${normal} normal edges, and one is taken`,
      {
        next: `Write one edge with all targets to start them together, or give all but one a "when".`,
      },
    );
  }
  for (const [name, node] of draft.nodes) {
    const edges = draft.outgoing.get(name);
    if (edges?.some(({ kind }) => kind !== "error") === true || hasNamedTargets(node)) continue;
    if (edges !== undefined) {
      yield warning("flow-dead-end", `graph "${draft.id}": nothing leads on from "${name}" unless it fails`, {
        next: `Add an edge from it, for example ["${name}", END], unless it always ends the run itself.`,
      });
      continue;
    }
    yield problem("flow-dead-end", `graph "${draft.id}": nothing leads on from "${name}"`, {
      next: `Add an edge from it, for example ["${name}", END].`,
    });
  }
}
