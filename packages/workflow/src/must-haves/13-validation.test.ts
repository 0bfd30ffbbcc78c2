/** Must-have 13: what is wrong with a graph is found when it is built, all of it at once, by name. */
import { problem } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { dominatorsOf } from "../definition/checks/dominators.ts";
import { runOf } from "../flow.fixture.ts";
import type { AnyNode } from "../index.ts";
import { barrier, buildGraph, condition, defineGraph, END, map, parallel, reduce, state, subgraph } from "../index.ts";

const S = state({
  x: state.value(0),
  doc: state.blob(),
  sum: state.value(0, reduce.sum),
  last: state.value("", reduce.replace),
});
const a = { run: () => {} };
const writes = (...keys: readonly string[]) => ({ run: () => {}, writes: keys });

/** Everything said about a graph that starts at `a`: code, severity if it is no error, message without its head. */
function said(nodes: object, edges: readonly unknown[], more: object = {}): readonly string[] {
  const built = buildGraph({ id: "g", state: S, start: "a", nodes, edges, ...more } as never);
  return (built.ok ? built.value.warnings : built.problem).map(
    ({ code, severity, message }) =>
      `${code}${severity === "error" ? "" : ` (${severity})`}: ${message.replace('graph "g": ', "")}`,
  );
}

test("must-have 13: a name that leads nowhere is found wherever it stands, with the nearest one", () => {
  expect(
    said(
      {
        a: { ...a, targets: ["review", "revue"] },
        pick: condition([["reviw", () => true]]),
        review: barrier({ onReject: { goto: "pik" } }),
        "two words": a,
      },
      [
        ["a", "nowhere"],
        ["ghost", END],
        ["two words", END],
        ["review", END],
      ],
      { start: "b" },
    ),
  ).toEqual([
    'flow-name-invalid: "two words" cannot be the name of a node',
    'flow-node-unknown: start names "b", and there is no such node',
    'flow-node-unknown: edge a>nowhere names "nowhere", and there is no such node',
    'flow-node-unknown: edge ghost>$end names "ghost", and there is no such node',
    'flow-node-unknown: targets of "a" names "revue", and there is no such node',
    'flow-node-unknown: condition "pick" names "reviw", and there is no such node',
    'flow-node-unknown: onReject of "review" names "pik", and there is no such node',
  ]);
  const built = buildGraph({ id: "g", state: S, start: "a", nodes: { a }, edges: [["a", "aa"]] } as never);
  expect(built.ok ? [] : built.problem).toEqual([
    problem("flow-node-unknown", 'graph "g": edge a>aa names "aa", and there is no such node', {
      next: 'Did you mean "a"?',
    }),
  ]);
});

test("must-have 13: a key or node that no object holds like another is refused, not lost", () => {
  const keys = { ["__proto__"]: state.value(0) };
  expect(said({ a }, [["a", END]], { state: state(keys) })).toEqual([
    'flow-name-invalid: "__proto__" cannot be a key of the state',
  ]);
  const nodes = { a, ["__proto__"]: a };
  expect(
    said(nodes, [
      ["a", "__proto__"],
      ["__proto__", END],
    ]),
  ).toEqual(['flow-name-invalid: "__proto__" cannot be the name of a node']);
});

test("must-have 13: ways that are missing, double, endless or never taken are found", () => {
  expect(
    said({ a, b: a, c: a, d: a, e: a, f: a }, [
      { from: "a", to: "b", when: () => true },
      ["a", "c"],
      ["a", "d"],
      { from: "b", to: "b", when: () => true },
      { from: "d", to: "e", onError: ["Timeout"] },
      ["e", "e"],
      ["f", END],
      { from: "b", to: END, fallback: true },
    ]),
  ).toEqual([
    'flow-edges-ambiguous: "a" has 2 normal edges, and one is taken',
    'flow-dead-end: nothing leads on from "c"',
    'flow-dead-end (warning): nothing leads on from "d" unless it fails',
    'flow-no-end: no way leads from "c" to END',
    'flow-no-end: no way leads from "d" to END',
    'flow-no-end: no way leads from "e" to END',
    'flow-unreachable (warning): "f" cannot be reached from "a"',
    "flow-cycle-unbounded (warning): no edge of the cycle b → b has a maxVisits",
    "flow-cycle-unbounded (warning): no edge of the cycle e → e has a maxVisits",
  ]);
  expect(
    said({ a, b: a }, [
      ["a", "b"],
      { from: "b", to: "a", fallback: true },
      { from: "b", to: "a", when: () => true, maxVisits: 3 },
      ["b", END],
    ]),
  ).toEqual([
    "flow-cycle-unbounded (warning): no edge of the cycle a → b → a has a maxVisits",
    "flow-fallback-cycle (warning): the fallback edge b>a is part of a cycle",
  ]);
});

test("must-have 13: a join that can never have its parents is found, and why", () => {
  const all = { ...a, join: "all" as const };
  // One token, which takes one of two ways: the other parent never comes.
  const choice = { a, b: a, c: a, j: all };
  const ways = [{ from: "a", to: "b", when: () => true }, ["a", "c"], ["b", "j"], ["c", "j"], ["j", END]];
  expect(said(choice, ways)).toEqual([
    'flow-join-unsatisfiable: join "j" waits for 2 of 2 parents, and nothing starts several nodes on the way to it',
  ]);
  expect(said({ ...choice, j: { ...a, join: "settled" } }, ways)).toEqual([]);
  expect(said(choice, [["a", ["b", "c"]], ...ways.slice(2)])).toEqual([]);
  // The way back into a join lies behind it.
  expect(
    said({ a, b: a, c: a, j: all, k: a }, [
      ["a", ["b", "c"]],
      ["b", "j"],
      ["c", "j"],
      ["j", "k"],
      { from: "k", to: "j", when: () => true, maxVisits: 1 },
      ["k", END],
    ]),
  ).toEqual(['flow-join-unsatisfiable: join "j" waits for 3 of 3 parents, and "k" cannot come before it']);
  expect(
    said({ a, b: { ...a, join: { quorum: 3 } } }, [
      ["a", "b"],
      ["b", END],
    ]),
  ).toEqual(['flow-join-unsatisfiable: join "b" waits for 3 of 1 parents']);
  expect(
    said({ a, j: { ...a, join: "any" } }, [
      ["a", END],
      ["j", END],
    ]),
  ).toEqual([
    'flow-join-unsatisfiable: join "j" waits for 1 of 0 parents',
    'flow-unreachable (warning): "j" cannot be reached from "a"',
  ]);
});

test("must-have 13: what conditions choose are parents of a join, what others may name is not waited for", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a,
      pick: condition([["j", () => true]]),
      b: { run: ({ state }) => ({ set: { last: `${state.last}b` } }), targets: ["j"] },
      j: { run: ({ parents }) => ({ set: { last: Object.keys(parents).sort().join() } }), join: "all" },
    },
    edges: [
      ["a", ["pick", "b"]],
      ["b", END],
      ["pick", END],
      ["j", END],
    ],
  });
  expect((await runOf(graph)).result).toMatchObject({ status: "completed", state: { last: "pick" } });
});

test("must-have 13: branches that declare one key without a reducer are refused, at any depth", () => {
  const said1 = (node: AnyNode) => said({ a: node }, [["a", END]]);
  expect(
    said1(
      parallel<never>({ l: writes("x", "sum"), r: writes("x", "sum", "last"), m: writes("doc") } as never) as AnyNode,
    ),
  ).toEqual([
    'flow-write-parallel: the branches "l" and "r" of "a" write the key "x", whose reducer does not combine writes',
  ]);
  const nested = parallel({
    l: parallel({ one: writes("doc"), two: writes("x") } as never),
    r: map({ over: () => [1], run: () => undefined, writes: ["x"] as never }),
    s: barrier({ writes: ["x"] as never }),
  } as never);
  expect(said1(nested as AnyNode)).toEqual([
    'flow-write-parallel: every branch of the map "a/r" writes the key "x", whose reducer does not combine writes',
    'flow-write-parallel: the branches "l" and "r" and "s" of "a" write the key "x", whose reducer does not combine writes',
  ]);
  const inner = defineGraph(state({ y: state.value(0) }), { id: "i", start: "a", nodes: { a }, edges: [["a", END]] });
  const sub = subgraph({ graph: inner, input: () => ({}), output: () => ({}), writes: ["x"] as never });
  expect(said1(map({ over: () => [1], body: () => sub as never }) as AnyNode)).toHaveLength(1);
  expect(said1(parallel({ l: writes("x"), r: writes("x") } as never, { strategy: { quorum: 1 } }) as AnyNode)).toEqual(
    [],
  );
  expect(said1(writes("xx", "sum") as AnyNode)).toEqual([
    'flow-key-unknown: writes of "a" names the key "xx", which the state does not have',
  ]);
});

test("must-have 13: nodes that run side by side and declare one key without a reducer are a warning", () => {
  const edges = [
    ["a", ["b", "c"]],
    ["b", "d"],
    ["d", "j"],
    ["c", "j"],
    ["j", END],
  ];
  const nodes = { a: writes("x"), b: a, c: writes("x"), d: writes("x", "sum"), j: { ...writes("x"), join: "settled" } };
  expect(said(nodes, edges)).toEqual([
    'flow-write-parallel (warning): the ways that the edge a>b+c starts at "b" and "c" both write the key "x", whose reducer does not combine writes',
  ]);
  // The join comes after both, so it meets nobody.
  expect(said({ ...nodes, d: writes("sum") }, edges)).toEqual([]);
});

test("must-have 13: what a node declares to write is all that it may write", async () => {
  const of = (node: object) =>
    defineGraph(S, { id: "g", start: "a", nodes: { a: node } as never, edges: [["a", END]] as never });
  for (const output of [
    { set: { x: 1 } },
    { replace: { x: 1 } },
    { delete: ["x"] },
    { add: { sum: 1 }, set: { x: 1 } },
  ]) {
    const { result } = await runOf(of({ run: () => output, writes: ["sum"] }));
    expect(result.error).toMatchObject({
      code: "flow-key-undeclared",
      message: 'a#1 writes the key "x", which its "writes" does not name',
    });
    expect(result.state).toEqual({ x: 0, sum: 0, last: "" });
  }
  const { run } = await runOf(of(parallel({ ask: barrier({ writes: ["last"] as never }) } as never)));
  expect((await run.decide("a#1/ask" as never, { modify: { x: 1 } } as never)).why).toBe(
    'the barrier does not write the key "x"',
  );
  expect((await run.decide("a#1/ask" as never, { modify: { xx: 1 } } as never)).why).toBe('the state has no key "xx"');
  expect((await run.decide("a#1/ask" as never, { reroute: "a" } as never)).why).toBe("a branch cannot be rerouted");
  expect((await run.decide("a#1/ask" as never, { modify: { last: "m" } } as never)).ack).toBe("accepted");
  expect((await run.result).state).toMatchObject({ last: "m" });
});

test("must-have 13: a branch that names targets or waits as a join is refused, and so are its options", () => {
  const branches = {
    go: { ...a, targets: ["b"] },
    back: barrier({ onReject: { goto: "b" }, timeout: "soon" } as never),
    wait: { ...a, join: "all" },
    "a/b": a,
  };
  expect(
    said(
      {
        a: parallel(branches as never),
        b: map({ over: () => [], run: () => undefined, timeout: "x", strategy: { quorum: 0 } }),
      },
      [
        ["a", "b"],
        ["b", END],
      ],
    ),
  ).toEqual([
    'flow-name-invalid: "a/b" cannot be the name of a node',
    'flow-branch-astray: the branch "a/go" names targets',
    'flow-option-invalid: node "a/back" has a timeout that is no duration: "soon"',
    'flow-branch-astray: the branch "a/back" names targets',
    'flow-branch-astray: the branch "a/wait" has a join',
    'flow-option-invalid: node "b" wants 0 of its branches',
    'flow-option-invalid: node "b/*" has a timeout that is no duration: "x"',
  ]);
});

// Goal: joins are judged by dominators; a wrong one refuses a sound graph. Method: random graphs; the definition itself,
// reachability without the node, is the reference.
test("must-have 13: dominators are those of the definition", () => {
  const graphs = fc
    .integer({ min: 1, max: 12 })
    .chain((size) => fc.array(fc.array(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }));
  fc.assert(
    fc.property(graphs, (lists) => {
      const offsets = Int32Array.from([0, ...lists.map((_, index) => lists.slice(0, index + 1).flat().length)]);
      const dominates = dominatorsOf({ size: lists.length, offsets, targets: Int32Array.from(lists.flat()) }, 0);
      const reach = (without: number) => {
        const found = new Set(without === 0 ? [] : [0]);
        for (const node of found) for (const next of lists[node]!) if (next !== without) found.add(next);
        return found;
      };
      const all = reach(-1);
      for (const by of all) for (const node of all) expect(dominates(by, node)).toBe(!reach(by).has(node));
    }),
  );
});
