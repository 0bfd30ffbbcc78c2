/** Barriers: decided early, exactly or for all; answered, recorded, taken back; never by a cancel. */
import { expect, test } from "vitest";
import { logOf, runOf, S, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, type FlowGraph, history } from "../index.ts";

const rounds = (count: number): FlowGraph =>
  defineGraph(S, {
    id: "rounds",
    start: "ask",
    maxSteps: 10_000,
    nodes: {
      ask: barrier({
        accept: { n: "number?" },
        decided: (outcome) => ({ add: { n: (outcome.kind === "approve" ? outcome.payload?.n : 0) ?? 0 } }),
      }),
      count: { run: ({ path }) => ({ add: { log: path } }) },
    },
    edges: [["ask", "count"], { from: "count", to: "ask", when: (s) => s.log.length < count }, ["count", END]],
  }) as FlowGraph;

test("must-have 4: a thousand early decisions block nobody, without any reader, and each answers its occurrence", async () => {
  const { flow } = world();
  const run = await flow.start(rounds(1000), {}, { id: "r" });
  const acks = await Promise.all(
    Array.from({ length: 1000 }, (_, index) =>
      run.decide(`ask#${1000 - index}` as never, { approve: true, payload: { n: 1000 - index } } as never),
    ),
  );
  expect(acks.every(({ ack }) => ack === "accepted")).toBe(true);
  expect(await run.result).toMatchObject({ status: "completed", state: { n: (1000 * 1001) / 2 } });
});

test("must-have 4: each decision is answered by what became of it, and recorded with author and answer", async () => {
  const { flow, events } = world();
  const run = await flow.start(rounds(2), {}, { id: "r" });
  await run.settled();
  const said = async (target: string, decision: object, by: string) =>
    (await run.decide(target as never, decision as never, { by })).ack;
  expect(await said("ask#2", { approve: true }, "early")).toBe("accepted");
  expect(await said("ask#2", { reject: "twice" }, "again")).toBe("duplicate");
  expect(await said("ask#1", { approve: true, payload: { n: "much" } }, "wrong")).toBe("invalid");
  expect(await said("nobody#1", { approve: true }, "lost")).toBe("unknown");
  expect(await said("ask#1", { reroute: "nowhere" }, "astray")).toBe("invalid");
  expect(await said("ask#1", { approve: true }, "ann")).toBe("accepted");
  expect(await said("ask#1", { approve: true }, "slow")).toBe("late");
  await run.result;
  const audit = events("r").flatMap((event) =>
    event.type === "decision.recorded" ? [`${event.by} ${event.ack}`] : [],
  );
  expect(audit.slice(0, 6)).toEqual([
    "early accepted",
    "again duplicate",
    "wrong invalid",
    "lost unknown",
    "astray invalid",
    "ann accepted",
  ]);
  const told = history("r", flow.look());
  expect(told.ok && told.value.filter((entry) => entry.kind === "decided").length).toBe(2);
});

test("must-have 4: a wildcard holds as often or as long as it says, and can be taken back", async () => {
  const { flow, clock } = world();
  const run = await flow.start(rounds(9), {}, { id: "r" });
  await run.settled();
  await run.decide({ node: "ask" }, { approve: true }, { count: 2 });
  await run.settled();
  expect(run.peek().barriers.map((each) => each.barrier)).toEqual(["ask#3"]);
  await run.decide({ node: "ask" }, { approve: true }, { forMs: 1000, count: 1 });
  await run.settled();
  expect(run.peek().barriers.map((each) => each.barrier)).toEqual(["ask#4"]);
  const later = await run.decide("ask#6" as never, { approve: true });
  expect((await run.revoke(later.token)).ack).toBe("accepted");
  expect((await run.revoke(later.token)).ack).toBe("unknown");
  await run.decide("ask#4" as never, { approve: true });
  await run.decide("ask#5" as never, { approve: true });
  await run.settled();
  expect(run.peek().barriers.map((each) => each.barrier)).toEqual(["ask#6"]);
  clock.advance(2000);
  expect((await run.leave()).status).toBe("waiting");
});

test("must-have 4: a rejection never takes the normal edge unless that was asked for", async () => {
  const asked = (onReject?: "continue") =>
    defineGraph(S, {
      id: "g",
      start: "ask",
      nodes: {
        ask: barrier(onReject === undefined ? {} : { onReject }),
        go: { run: () => ({ add: { log: "went on" } }) },
      },
      edges: [
        ["ask", "go"],
        ["go", END],
      ],
    });
  for (const [onReject, expected] of [
    [undefined, ["failed", []]],
    ["continue", ["completed", ["went on"]]],
  ] as const) {
    const { run } = await runOf(asked(onReject));
    await run.decide("ask#1", { reject: "no" });
    const result = await run.result;
    expect([result.status, logOf(result)]).toEqual(expected);
  }
});
