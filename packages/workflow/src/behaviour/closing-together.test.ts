/** Several visits that fail in one step, of which the first closes what the others are in. */
import { expect, test } from "vitest";
import { logOf, quiet, runOf, S, says, world } from "../flow.fixture.ts";
import type { AnyNode, FlowGraph } from "../index.ts";
import { barrier, buildGraph, condition, defineGraph, END, fail, map, parallel, subgraph } from "../index.ts";

/** Nodes that begin together in a subgraph, whose failures an error edge handles outside. */
function together(nodes: readonly AnyNode[]): FlowGraph {
  const names = nodes.map((_, index) => `n${index}`);
  const inner = buildGraph({
    id: "inner",
    state: S,
    start: "spread",
    nodes: { spread: { run: () => ({}) }, ...Object.fromEntries(nodes.map((node, index) => [`n${index}`, node])) },
    edges: [["spread", names], ...names.map((name) => [name, END] as const)],
  });
  if (!inner.ok) throw new Error("not a graph");
  return defineGraph(S, {
    id: "outer",
    start: "sub",
    nodes: {
      sub: subgraph({ graph: inner.value as FlowGraph<unknown>, input: () => ({}), output: () => ({}) }),
      mend: says("mended"),
    },
    edges: [["sub", END], { from: "sub", to: "mend", onError: ["Terminal"] }, ["mend", END]],
  }) as FlowGraph;
}

// Goal: the first of several failures closes the frame of the others, and those are over then. Method: nodes that fail
// as they are launched do so in one step; beside them one that takes its time, so that the closing has to wait for it.
test("of several failures in one step the first is handled, and the others with it", async () => {
  const throws = () => fail("no");
  const failing = [
    condition([["n0", throws]]),
    map({ over: throws, run: () => ({}) }),
    barrier({ payload: throws }),
  ] as unknown as readonly AnyNode[];
  const slow: AnyNode = {
    run: async ({ signal }) => void (await new Promise((r) => signal.addEventListener("abort", r))),
  };
  for (const nodes of [failing, [slow, ...failing], [...failing, slow]]) {
    const { result } = await runOf(together(nodes));
    expect([result.problem, result.status, logOf(result)]).toEqual([undefined, "completed", ["mended"]]);
  }
});

// Goal: an edge is taken as often as it says. Method: two visits of one node fail in one step, and what else runs inside
// of them has to end before either takes the edge for errors.
test("of two visits that fail together one takes the edge that may be taken once, and the other fails the run", async () => {
  const slow: AnyNode = {
    run: async ({ signal }) => void (await new Promise((r) => signal.addEventListener("abort", r))),
  };
  let fails = () => {};
  const both = new Promise<void>((resolve) => {
    let left = 2;
    fails = () => --left === 0 && resolve();
  });
  const bad: AnyNode = {
    run: async () => {
      fails();
      await both;
      fail("no");
    },
  };
  const graph = defineGraph(S, {
    id: "twice",
    start: "start",
    nodes: {
      start: { run: () => ({}) },
      hop: { run: () => ({ goto: "work" }), targets: ["work"] },
      work: parallel({ bad, slow } as never),
      mend: says("mended"),
    },
    edges: [
      ["start", ["work", "hop"]],
      ["hop", "work"],
      ["work", END],
      { from: "work", to: "mend", onError: ["Terminal"], maxVisits: 1 },
      ["mend", END],
    ],
  } as never) as FlowGraph;
  const { run, events } = await runOf(graph);
  const result = await run.result;
  expect([result.status, result.error?.message]).toEqual(["failed", "no"]);
  const left = events.filter((event) => event.type === "node.committed" && event.node === "work");
  expect(left.length).toBe(1);
});

// Goal: nothing is started in a branch that has failed. Method: the process dies after a failure in a branch was recorded
// and before what runs beside it had ended; the next one begins with both.
test("after a death the rest of a branch that has failed is not started again", async () => {
  const started: string[] = [];
  const hangs: AnyNode = {
    run: ({ path }) => {
      started.push(path);
      return new Promise(() => {});
    },
  };
  const inner = defineGraph(S, {
    id: "inner",
    start: "spread",
    nodes: { spread: { run: () => ({}) }, bad: { run: () => fail("no") }, hangs },
    edges: [
      ["spread", ["bad", "hangs"]],
      ["bad", END],
      ["hangs", END],
    ],
  } as never) as FlowGraph<unknown>;
  const broken = subgraph({ graph: inner, input: () => ({}), output: () => ({}) });
  const graph = defineGraph(S, {
    id: "outer",
    start: "fan",
    nodes: { fan: parallel({ broken, fine: says("fine") } as never, { strategy: "collect" }) },
    edges: [["fan", END]],
  }) as FlowGraph;
  const at = world();
  await at.flow.start(graph, {}, { id: "r" });
  await quiet();
  const failed = at.events("r").filter((event) => event.type === "node.failed");
  expect(failed.map((event) => "path" in event && event.path)).toEqual(["fan#1/broken/bad#1"]);
  started.length = 0;
  const { flow } = at.again();
  const run = await flow.resume("r", graph);
  expect(await run.settled()).toMatchObject({ status: "completed" });
  expect(started).toEqual([]);
});
