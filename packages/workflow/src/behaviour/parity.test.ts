/** What the engine that this one descends from could do, one test for each behaviour, tightened where it was unsound. */
import { expect, test } from "vitest";
import { deferred, line, logOf, quiet, runOf, S, says, world } from "../flow.fixture.ts";
import { barrier, buildGraph, condition, defineGraph, END, parallel, reduce, state } from "../index.ts";

const review = (options: object = {}) =>
  defineGraph(S, {
    id: "review",
    start: "draft",
    nodes: { draft: says("draft"), review: barrier(options as { timeout?: string }), publish: says("publish") },
    edges: [
      ["draft", "review"],
      { from: "review", to: "draft", when: (_, { decision }) => decision?.kind === "reject", maxVisits: 3 },
      ["review", "publish"],
      { from: "review", to: "publish", fallback: true },
      ["publish", END],
    ],
  });

test("a straight line runs in order", async () => {
  const { result } = await runOf(line("a", "b", "c"));
  expect(result.status).toBe("completed");
  expect(logOf(result)).toEqual(["a", "b", "c"]);
});

test("a condition goes to the first target whose predicate holds, else on by its edges", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "which",
    nodes: {
      which: condition([
        ["big", (s) => s.n > 10],
        ["small", (s) => s.n > 0],
      ]),
      big: says("big"),
      small: says("small"),
      none: says("none"),
    },
    edges: [
      ["which", "none"],
      ["big", END],
      ["small", END],
      ["none", END],
    ],
  });
  expect(logOf((await runOf(graph, { n: 20 })).result)).toEqual(["big"]);
  expect(logOf((await runOf(graph, { n: 5 })).result)).toEqual(["small"]);
  expect(logOf((await runOf(graph, { n: 0 })).result)).toEqual(["none"]);
});

test("a task's error fails the run and names the node", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => Promise.reject(new Error("no")) } },
    edges: [["a", END]],
  });
  const { result, types } = await runOf(graph);
  expect(result).toMatchObject({
    status: "failed",
    error: { code: "flow-node-failed", path: "a#1", message: "Error: no" },
  });
  expect(types.slice(-2)).toEqual(["node.failed", "run.failed"]);
});

const counting = (until: number, maxSteps = 100) =>
  defineGraph(S, {
    id: "loop",
    start: "a",
    maxSteps,
    nodes: { a: { run: () => ({ add: { n: 1 } }) } },
    edges: [{ from: "a", to: "a", when: (s) => s.n < until }, ["a", END]],
  });

test("a cycle ends by its condition", async () => {
  const { result } = await runOf(counting(7));
  expect(result).toMatchObject({ status: "completed", state: { n: 7 }, steps: 7 });
});

test("a cycle ends at maxSteps, exactly, and can be resumed with more", async () => {
  const { result, run, again } = await runOf(counting(7, 5));
  expect(result).toMatchObject({ status: "failed", state: { n: 5 }, error: { code: "flow-steps-exceeded" } });
  const resumed = await again().flow.resume(run.id, counting(7, 5), { maxSteps: 50 });
  expect(await resumed.result).toMatchObject({ status: "completed", state: { n: 7 }, steps: 7 });
});

test("a node jumps back by goto, along an edge whose condition is not asked", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: says("a"),
      b: { run: ({ state }) => (state.log.length < 3 ? { add: { log: "b" }, goto: "a" } : { add: { log: "end" } }) },
    },
    edges: [["a", "b"], { from: "b", to: "a", when: () => false }, ["b", END]],
  });
  expect(logOf((await runOf(graph)).result)).toEqual(["a", "b", "a", "end"]);
});

test("all errors of a graph are reported at once", () => {
  const built = buildGraph({
    id: "bad",
    state: S,
    start: "nowhere",
    nodes: { a: { run: () => {} }, "b b": { run: () => {} } },
    edges: [
      ["a", "zz"],
      ["yy", "a"],
    ],
  });
  const codes = built.ok ? [] : built.problem.map((each) => each.code);
  expect(codes).toEqual([
    "flow-name-invalid",
    "flow-node-unknown",
    "flow-node-unknown",
    "flow-node-unknown",
    "flow-dead-end",
  ]);
});

test("a barrier waits, and approval goes on", async () => {
  const { run, result } = await runOf(review());
  expect(result).toMatchObject({ status: "waiting", barriers: [{ barrier: "review#1", node: "review" }] });
  expect(await run.decide("review#1" as never, { approve: true })).toMatchObject({ ack: "accepted" });
  expect(logOf(await run.result)).toEqual(["draft", "publish"]);
});

test("a rejection jumps back by a conditional edge", async () => {
  const { run } = await runOf(review());
  await run.decide("review#1" as never, { reject: "thin" });
  await quiet();
  expect(run.peek().barriers[0]?.barrier).toBe("review#2");
  await run.decide("review#2" as never, { approve: true });
  expect(logOf(await run.result)).toEqual(["draft", "draft", "publish"]);
});

test("a decision can modify the state", async () => {
  const { run } = await runOf(review());
  await run.decide("review#1" as never, { modify: { n: 42, log: ["edited"] } } as never);
  expect((await run.result).state).toMatchObject({ n: 42, log: ["edited", "publish"] });
});

test("a barrier times out with its default", async () => {
  for (const [onTimeout, log] of [
    ["approve", ["draft", "publish"]],
    ["skip", ["draft", "publish"]],
  ] as const) {
    const { run, clock } = await runOf(review({ timeout: "10s", onTimeout }));
    clock.advance(9_999);
    await quiet();
    expect(run.peek().status).toBe("waiting");
    clock.advance(1);
    expect(logOf(await run.result)).toEqual(log);
  }
});

test("a decision can reroute along an edge, and nowhere else", async () => {
  const { run } = await runOf(review());
  expect(await run.decide("review#1" as never, { reroute: "nowhere" })).toMatchObject({ ack: "invalid" });
  expect(await run.decide("review#1" as never, { reroute: "publish" })).toMatchObject({ ack: "accepted" });
  expect(logOf(await run.result)).toEqual(["draft", "publish"]);
});

test("two barriers in sequence are decided each by itself", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "one",
    nodes: { one: barrier({}), two: barrier({}) },
    edges: [
      ["one", "two"],
      ["two", END],
    ],
  });
  const { run } = await runOf(graph);
  expect(await run.decide("two#1", { approve: true })).toMatchObject({ ack: "accepted" });
  await quiet();
  expect(run.peek().barriers.map((each) => each.barrier)).toEqual(["one#1"]);
  await run.decide("one#1", { approve: true });
  expect((await run.result).status).toBe("completed");
});

test("a wildcard answers every occurrence, and an exact decision comes first", async () => {
  const { run } = await runOf(review());
  await run.decide({ node: "review" } as never, { reject: "again" }, { count: 2 });
  await quiet();
  expect(run.peek().barriers[0]?.barrier).toBe("review#3");
  await run.decide("review#3" as never, { approve: true });
  expect(logOf(await run.result)).toEqual(["draft", "draft", "draft", "publish"]);
});

test("a cancel ends the run as cancelled, and as nothing else", async () => {
  const gate = deferred();
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: {
        run: ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      },
    },
    edges: [["a", END]],
  });
  const { flow, events } = world();
  const run = await flow.start(graph);
  await quiet();
  const result = await run.cancel({ reason: "enough", by: "ann" });
  gate.resolve();
  expect(result.status).toBe("cancelled");
  expect(events(run.id).at(-1)).toMatchObject({ type: "run.cancelled", reason: "enough" });
});

test("a reader that leaves does not disturb the run, or cancels it if asked to", async () => {
  const { flow } = world();
  const detached = await flow.start(counting(50));
  for await (const _ of detached.events()) break;
  expect((await detached.result).status).toBe("completed");
  const gate = deferred();
  const graph = defineGraph(S, { id: "g", start: "a", nodes: { a: { run: () => gate.promise } }, edges: [["a", END]] });
  const attached = await flow.start(graph);
  for await (const _ of attached.events({ onLeave: "cancel" })) break;
  gate.resolve();
  expect((await attached.result).status).toBe("cancelled");
});

test("a fallback takes the fallback edge, and without one the run fails", async () => {
  const nodes = { a: { run: () => ({ fallback: "too hard" }) }, b: says("b"), c: says("c") } as const;
  const rest = [["b", END] as const, ["c", END] as const];
  const has = defineGraph(S, {
    id: "g",
    start: "a",
    nodes,
    edges: [["a", "b"], { from: "a", to: "c", fallback: true }, ...rest],
  });
  const { result, events } = await runOf(has);
  expect(logOf(result)).toEqual(["c"]);
  expect(events.find((event) => event.type === "node.committed")).toMatchObject({ how: "fallback", why: "too hard" });
  const hasNot = defineGraph(S, {
    id: "g",
    start: "a",
    nodes,
    edges: [
      ["a", "b"],
      ["b", "c"],
      ["c", END],
    ],
  });
  expect((await runOf(hasNot)).result).toMatchObject({ status: "failed", error: { code: "flow-fallback-missing" } });
});

test("the trace id is the same in every telling, and spans have parents", async () => {
  const { result, events } = await runOf(line("a", "b"));
  expect(result.trace).toMatch(/^[0-9a-f]{32}$/);
  expect(events[0]).toMatchObject({ type: "run.started", trace: result.trace });
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
});

const merging = (options: Parameters<typeof parallel>[1] = {}) => {
  const P = state({
    a: state.value(0),
    b: state.value(0),
    c: state.value(0),
    list: state.value<string[]>([], reduce.append),
  });
  return {
    P,
    of: (branches: Parameters<typeof parallel<{ a: number; b: number; c: number; list: string[] }>>[0]) =>
      defineGraph(P, { id: "p", start: "p", nodes: { p: parallel(branches, options as object) }, edges: [["p", END]] }),
  };
};

test("parallel branches read the input and write different keys: one, two, three of them", async () => {
  const { of } = merging();
  const writes = (key: "a" | "b" | "c") => ({
    run: ({ state: s }: { state: { readonly a: number } }) => ({ set: { [key]: s.a + 1 } }),
  });
  expect((await runOf(of({ x: writes("a") }), { a: 4 })).result.state).toMatchObject({ a: 5 });
  expect((await runOf(of({ x: writes("a"), y: writes("b") }), { a: 4 })).result.state).toMatchObject({ a: 5, b: 5 });
  const three = await runOf(of({ x: writes("a"), y: writes("b"), z: writes("c") }), { a: 4 });
  expect(three.result.state).toMatchObject({ a: 5, b: 5, c: 5 });
  expect(three.types.filter((type) => type === "branch.committed").length).toBe(3);
});

test("parallel branches that write one key conflict, unless its reducer combines them", async () => {
  const { of } = merging();
  const both = await runOf(of({ left: { run: () => ({ set: { a: 1 } }) }, right: { run: () => ({ set: { a: 2 } }) } }));
  expect(both.result).toMatchObject({
    status: "failed",
    state: { a: 0 },
    error: { class: "Conflict", code: "flow-write-conflict" },
  });
  expect(both.result.error?.facts).toEqual([
    ["branch", "left"],
    ["branch", "right"],
  ]);
  const appended = await runOf(
    of({ left: { run: () => ({ add: { list: "l" } }) }, right: { run: () => ({ add: { list: "r" } }) } }),
  );
  expect(appended.result.state.list).toEqual(["l", "r"]);
});

test("fail-fast is the default; collect keeps what succeeded", async () => {
  const bad = { run: () => Promise.reject(new Error("bad")) };
  const good = { run: () => ({ add: { list: "good" } }) };
  expect((await runOf(merging().of({ bad, good }))).result.status).toBe("failed");
  const collected = await runOf(merging({ strategy: "collect" }).of({ bad, good }));
  expect(collected.result).toMatchObject({ status: "completed", state: { list: ["good"] } });
  expect(collected.types).toContain("observed");
});

test("checkpoints are written when asked for, also under a manual policy, and a resume uses them", async () => {
  const { run, flow, again } = await runOf(review(), {}, { snapshots: { kind: "manual" } });
  await run.checkpoint("before lunch");
  const journal = flow.journals.open(run.id);
  expect(journal.ok && journal.value.readSnapshot()?.seq).toBeGreaterThan(0);
  const next = again();
  const resumed = await next.flow.resume(run.id, review());
  await resumed.decide("review#1" as never, { approve: true });
  expect(logOf(await resumed.result)).toEqual(["draft", "publish"]);
});

test("a flow with neither journals nor values of its own works", async () => {
  const { result } = await runOf(line("a"));
  expect(result.status).toBe("completed");
});
