/**
 * Writes that meet: keys whose reducer does not combine, written by branches or by nodes that run side by side.
 *
 * Owns:      what is known of a node's writes before it runs: what its `writes` declares, and for nodes with branches what
 *            those declare. A node that declares nothing is taken to write nothing; what it does then is found when it runs.
 * Invariant: branches that meet are a problem, for a run would fail by it. Nodes of one frame that may meet are a warning,
 *            for there the later one replaces the earlier. Linear in nodes, edges and declared keys.
 */
import type { Problem } from "@kahn/core";
import { closestName, graphFromLists, problem, reachableFlags, warning } from "@kahn/core";
import type { Draft, Topology } from "../draft.ts";
import type { AnyNode } from "../nodes.ts";
import { END } from "../nodes.ts";
import type { StateSchema } from "../state.ts";

const NOTHING: ReadonlySet<string> = new Set();

/** Undeclared keys in `writes`, and branches that write one key. */
export function* branchWriteProblems({ id, nodes, state }: Draft): Iterable<Problem> {
  const place = { id, state };
  for (const [name, node] of nodes) {
    if (!isSilent(node)) yield* nodeProblems(name, node, place);
  }
}

interface Place {
  readonly id: string;
  readonly state: StateSchema;
}

function* nodeProblems(path: string, node: AnyNode, place: Place): Iterable<Problem> {
  for (const key of declared(node)) {
    if (!Object.hasOwn(place.state.keys, key)) yield unknownKey(path, key, place);
  }
  if (node.kind === "parallel") {
    for (const [branch, inner] of branchesOf(node)) yield* nodeProblems(`${path}/${branch}`, inner, place);
    yield* parallelProblems(path, node, place);
  } else if (node.kind === "map") {
    yield* nodeProblems(`${path}/*`, node.shape as AnyNode, place);
    if (isRace(node)) return;
    for (const key of writesOf(node.shape as AnyNode)) {
      if (isExclusive(place.state, key)) yield met(`every branch of the map "${path}" writes`, key, place);
    }
  }
}

function* parallelProblems(
  path: string,
  node: Extract<AnyNode, { kind: "parallel" }>,
  place: Place,
): Iterable<Problem> {
  if (isRace(node)) return;
  const writers = new Map<string, string[]>();
  for (const [branch, inner] of branchesOf(node)) {
    for (const key of writesOf(inner)) writers.set(key, [...(writers.get(key) ?? []), `"${branch}"`]);
  }
  for (const [key, branches] of writers) {
    if (branches.length < 2 || !isExclusive(place.state, key)) continue;
    yield met(`the branches ${branches.join(" and ")} of "${path}" write`, key, place);
  }
}

/** One success is enough there, so one branch writes. */
function isRace({ strategy }: Extract<AnyNode, { kind: "parallel" | "map" }>): boolean {
  return typeof strategy === "object" && strategy.quorum === 1;
}

function branchesOf(node: Extract<AnyNode, { kind: "parallel" }>): readonly (readonly [string, AnyNode])[] {
  return Object.entries(node.branches) as unknown as readonly (readonly [string, AnyNode])[];
}

function declared(node: AnyNode): readonly string[] {
  return "writes" in node ? (node.writes ?? []) : [];
}

/** Whether a node says nothing of what it writes, as most nodes of a large graph do. */
function isSilent(node: AnyNode): boolean {
  return node.kind !== "parallel" && node.kind !== "map" && declared(node).length === 0;
}

/** The keys that a node is known to write. */
function writesOf(node: AnyNode): ReadonlySet<string> {
  if (node.kind === "map") return writesOf(node.shape as AnyNode);
  if (node.kind === "parallel") return new Set(branchesOf(node).flatMap(([, inner]) => [...writesOf(inner)]));
  const keys = declared(node);
  return keys.length === 0 ? NOTHING : new Set(keys);
}

/** Whether two writes of a key in parallel are a conflict. */
function isExclusive(state: StateSchema, key: string): boolean {
  return Object.hasOwn(state.keys, key) && state.keys[key]!.reducer.name === "error";
}

/**
 * An edge that starts several nodes, from two of which a writer of one key can be reached before they join again: which
 * of the writes stays depends on time.
 */
export function* pathWriteWarnings(draft: Draft, { ways, numbers, names }: Topology): Iterable<Problem> {
  const writers = new Map<string, number[]>();
  for (const [name, node] of draft.nodes) {
    if (isSilent(node)) continue;
    for (const key of writesOf(node)) {
      if (!isExclusive(draft.state, key)) continue;
      const at = writers.get(key);
      if (at === undefined) writers.set(key, [numbers.get(name)!]);
      else at.push(numbers.get(name)!);
    }
  }
  const isJoin = (number: number) => draft.nodes.get(names[number]!)?.join !== undefined;
  if (writers.size === 0) return;
  const forks = draft.edges.filter(({ to }) => to.length > 1 && to.filter((target) => target !== END).length > 1);
  if (forks.length === 0) return;
  const back = backwards(ways, isJoin);
  for (const [key, at] of writers) {
    const leads = reachableFlags(
      back,
      at.filter((number) => !isJoin(number)),
    );
    for (const edge of forks) {
      const meeting = edge.to.filter((target) => leads[numbers.get(target)!] === 1);
      if (meeting.length < 2) continue;
      const starts = meeting.map((target) => `"${target}"`).join(" and ");
      const what = `the ways that the edge ${edge.id} starts at ${starts} both write`;
      yield warning("flow-write-parallel", messageOf(what, key, draft), { next: adviceFor(key) });
    }
  }
}

/** The ways, turned round, without those that lead into a join: there the tokens have met. */
function backwards({ size, offsets, targets }: Topology["ways"], isJoin: (number: number) => boolean) {
  const lists: number[][] = Array.from({ length: size }, () => []);
  for (let from = 0; from < size; from++) {
    for (let edge = offsets[from]!; edge < offsets[from + 1]!; edge++) {
      const target = targets[edge]!;
      if (!isJoin(target)) lists[target]!.push(from);
    }
  }
  return graphFromLists(lists);
}

function met(what: string, key: string, place: Place): Problem {
  return problem("flow-write-parallel", messageOf(what, key, place), { next: adviceFor(key) });
}

function messageOf(what: string, key: string, { id }: Pick<Place, "id">): string {
  return `graph "${id}": ${what} the key "${key}", whose reducer does not combine writes`;
}

function adviceFor(key: string): string {
  return `Declare a reducer for "${key}", for example reduce.append or reduce.replace, or let one of them write it.`;
}

function unknownKey(path: string, key: string, { id, state }: Place): Problem {
  const near = closestName(key, Object.keys(state.keys));
  return problem(
    "flow-key-unknown",
    `graph "${id}": writes of "${path}" names the key "${key}", which the state does not have`,
    {
      next: near === undefined ? "Declare the key in the state, or mend its name." : `Did you mean "${near}"?`,
    },
  );
}
