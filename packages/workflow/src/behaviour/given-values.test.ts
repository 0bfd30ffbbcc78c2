// Goal: a value that a person gives is checked as every write is. Method: each way in, with values that the reducer of the
// key could never meet.
import { expect, test } from "vitest";
import { S, says, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, history } from "../index.ts";

const graph = defineGraph(S, {
  id: "g",
  start: "ask",
  nodes: { ask: barrier({}), add: { run: () => ({ add: { n: 1, log: "added" } }) }, end: says("end") },
  edges: [
    ["ask", "add"],
    ["add", "end"],
    ["end", END],
  ],
});

const WRONG = [
  ["n", "seven"],
  ["n", null],
  ["log", "a text"],
] as const;

test.each(WRONG)("an input, a fork and a decision whose %s is %j are refused, and name the key", async (key, value) => {
  const { flow } = world();
  const given = { [key]: value } as object;
  const refused = { problems: [{ code: "flow-value-type", message: expect.stringContaining(`key "${key}"`) }] };
  await expect(flow.start(graph, given, { id: "never" })).rejects.toMatchObject(refused);
  expect(flow.journals.list()).toEqual([]);
  const run = await flow.start(graph, {}, { id: "r" });
  await run.settled();
  await expect(flow.prepareFork("r", graph, { set: given as Record<string, unknown> })).rejects.toMatchObject(refused);
  const ack = await run.decide("ask#1", { modify: given });
  expect(ack).toMatchObject({ ack: "invalid", why: expect.stringContaining(`key "${key}"`) });
});

test("a modification takes the place of what the state holds, past the reducer", async () => {
  const { flow } = world();
  const run = await flow.start(graph, { n: 5, log: ["before"] });
  await run.settled();
  await run.decide("ask#1", { modify: { n: 10, log: ["instead"] } });
  expect((await run.result).state).toMatchObject({ n: 11, log: ["instead", "added", "end"] });
});

test("the history tells each decision with its name and what it put into the state", async () => {
  const { flow } = world();
  const run = await flow.start(graph, {}, { id: "r" });
  await run.settled();
  await run.decide("ask#1", { modify: { n: 10 } }, { by: "ann" });
  await run.result;
  const entries = history("r", flow.look());
  expect(entries.ok && entries.value.find(({ kind }) => kind === "decided")).toMatchObject({
    path: "ask#1",
    decision: { kind: "modify", by: "ann", set: { n: 10 } },
  });
});
