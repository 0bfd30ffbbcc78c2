// Goal: a decision reaches the barrier that it names, is judged by that barrier, and is never told of after the end of
// its run. Method: bodies of maps that differ by item, patterns over branches, and decisions beside what ends the run.
import { expect, test } from "vitest";
import { deferred, logOf, quiet, S, world } from "../../flow.fixture.ts";
import { type BarrierOutcome, barrier, defineGraph, END, fail, isTerminal, map, parallel } from "../../index.ts";

const asks = (accept: Readonly<Record<string, "string" | "number">>) =>
  barrier({ accept: accept as never, decided: ({ kind }: BarrierOutcome) => ({ add: { log: kind } }) } as never);

/** Of its two items only the second waits for somebody. */
const mixed = defineGraph(S, {
  id: "mixed",
  start: "each",
  nodes: {
    each: map({
      over: () => [1, 2],
      limit: 1,
      body: (item: number) =>
        (item === 2 ? asks({ price: "number" }) : { run: () => ({ add: { log: "task" } }), kind: "task" }) as never,
    }),
  },
  edges: [["each", END]],
});

test("an item of a map is decided as what it is, though the items before it are something else", async () => {
  const { flow } = world();
  const run = await flow.start(mixed, {});
  const waiting = await run.settled();
  expect(waiting.barriers.map((each) => each.barrier)).toEqual(["each#1/1"]);
  expect(await run.decide("each#1/0" as never, { approve: true } as never)).toMatchObject({ ack: "unknown" });
  const wrong = await run.decide("each#1/1" as never, { approve: true, payload: { price: "much" } } as never);
  expect(wrong).toMatchObject({ ack: "invalid", why: '"price" is not a number' });
  const right = await run.decide("each#1/1" as never, { approve: true, payload: { price: 3 } } as never);
  expect(right).toMatchObject({ ack: "accepted" });
  expect(logOf(await run.result)).toEqual(["task", "approve"]);
});

test("a star names every branch and every node, and what does not suit all of them is invalid", async () => {
  const graph = defineGraph(S, {
    id: "both",
    start: "both",
    nodes: { both: parallel({ a: asks({ price: "number" }), b: asks({ price: "string" }) } as never) },
    edges: [["both", END]],
  });
  const { flow } = world();
  const run = await flow.start(graph, {});
  await run.settled();
  const everyone = { node: "*/*" } as never;
  const approval = (price: unknown) => ({ approve: true, payload: { price } }) as never;
  expect(await run.decide(everyone, approval(3))).toMatchObject({ ack: "invalid", why: '"price" is not a string' });
  expect(await run.decide(everyone, { modify: { y: 1 } } as never)).toMatchObject({ ack: "invalid" });
  expect(await run.decide({ node: "*/c" } as never, approval(3))).toMatchObject({ ack: "unknown" });
  expect(await run.decide({ node: "both/*" } as never, { modify: { n: 2 } } as never)).toMatchObject({
    ack: "accepted",
  });
  expect(await run.result).toMatchObject({ status: "completed", state: { n: 2 } });
});

test.each([
  ["ends", (run: { cancel(): unknown }) => run.cancel(), "run.cancelled"],
  ["is left", (run: { leave(): unknown }) => run.leave(), "run.suspended"],
] as const)("what comes together with the moment in which a run %s is not told of after it", async (_, stop, last) => {
  const { flow, events } = world();
  const run = await flow.start(mixed, {}, { id: "r" });
  await run.settled();
  void stop(run);
  void run.cancel();
  void run.checkpoint("late");
  const ack = await run.decide("each#1/1" as never, { approve: true, payload: { price: 3 } } as never);
  expect(ack).toEqual({ ack: "late", token: "", why: "the run has just stopped", again: true });
  await run.result;
  await quiet();
  const told = events("r");
  expect(told.filter(isTerminal).map(({ type }) => type)).toEqual([last]);
  expect(told.at(-1)?.type).toBe(last);
});

test("a decision that meets a run as it is left is made once nobody executes it", async () => {
  const { flow } = world();
  const run = await flow.start(mixed, {}, { id: "r" });
  await run.settled();
  void run.leave();
  const decided = { target: "each#1/1", decision: { approve: true, payload: { price: 3 } } } as never;
  expect(await flow.decide("r", decided)).toMatchObject({ ack: "accepted" });
  expect(logOf(await (await flow.resume("r", mixed)).result)).toEqual(["task", "approve"]);
});

// Goal: a barrier that was refused in a run that goes on without it is over, and one of a run that failed by it is asked
// again when the run is resumed. Method: a rejected branch beside one that takes its time; a second decision for it.
test("a refused branch cannot be approved while its siblings end", async () => {
  const slow = deferred<object>();
  const graph = defineGraph(S, {
    id: "vote",
    start: "vote",
    nodes: { vote: parallel({ a: barrier({}), b: { run: () => slow.promise } } as never, { strategy: "collect" }) },
    edges: [["vote", END]],
  });
  const { flow } = world();
  const run = await flow.start(graph, {});
  await quiet();
  expect(await run.decide("vote#1/a" as never, { reject: "no" } as never)).toMatchObject({ ack: "accepted" });
  expect(run.peek().barriers).toEqual([]);
  expect(await run.decide("vote#1/a" as never, { approve: true } as never)).toMatchObject({ ack: "late" });
  const pattern = await run.decide({ node: "vote/a" } as never, { approve: true } as never, { count: 1 });
  expect(pattern).toMatchObject({ ack: "accepted" });
  await quiet();
  expect(run.peek().status).not.toBe("completed");
  slow.resolve({ add: { log: "b" } });
  expect(await run.result).toMatchObject({ status: "completed", state: { log: ["b"] } });
});

test("what is decided of a barrier by which a run failed answers it when the run is resumed", async () => {
  const graph = defineGraph(S, {
    id: "strict",
    start: "all",
    nodes: { all: parallel({ a: barrier({}), b: barrier({}) } as never) },
    edges: [["all", END]],
  });
  const { flow, events } = world();
  const run = await flow.start(graph, {}, { id: "r" });
  await run.settled();
  await run.decide("all#1/a" as never, { reject: "no" } as never);
  expect(await run.result).toMatchObject({ status: "failed" });
  const again = { target: "all#1/a", decision: { approve: true } } as never;
  expect(await flow.decide("r", again, graph as never)).toMatchObject({ ack: "accepted" });
  expect(events("r").filter(({ type }) => type === "node.committed")).toEqual([]);
  const resumed = await flow.resume("r", graph);
  expect((await resumed.settled()).barriers.map((each) => each.barrier)).toEqual(["all#1/b"]);
  await resumed.decide("all#1/b" as never, { approve: true } as never);
  expect(await resumed.result).toMatchObject({ status: "completed" });
});

test("a barrier in a branch that has failed waits for nobody, and its time does not run out", async () => {
  const slow = deferred<object>();
  const inner = parallel({
    bad: { run: () => fail("no") },
    ask: barrier({ timeout: "1s", onTimeout: "approve" }),
  } as never);
  const graph = defineGraph(S, {
    id: "half",
    start: "all",
    nodes: { all: parallel({ inner, b: { run: () => slow.promise } } as never, { strategy: "collect" }) },
    edges: [["all", END]],
  });
  const { flow, clock, events } = world();
  const run = await flow.start(graph, {}, { id: "r" });
  await quiet();
  expect(run.peek().barriers).toEqual([]);
  expect(await run.decide("all#1/inner/ask" as never, { approve: true } as never)).toMatchObject({ ack: "late" });
  clock.advance(2000);
  await quiet();
  expect(events("r").map(({ type }) => type)).not.toContain("barrier.timedout");
  slow.resolve({ add: { log: "b" } });
  expect(await run.result).toMatchObject({ status: "completed", state: { log: ["b"] } });
});
