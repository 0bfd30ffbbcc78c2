import { seededRandom, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { barrier, createFlow, defineGraph, END, type FlowGraph, reduce, state } from "../index.ts";
import { crashAtEveryRecord, decideBy, withStubs } from "./index.ts";

const S = state({ n: state.value(0, reduce.sum) });
const graph = (did: (path: string) => void): FlowGraph =>
  defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: {
        run: ({ path }) => {
          did(path);
          return { add: { n: 1 } };
        },
      },
      ok: barrier({}),
    },
    edges: [["a", "ok"], { from: "ok", to: "a", when: (s) => s.n < 3 }, ["ok", END]],
  }) as FlowGraph;
const ports = () => ({ clock: virtualClock(), random: seededRandom(1) });

test("a script decides barriers, and a stub stands for a node", async () => {
  const stubbed = withStubs(
    graph(() => {}),
    { a: { run: () => ({ add: { n: 10 } }) } },
  );
  const run = await createFlow(ports()).start(stubbed);
  const result = await decideBy(run as never, () => ({ approve: true }));
  expect(result).toMatchObject({ status: "completed", state: { n: 10 } });
  expect(() =>
    withStubs(
      graph(() => {}),
      { zz: { run: () => {} } },
    ),
  ).toThrow(/no node "zz"/);
});

test("a run that dies at any record repeats nothing that was recorded and ends alike", async () => {
  const outcomes = await crashAtEveryRecord({
    graph,
    options: ports(),
    finish: (run) => decideBy(run, () => ({ approve: true })),
  });
  expect(outcomes.length).toBeGreaterThan(10);
  for (const { result, repeated } of outcomes) {
    expect([result.status, result.state, repeated]).toEqual(["completed", { n: 3 }, []]);
  }
});
