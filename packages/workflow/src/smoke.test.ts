import { seededRandom, settled, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { barrier, createFlow, defineGraph, END, map, parallel, reduce, state, subgraph } from "./index.ts";

const make = () => {
  const clock = virtualClock();
  return { clock, flow: createFlow({ clock, random: seededRandom(1) }) };
};
const S = state({
  n: state.value(0, reduce.sum),
  log: state.value<string[]>([], reduce.append),
  x: state.value<string>(),
});

test("chain", async () => {
  const { flow } = make();
  const g = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: { run: () => ({ add: { n: 1, log: "a" } }) },
      b: { run: async ({ state }) => (state.n < 5 ? { goto: "a" } : { set: { x: "done" } }) },
    },
    edges: [["a", "b"], { from: "b", to: "a", fallback: true }, ["b", END]],
  });
  const run = await flow.start(g, {});
  const events = [];
  for await (const e of run.events()) events.push(e.type);
  const r = await run.result;
  expect(r).toMatchObject({ status: "completed", state: { n: 5, x: "done" } });
  expect(events.at(-1)).toBe("run.completed");
});

test("map, parallel, sub, barrier", async () => {
  const { flow } = make();
  const inner = defineGraph(state({ v: state.value(0) }), {
    id: "inner",
    start: "p",
    nodes: { p: { run: ({ state }) => ({ set: { v: state.v + 1 } }) }, q: barrier({}) },
    edges: [
      ["p", "q"],
      ["q", END],
    ],
  });
  const g = defineGraph(S, {
    id: "g",
    start: "m",
    nodes: {
      m: map({ over: () => [1, 2, 3], limit: 2, run: async ({ item }) => ({ add: { n: item, log: `m${item}` } }) }),
      p: parallel({ l: { run: () => ({ add: { log: "l" } }) }, r: { run: async () => ({ add: { log: "r" } }) } }),
      s: subgraph({ graph: inner, input: (s) => ({ v: s.n }), output: (i) => ({ add: { n: i.v } }) }),
    },
    edges: [
      ["m", "p"],
      ["p", "s"],
      ["s", END],
    ],
  });
  const run = await flow.start(g, {});
  const w = await run.settled();
  expect(w.status).toBe("waiting");
  expect(w.barriers.map((b) => b.barrier)).toEqual(["s#1/q#1"]);
  expect(await run.decide("s#1/q#1" as never, { approve: true })).toMatchObject({ ack: "accepted" });
  const r = await run.result;
  expect(r).toMatchObject({ status: "completed", state: { n: 13, log: ["m1", "m2", "m3", "l", "r"] } });
  await settled();
});
