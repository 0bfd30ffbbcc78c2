/** A resume goes on where the journal ends: steps, occurrences, decisions and the rest of every time. */
import { expect, test } from "vitest";
import { logOf, quiet, runOf, S, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, type FlowGraph } from "../index.ts";

const graph = (onTimeout: "approve" | "reject" = "approve"): FlowGraph =>
  defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: { run: ({ path }) => ({ add: { log: path } }) },
      ask: barrier({ timeout: "10s", onTimeout, onReject: "continue" }),
      b: { run: ({ path }) => ({ add: { log: path } }) },
    },
    edges: [["a", "ask"], ["ask", "b"], { from: "b", to: "a", when: (s) => s.log.length < 4 }, ["b", END]],
  }) as FlowGraph;

test("must-have 3: a barrier of ten seconds, killed after six and taken up, fires at ten", async () => {
  const { clock, again } = await runOf(graph(), {}, {});
  clock.advance(6000);
  const { flow, events } = again();
  const [id] = flow.journals.list();
  const run = await flow.resume(id!, graph());
  await quiet();
  clock.advance(3999);
  await quiet();
  expect(logOf(run.peek())).toEqual(["a#1"]);
  clock.advance(1);
  await quiet();
  expect(logOf(run.peek()).slice(0, 2)).toEqual(["a#1", "b#1"]);
  const timedOut = events(id!).find((event) => event.type === "barrier.timedout");
  const opened = events(id!).find((event) => event.type === "barrier.opened");
  expect(timedOut!.atMs - opened!.atMs).toBe(10_000);
});

test("must-have 3: a time that ran out while nobody was there is over at once", async () => {
  const { clock, again, run } = await runOf(graph(), {}, {});
  clock.advance(60_000);
  const resumed = await again().flow.resume(run.id, graph());
  await quiet();
  expect(logOf(resumed.peek()).slice(0, 2)).toEqual(["a#1", "b#1"]);
});

test("must-have 3: run id, steps, occurrences, early decisions and wildcards go on, life after life", async () => {
  let at = world();
  await at.flow.start(graph(), {}, { id: "r", trace: `${"0".repeat(31)}1` });
  await quiet();
  const once = await at.flow.live("r")!.decide({ node: "ask" }, { approve: true }, { count: 1 });
  expect(once.ack).toBe("accepted");
  await quiet();
  await at.flow.live("r")!.decide("ask#3" as never, { reject: "early" });
  at = at.again();
  const second = await at.flow.resume("r", graph());
  await second.settled();
  // The wildcard was used up at the first visit, so the second waits; the third has its decision.
  expect(second.peek()).toMatchObject({
    run: "r",
    trace: `${"0".repeat(31)}1`,
    barriers: [{ barrier: "ask#2" }],
    steps: 5,
  });
  at = at.again();
  const third = await at.flow.resume("r", graph());
  await third.decide("ask#2" as never, { approve: true });
  const result = await third.result;
  expect([result.status, logOf(result)]).toEqual(["completed", ["a#1", "b#1", "a#2", "b#2"]]);
  const over = await at.again().flow.resume("r", graph());
  expect(await over.result).toEqual(result);
});
