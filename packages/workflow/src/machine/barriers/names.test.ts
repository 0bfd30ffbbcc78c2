// Goal: whoever names a barrier that is not there, or not there yet, is told which there are; what a barrier asks for is
// told without the graph. Method: one graph with barriers at every depth, decided through the library.
import { expect, test } from "vitest";
import { S, says, world } from "../../flow.fixture.ts";
import { barrier, defineGraph, END, map, parallel, runSummary, subgraph } from "../../index.ts";

const inner = defineGraph(S, {
  id: "inner",
  start: "sign",
  nodes: { sign: barrier({}) },
  edges: [["sign", END]],
});

const graph = defineGraph(S, {
  id: "outer",
  start: "ask",
  maxSteps: 20,
  nodes: {
    ask: barrier({ accept: { note: "string" }, onReject: { goto: "ask" } }),
    both: parallel({ legal: barrier({}), money: says("money") }),
    each: map({ over: () => [1], body: () => barrier({}) }),
    sub: subgraph({ graph: inner, input: () => ({}), output: () => ({}) }),
  },
  edges: [
    ["ask", "both"],
    ["both", "each"],
    ["each", "sub"],
    ["sub", END],
  ],
});

async function waiting() {
  const at = world();
  const run = await at.flow.start(graph, {}, { id: "r" });
  await run.settled();
  const decide = (target: unknown, decision: unknown = { approve: true, payload: { note: "" } }, options = {}) =>
    run.decide(target as never, decision as never, options);
  return { ...at, run, decide };
}

test("a barrier that is not there is answered with the nearest name, or with all, and with those that are open", async () => {
  const { decide } = await waiting();
  const unknown = async (target: unknown) => {
    const { ack, why } = await decide(target);
    expect(ack).toBe("unknown");
    return why;
  };
  expect(await unknown("aks#1")).toBe('there is no barrier "aks" (did you mean ask?); open: ask#1');
  expect(await unknown({ node: "both/legl" })).toBe(
    'there is no barrier "both/legl" (did you mean both/legal?); open: ask#1',
  );
  expect(await unknown({ node: "sub/sing" })).toContain("did you mean sub/sign?");
  expect(await unknown("elsewhere#1")).toContain("(the graph has ask, both/legal, each/*, sub/sign); open: ask#1");
  expect(await unknown("both/legal#1")).toBe('"both/legal#1" is no visit of a barrier; open: ask#1');
});

test("a decision that answers nothing yet is accepted, says that it waits, and is revoked by its token", async () => {
  const { decide, run } = await waiting();
  const early = await decide("ask#9");
  expect(early).toMatchObject({
    ack: "accepted",
    why: '"ask#9" is not open yet, and the decision waits for it; open: ask#1',
  });
  const next = await decide({ node: "both/legal" }, { approve: true }, { count: 1 });
  expect(next.why).toBe('no visit of "both/legal" is open, and the decision waits for the next; open: ask#1');
  expect(await run.revoke(early.token)).toMatchObject({ ack: "accepted" });
  expect(await decide("ask#1")).toStrictEqual({ kind: "answer", ack: "accepted", token: expect.any(String) });
});

test("what a barrier asks for is in its journal, in the event that opens it, and survives a snapshot", async () => {
  const { events, again, run, flow } = await waiting();
  expect(events("r").find(({ type }) => type === "barrier.opened")).toMatchObject({ accept: { note: "string" } });
  const found = runSummary("r", flow.look());
  expect(found.ok && found.value.barriers).toEqual([{ barrier: "ask#1", node: "ask", accept: { note: "string" } }]);
  await run.checkpoint("here");
  const taken = await again().flow.resume("r", graph);
  expect((await taken.settled()).barriers).toMatchObject([{ accept: { note: "string" } }]);
});

test("of a schema only that it is one can be told", async () => {
  const schema = { "~standard": { validate: (value: unknown) => ({ value }) } };
  const checked = defineGraph(S, {
    id: "checked",
    start: "ask",
    nodes: { ask: barrier({ accept: schema }) },
    edges: [["ask", END]],
  });
  const run = await world().flow.start(checked, {});
  expect((await run.settled()).barriers).toMatchObject([{ accept: "schema" }]);
});
