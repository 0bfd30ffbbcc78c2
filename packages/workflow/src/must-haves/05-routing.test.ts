/** Routing, by all combinations of edges and of what a node says. */
import { expect, test } from "vitest";
import { logOf, runOf, S, says } from "../flow.fixture.ts";
import { buildGraph, defineGraph, END, type FlowGraph, fail } from "../index.ts";

type Say = "silent" | "goto" | "goto-unconnected" | "end" | "fallback" | "error" | "spent";
interface Case {
  readonly conditional: "none" | "holds" | "fails";
  readonly normal: boolean;
  readonly fallback: boolean;
  readonly error: boolean;
  readonly say: Say;
}

const SAYS: readonly Say[] = ["silent", "goto", "goto-unconnected", "end", "fallback", "error", "spent"];

function* cases(): Generator<Case> {
  for (const conditional of ["none", "holds", "fails"] as const)
    for (const normal of [false, true])
      for (const fallback of [false, true])
        for (const error of [false, true]) for (const say of SAYS) yield { conditional, normal, fallback, error, say };
}

/** The rule in a few lines: where it goes, or the code with which the run fails. */
function expected({ conditional, normal, fallback, error, say }: Case): string {
  // Whatever fails, the node's own failure or having no way on, asks error edges first, and the fallback edge then.
  const failing = (code: string) => (error ? "e" : fallback ? "f" : code);
  switch (say) {
    case "end":
      return "end";
    case "goto":
      return conditional === "none" ? failing("flow-edge-missing") : "c";
    case "goto-unconnected":
      return failing("flow-edge-missing");
    case "fallback":
      return fallback ? "f" : failing("flow-fallback-missing");
    case "error":
    case "spent": // A failure that would be tried again, with nothing left to try.
      return failing("flow-node-failed");
    default:
      if (conditional === "holds") return "c";
      if (normal) return "n";
      return fallback ? "f" : failing("flow-unrouted");
  }
}

function graphOf({ conditional, normal, fallback, error, say }: Case): FlowGraph {
  const run = () => {
    if (say === "goto") return { goto: "c" };
    if (say === "goto-unconnected") return { goto: "z" };
    if (say === "end") return { end: true as const };
    if (say === "fallback") return { fallback: "as asked" };
    if (say === "error") return fail("broken", { class: "Terminal" });
    if (say === "spent") return fail("busy", { class: "Retryable" });
    return {};
  };
  const targets = { c: conditional !== "none", n: normal, f: fallback, e: error };
  const edges: object[] = [{ from: "start", to: "x" }];
  if (conditional !== "none") edges.push({ from: "x", to: "c", when: () => conditional === "holds" });
  if (normal) edges.push({ from: "x", to: "n" });
  if (fallback) edges.push({ from: "x", to: "f", fallback: true });
  if (error) edges.push({ from: "x", to: "e", onError: ["Terminal"] });
  // `z` can be reached, so that it is a node like others, but not from `x`.
  edges.push({ from: "start", to: "z", when: () => false }, { from: "z", to: END });
  const nodes: Record<string, object> = { start: { run: () => ({}) }, x: { run }, z: says("z") };
  for (const [name, isThere] of Object.entries(targets)) {
    if (!isThere) continue;
    nodes[name] = says(name);
    edges.push({ from: name, to: END });
  }
  const built = buildGraph({ state: S, id: "routes", start: "start", nodes, edges } as never);
  if (!built.ok) throw new Error(built.problem.map(({ message }) => message).join("; "));
  return built.value;
}

// Goal: what a node says and which edges it has decide where it goes, in every combination. Method: all of them, against
// the rule written down once more.
test("must-have 5: 161 combinations of edges and answers go where the rule says", async () => {
  let tried = 0;
  for (const each of cases()) {
    if (each.conditional === "none" && !each.normal && !each.fallback && !each.error) continue; // A dead end: refused.
    const { result } = await runOf(graphOf(each));
    const went = result.status === "completed" ? (logOf(result)[0] ?? "end") : result.error?.code;
    expect([each, went]).toEqual([each, expected(each)]);
    tried++;
  }
  expect(tried).toBe(168 - SAYS.length);
});

test("must-have 5: error edges are chosen by class and by predicate, in their order", async () => {
  const graph = (code: string) =>
    defineGraph(S, {
      id: "g",
      start: "a",
      nodes: {
        a: { run: () => fail("x", { class: code === "late" ? "Retryable" : "Terminal", code }) },
        late: says("late"),
        known: says("known"),
        rest: says("rest"),
      },
      edges: [
        { from: "a", to: "late", onError: ["Retryable"] },
        { from: "a", to: "known", onError: (error) => error.code === "known" },
        { from: "a", to: "rest", onError: ["Terminal"] },
        ["late", END],
        ["known", END],
        ["rest", END],
      ],
    });
  for (const code of ["late", "known", "rest"]) expect(logOf((await runOf(graph(code))).result)).toEqual([code]);
});

test("must-have 5: an edge is taken as often as it may be, and the next one that fits after that", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    maxSteps: 50,
    nodes: { a: { run: () => ({ add: { n: 1 } }) }, b: says("b") },
    edges: [{ from: "a", to: "a", when: () => true, maxVisits: 3 }, ["a", "b"], ["b", END]],
  });
  const { result } = await runOf(graph);
  expect(result.status === "completed" ? [result.state.n, logOf(result)] : result.error?.code).toEqual(
    result.status === "completed" ? [4, ["b"]] : "flow-visits-exceeded",
  );
});

test("must-have 5: the node before the end may go back", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: ({ state: s }) => ({ add: { n: 1 }, ...(s.n < 2 ? { goto: "a" as const } : {}) }) } },
    edges: [{ from: "a", to: "a", when: () => false }, ["a", END]],
  });
  expect((await runOf(graph)).result).toMatchObject({ status: "completed", state: { n: 3 } });
});
