// Goal: what the journal says is due is done, whoever was there when it became due. Method: runs that are left, clocks
// that go on without them, and processes that take them up or only decide.
import { expect, test } from "vitest";
import { logOf, quiet, S, says, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, listRuns, parallel, type RunResult } from "../index.ts";

type Default = "approve" | "reject" | "skip";

const timed = (onTimeout: Default, more: object = {}) =>
  defineGraph(S, {
    id: "timed",
    start: "ok",
    nodes: { ok: barrier({ timeout: "1s", onTimeout, ...more }), yes: says("yes"), no: says("no") },
    edges: [
      ["ok", "yes"],
      ["yes", END],
      ["no", END],
    ],
  });

/** A run that was left while its barrier waited, and whose time then ran out. */
async function leftOverdue(graph: ReturnType<typeof timed>) {
  const at = world();
  const run = await at.flow.start(graph, {}, { id: "r" });
  await run.settled();
  await run.leave();
  at.clock.advance(5000);
  return at.again();
}

test("a barrier whose time ran out while nobody executed the run takes its default as soon as the run is taken up", async () => {
  const graph = timed("approve");
  const { flow, events } = await leftOverdue(graph);
  const run = await flow.resume("r", graph);
  const settled = await run.settled();
  expect(settled).toMatchObject({ status: "completed" });
  expect(logOf(settled)).toEqual(["yes"]);
  expect(events("r").map(({ type }) => type)).toContain("barrier.timedout");
});

test("overdue branches of one node all take their default", async () => {
  const branch = () => barrier({ timeout: "1s", onTimeout: "approve" });
  const graph = defineGraph(S, {
    id: "both",
    start: "both",
    nodes: { both: parallel({ a: branch(), b: branch() }), yes: says("yes") },
    edges: [
      ["both", "yes"],
      ["yes", END],
    ],
  });
  const { flow } = await leftOverdue(graph as never);
  const run = await flow.resume("r", graph);
  expect(await run.settled()).toMatchObject({ status: "completed" });
});

test.each([
  ["one visit", "ok#1", {}],
  ["the next visit of a node", { node: "ok" }, { count: 1 }],
] as const)(
  "a decision for %s that nobody's owner takes comes late when the time was up before",
  async (_, target, options) => {
    const graph = timed("approve");
    const { flow } = await leftOverdue(graph);
    const ack = await flow.decide("r", { target, decision: { reject: "no" }, options } as never, graph);
    expect(ack).toMatchObject({ ack: "late", why: "its time was up before the decision came" });
    const run = await flow.resume("r", graph);
    expect(logOf(await run.settled())).toEqual(["yes"]);
  },
);

test("a decision in time is taken though the process that takes the run up comes after the time", async () => {
  const graph = timed("approve", { onReject: { goto: "no" } });
  const at = world();
  const first = await at.flow.start(graph, {}, { id: "r" });
  await first.settled();
  await first.leave();
  at.clock.advance(900);
  const told = at.again();
  const ack = await told.flow.decide("r", { target: "ok#1", decision: { reject: "no" } } as never, graph);
  expect(ack).toMatchObject({ ack: "accepted" });
  at.clock.advance(5000);
  const run = await told.again().flow.resume("r", graph);
  expect(logOf(await run.settled())).toEqual(["no"]);
});

test("a run that failed because nobody decided in time asks again with all of its time when it is resumed", async () => {
  const graph = timed("reject");
  const { flow, clock } = await leftOverdue(graph);
  expect(await (await flow.resume("r", graph)).settled()).toMatchObject({ status: "failed" });
  const late = await flow.decide("r", { target: "ok#1", decision: { approve: true } } as never, graph);
  expect(late.ack).toBe("late");
  const again = await flow.resume("r", graph);
  const waiting: RunResult<unknown> = await again.settled();
  expect(waiting).toMatchObject({ status: "waiting", barriers: [{ barrier: "ok#1", dueMs: clock.nowMs() + 1000 }] });
  expect(await again.decide("ok#1", { approve: true } as never)).toMatchObject({ ack: "accepted" });
  await quiet();
  expect(logOf(await again.result)).toEqual(["yes"]);
});

test("a fork is as old as its making, and the newest run when it was made last", async () => {
  const at = world();
  const graph = timed("approve");
  for (const id of ["first", "second"]) {
    const run = await at.flow.start(graph, {}, { id });
    await run.settled();
    await run.leave();
    at.clock.advance(100);
  }
  const madeMs = at.clock.nowMs();
  await at.flow.prepareFork("first", graph, { id: "fork" });
  const runs = listRuns(at.flow.look());
  expect(runs.map(({ run }) => run)).toEqual(["first", "second", "fork"]);
  expect(runs[2]).toMatchObject({ startedMs: madeMs, lastMs: madeMs });
  await at.flow.prepareFork("fork", graph, { id: "fork-of-fork" });
  expect(listRuns(at.flow.look()).at(-1)).toMatchObject({ run: "fork-of-fork" });
});

test("a run that is not there is refused before anything is made for it", async () => {
  const locked: string[] = [];
  const locks = {
    acquire: async (run: string) => ({ ok: true, value: { release: () => void locked.push(run) } }) as const,
  };
  const { flow } = world({ locks });
  const unknown = { problems: [{ code: "flow-run-unknown" }] };
  await expect(flow.resume("nope", timed("approve"))).rejects.toMatchObject(unknown);
  await expect(flow.command("nope", { kind: "cancel" })).rejects.toMatchObject(unknown);
  expect(locked).toEqual([]);
});
