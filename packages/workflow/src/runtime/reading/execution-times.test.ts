// Goal: the time of a run is that in which somebody executed it and something ran: no waiting for people, no time in which
// nobody had it. Method: runs in a world whose clock only the test moves.
import { expect, test } from "vitest";
import { quiet, S, world } from "../../flow.fixture.ts";
import { barrier, defineGraph, END, history, listRuns, map, parallel, runSummary } from "../../index.ts";

type World = ReturnType<typeof world>;

function summaryOf({ flow }: World, run: string) {
  const found = runSummary(run, flow.look());
  if (!found.ok) throw new Error(found.problem.message);
  return found.value;
}

function entriesOf({ flow }: World, run: string) {
  const found = history(run, flow.look());
  if (!found.ok) throw new Error(found.problem.message);
  return found.value;
}

/** What takes so long, on the clock of its world. */
const takes = (at: World, ms: number) => ({
  run: async () => {
    at.clock.advance(ms);
    return {};
  },
});

function reviewed(at: World) {
  return defineGraph(S, {
    id: "reviewed",
    start: "draft",
    nodes: { draft: takes(at, 300), approve: barrier({}), publish: takes(at, 50) },
    edges: [
      ["draft", "approve"],
      ["approve", "publish"],
      ["publish", END],
    ],
  });
}

test("waiting for people and being left are no execution, and a barrier says how long it waited", async () => {
  const at = world();
  const graph = reviewed(at);
  const run = await at.flow.start(graph, {}, { id: "r" });
  await run.settled();
  at.clock.advance(10_000);
  await run.leave();
  at.clock.advance(60_000);
  await at.flow.decide("r", { target: "approve#1", decision: { approve: true } }, graph);
  at.clock.advance(3_600_000);
  await (await at.flow.resume("r", graph)).result;
  expect(summaryOf(at, "r")).toMatchObject({ executedMs: 350, running: [] });
  const entries = entriesOf(at, "r");
  const took = entries.filter(({ kind }) => kind === "committed").map(({ path, tookMs }) => [path, tookMs]);
  expect(took).toEqual([
    ["draft#1", 300],
    ["approve#1", undefined],
    ["publish#1", 50],
  ]);
  expect(entries.find(({ kind }) => kind === "decided")).toMatchObject({ waitedMs: 70_000 });
});

test("a fork has no time of the run that it came from", async () => {
  const at = world();
  const graph = reviewed(at);
  await (await at.flow.start(graph, {}, { id: "r" })).settled();
  at.clock.advance(5000);
  const fork = await at.flow.fork("r", graph, { id: "f", from: "draft" });
  await fork.settled();
  expect(summaryOf(at, "f")).toMatchObject({ executedMs: 300, startedMs: at.clock.nowMs() - 300 });
  expect(entriesOf(at, "f").find(({ kind }) => kind === "committed")).toMatchObject({ path: "draft#1", tookMs: 300 });
});

test("what runs is told with its attempt, since when, and until when it waits for the next", async () => {
  const at = world();
  const graph = defineGraph(S, {
    id: "busy",
    start: "both",
    nodes: {
      both: parallel({
        slow: { run: () => new Promise<never>(() => {}) },
        sign: barrier({}),
        again: {
          retry: { max: 3, delay: "1m" },
          run: () => {
            throw new Error("busy");
          },
        },
      }),
    },
    edges: [["both", END]],
  });
  const startedMs = at.clock.nowMs();
  await at.flow.start(graph, {}, { id: "r" });
  await quiet();
  at.clock.advance(2000);
  const { executedMs, running } = summaryOf(at, "r");
  expect(executedMs).toBe(0);
  expect(running).toEqual([
    { path: "both#1/slow", sinceMs: startedMs, attempt: 1 },
    { path: "both#1/again", sinceMs: startedMs, attempt: 2, retryMs: expect.any(Number) },
  ]);
});

test("a process that dies was there until its last event; what failed counts again once it is tried again", async () => {
  const at = world();
  let fails = true;
  const graph = defineGraph(S, {
    id: "fails",
    start: "each",
    nodes: {
      each: map({
        over: () => [1, 2],
        body: () => ({
          run: async () => {
            at.clock.advance(100);
            if (fails) throw new Error("no");
            return {};
          },
        }),
      }),
    },
    edges: [["each", END]],
  });
  const run = await at.flow.start(graph, {}, { id: "r" });
  expect(await run.result).toMatchObject({ status: "failed" });
  const { executedMs } = summaryOf(at, "r");
  fails = false;
  at.clock.advance(50_000);
  const after = at.again();
  await (await after.flow.resume("r", graph)).result;
  const [summary] = listRuns(after.flow.look());
  expect(summary).toMatchObject({ status: "completed", running: [] });
  expect(summary!.executedMs).toBeGreaterThan(executedMs);
  expect(summary!.executedMs).toBeLessThanOrEqual(executedMs + 300);
});
