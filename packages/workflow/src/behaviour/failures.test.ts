/** Failures that somebody handles: who is awaited, what is not repeated, what joins make of it. */
import { expect, test } from "vitest";
import { deferred, logOf, quiet, runOf, S, says, world } from "../flow.fixture.ts";
import { defineGraph, END, type FlowGraph, fail, parallel } from "../index.ts";
import { crashAtEveryRecord } from "../testing/index.ts";

const handled = (order: string[], did: (path: string) => void = () => {}) =>
  defineGraph(S, {
    id: "handled",
    start: "p",
    nodes: {
      p: parallel({
        slow: {
          run: ({ signal }) =>
            new Promise<undefined>((_, no) => {
              signal.addEventListener("abort", () => void quiet().then(() => no(order.push("sibling stopped"))));
            }),
        },
        bad: {
          run: async ({ path }) => {
            did(path);
            fail("bad");
          },
        },
      }),
      rescue: { run: () => ({ add: { log: `rescue ${order.push("rescue")}` } }) },
    },
    edges: [["p", END], { from: "p", to: "rescue", onError: ["Terminal"] }, ["rescue", END]],
  });

test("a handler starts only after the siblings of what failed have stopped", async () => {
  const order: string[] = [];
  const { result } = await runOf(handled(order));
  await quiet();
  expect(result.status === "completed" || order.length > 0).toBe(true);
  expect(order).toEqual(["sibling stopped", "rescue"]);
});

test("an end by one node comes after what else ran in the frame has stopped", async () => {
  const order: string[] = [];
  const graph = defineGraph(S, {
    id: "g",
    start: "s",
    nodes: {
      s: { run: () => {} },
      a: { run: async () => ({ end: true as const }) },
      b: {
        run: ({ signal }) =>
          new Promise<undefined>((_, no) => {
            signal.addEventListener("abort", () => void quiet().then(() => no(order.push("b stopped"))));
          }),
      },
    },
    edges: [{ from: "s", to: ["a", "b"] }, ["a", END], ["b", END]],
  });
  const { flow } = world({ hooks: [(event) => void (event.type === "run.completed" && order.push("completed"))] });
  expect((await (await flow.start(graph)).result).status).toBe("completed");
  expect(order).toEqual(["b stopped", "completed"]);
});

// Goal: a failure is a fact like a success. Method: die after every record; once the journal has the failure, the node
// that failed must not run again, and its handler must.
test("a recorded failure is not repeated after a crash, and still finds its handler", async () => {
  const { clock, flow } = world();
  const outcomes = await crashAtEveryRecord({
    graph: (did) => handled([], did) as FlowGraph,
    options: { clock, random: { bytes: (length) => new Uint8Array(length) } },
    finish: (run) => run.result,
  });
  for (const { records, result } of outcomes) expect([records, result.status]).toEqual([records, "completed"]);
  void flow;
});

test("what was recorded as failed does not run again when the run is taken up", async () => {
  let runs = 0;
  const at = world();
  const run = await at.flow.start(
    handled([], () => runs++),
    {},
    { id: "r" },
  );
  // Dies when the failure is in the journal and its sibling has not stopped yet.
  for await (const event of run.events()) if (event.type === "node.failed") break;
  expect(runs).toBe(1);
  const resumed = await at.again().flow.resume(
    "r",
    handled([], () => runs++),
  );
  expect((await resumed.result).status).toBe("completed");
  expect(runs).toBe(1);
});

test("a settled join waits for every parent that can still arrive", async () => {
  const gate = deferred();
  const graph = defineGraph(S, {
    id: "g",
    start: "s",
    nodes: {
      s: { run: () => {} },
      fast: says("fast"),
      slow: { run: async () => gate.promise.then(() => ({ add: { log: "slow" } })) },
      j: { join: "settled", run: ({ parents }) => ({ add: { log: Object.values(parents).join(" ") } }) },
    },
    edges: [{ from: "s", to: ["fast", "slow"] }, ["fast", "j"], ["slow", "j"], ["j", END]],
  });
  const { flow } = world();
  const run = await flow.start(graph);
  await quiet();
  expect(logOf(run.peek())).toEqual(["fast"]);
  gate.resolve();
  expect(logOf(await run.result)).toEqual(["fast", "slow", "arrived arrived"]);
});

test("a join knows a parent whose failure went elsewhere; one that was cancelled with its frame is gone with it", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "s",
    nodes: {
      s: { run: () => {} },
      good: says("good"),
      bad: { run: () => fail("bad") },
      after: says("after"),
      j: { join: "settled", run: ({ parents }) => ({ add: { log: JSON.stringify(parents) } }) },
    },
    edges: [
      { from: "s", to: ["good", "bad"] },
      ["good", "j"],
      ["bad", "j"],
      { from: "bad", to: "after", onError: ["Terminal"] },
      ["after", END],
      ["j", END],
    ],
  });
  expect(logOf((await runOf(graph)).result)).toEqual(["good", "after", '{"good":"arrived","bad":"failed"}']);
});

test("a cancel that was accepted holds after a crash: the run is cancelled, not taken up", async () => {
  let runs = 0;
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => new Promise<never>(() => void runs++) } },
    edges: [["a", END]],
  });
  const at = world();
  const run = await at.flow.start(graph, {}, { id: "r" });
  await quiet();
  void run.cancel({ reason: "enough" });
  await quiet();
  const resumed = await at.again().flow.resume("r", graph);
  expect((await resumed.result).status).toBe("cancelled");
  expect(runs).toBe(1);
});

test("a branch that ends well while its siblings are being aborted changes nothing any more", async () => {
  const gate = deferred();
  const last = deferred();
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: {
      p: parallel({
        bad: { run: async () => fail("bad") },
        deaf: { run: () => gate.promise.then(() => ({ add: { n: 5 } })) },
        later: { run: () => last.promise },
      }),
      rescue: says("rescue"),
    },
    edges: [["p", END], { from: "p", to: "rescue", onError: ["Terminal"] }, ["rescue", END]],
  });
  const { flow, events } = world();
  const run = await flow.start(graph);
  await quiet();
  gate.resolve();
  await quiet();
  last.resolve();
  expect(await run.result).toMatchObject({ status: "completed", state: { n: 0, log: ["rescue"] } });
  expect(events(run.id).filter((event) => event.type === "branch.committed")).toEqual([]);
});
