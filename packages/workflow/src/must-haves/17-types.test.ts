/**
 * Must-have 17: names, keys, payloads and decisions are checked by the compiler.
 *
 * Method: `npm run typecheck` reads this file, too: a line under `@ts-expect-error` that compiles is an error. The
 * functions called `refused…` are never called; what they hold is wrong in other ways at run time.
 */
import { expect, test } from "vitest";
import { world } from "../flow.fixture.ts";
import type { FlowGraph, PayloadAt } from "../index.ts";
import { barrier, defineGraph, END, map, parallel, reduce, state, subgraph } from "../index.ts";

const Inner = state({ verdict: state.value(""), page: state.value(0) });
const inner = defineGraph(Inner, {
  id: "inner",
  start: "read",
  nodes: {
    read: { run: ({ state }) => ({ set: { page: state.page + 1 } }) },
    sign: barrier({
      accept: { page: "number" },
      onReject: { goto: "read" },
      decided: (outcome) =>
        outcome.kind === "approve" ? { set: { verdict: `page ${outcome.payload.page}` } } : undefined,
    }),
  },
  edges: [
    ["read", "sign"],
    ["sign", END],
  ],
});

const S = state({ docs: state.value<string[]>([], reduce.append), n: state.value(0, reduce.sum), x: state.value("") });
const nested = defineGraph(S, {
  id: "nested",
  start: "ask",
  nodes: {
    ask: barrier({ accept: { note: "string", urgent: "boolean?" } }),
    both: parallel({
      legal: barrier({ accept: { clause: "number" } }),
      work: { run: ({ state }) => ({ add: { n: state.docs.length } }), writes: ["n"] },
      deep: parallel({ last: barrier({}) }),
    }),
    each: map({
      over: (s) => s.docs,
      body: () =>
        subgraph({ graph: inner, input: () => ({ page: 1 }), output: ({ verdict }) => ({ add: { docs: verdict } }) }),
    }),
    sub: subgraph({ graph: inner, input: (s) => ({ page: s.n }), output: ({ page }) => ({ add: { n: page } }) }),
  },
  edges: [
    ["ask", "both"],
    ["both", "each"],
    ["each", "sub"],
    ["sub", END],
  ],
});

test("must-have 17: barriers in branches, maps and subgraphs are decided by typed paths", async () => {
  const { flow, again } = world();
  const run = await flow.start(nested, { docs: ["a", "b"] }, { id: "r" });
  await run.decide("ask#1", { approve: true, payload: { note: "go" } });
  await run.decide("both#1/legal", { approve: true, payload: { clause: 4 } });
  await run.decide({ node: "both/deep/last" }, { approve: true });
  await run.settled();
  await run.decide("each#1/0/sign#1", { approve: true, payload: { page: 7 } });
  await run.decide({ node: "each/*/sign" }, { modify: { verdict: "as it is" } });
  await run.settled();
  await run.leave();
  const resumed = await again().flow.resume("r", nested);
  const ack = await resumed.decide("sub#1/sign#1", { approve: true, payload: { page: 1 } });
  expect(ack.ack).toBe("accepted");
  expect((await resumed.result).state.docs).toEqual(["a", "b", "page 7", "as it is"]);
});

test("must-have 17: a decision for a run of nobody is typed by the graph that is given", async () => {
  const { flow, again } = world();
  const run = await flow.start(nested, {}, { id: "r" });
  await run.settled();
  await run.leave();
  const elsewhere = again().flow;
  const decision = { approve: true, payload: { note: "go" } } as const;
  expect((await elsewhere.decide("r", { target: "ask#1", decision }, nested)).ack).toBe("accepted");
  // @ts-expect-error nothing is called so
  expect((await elsewhere.decide("r", { target: "aks#1", decision }, nested)).ack).toBe("unknown");
});

/** What the compiler knows of barriers by their paths. */
export const known: {
  readonly top: PayloadAt<typeof nested, "ask">;
  readonly branch: PayloadAt<typeof nested, "both/legal">;
  readonly each: PayloadAt<typeof nested, "each/*/sign">;
  readonly sub: PayloadAt<typeof nested, "sub/sign">;
} = { top: { note: "" }, branch: { clause: 1 }, each: { page: 1 }, sub: { page: 1 } };
// @ts-expect-error of the wrong type
export const wrong: PayloadAt<typeof nested, "both/legal"> = { clause: "1" };

/** Decisions that do not compile. */
export async function refusedDecisions(flow: ReturnType<typeof world>["flow"]): Promise<void> {
  const run = await flow.start(nested);
  // @ts-expect-error no such node
  await run.decide("aks#1", { approve: true });
  // @ts-expect-error a node that is no barrier
  await run.decide("both#1", { approve: true });
  // @ts-expect-error a branch that is no barrier
  await run.decide("both#1/work", { approve: true });
  // @ts-expect-error a path to nowhere
  await run.decide({ node: "sub/sing" }, { approve: true, payload: { page: 1 } });
  // @ts-expect-error the payload is missing
  await run.decide("ask#1", { approve: true });
  // @ts-expect-error a member of the wrong type
  await run.decide("both#1/legal", { approve: true, payload: { clause: "4" } });
  // @ts-expect-error the payload of another barrier
  await run.decide("each#1/0/sign#1", { approve: true, payload: { note: "go" } });
  // @ts-expect-error a key of the outer state
  await run.decide("sub#1/sign#1", { modify: { docs: [] } });
  // @ts-expect-error a key of the wrong type
  await run.decide("ask#1", { modify: { x: 1 } });
  // @ts-expect-error no such node
  await run.decide("ask#1", { reroute: "nowhere" });
  // @ts-expect-error a branch goes nowhere
  await run.decide("both#1/legal", { reroute: "ask" });
  const resumed = await flow.resume("r", nested);
  // @ts-expect-error a resumed run knows its payloads, too
  await resumed.decide("ask#1", { approve: true, payload: { note: 1 } });
  // @ts-expect-error and its state
  (await resumed.result).state.docs.push(1);
  // @ts-expect-error the input has keys
  await flow.start(nested, { nothing: 1 });
  // @ts-expect-error of types
  await flow.start(nested, { n: "1" });
  const named: FlowGraph = nested as FlowGraph;
  await (await flow.start(named)).decide("anything#1", { approve: true, payload: 1 });
}

/** Graphs that do not compile. */
export function refusedGraphs(): void {
  const ok = { run: () => undefined };
  defineGraph(S, {
    id: "g",
    // @ts-expect-error no such node
    start: "b",
    nodes: {
      a: {
        run: () => ({ set: { n: 1 } }),
        // @ts-expect-error no such key
        writes: ["m"],
      },
      // @ts-expect-error no such key
      p: parallel({ one: { run: () => ({ set: { m: 1 } }) } }),
      // @ts-expect-error a value of the wrong type
      q: parallel({ one: { run: () => ({ add: { docs: [1] } }) } }),
      // @ts-expect-error an inner key that does not exist
      s: subgraph({ graph: inner, input: () => ({ pages: 1 }), output: () => ({}) }),
      // @ts-expect-error an inner key of the wrong type
      t: subgraph({ graph: inner, input: () => ({ page: "1" }), output: () => ({}) }),
      // @ts-expect-error an outer key of the wrong type
      u: subgraph({ graph: inner, input: () => ({}), output: (s) => ({ set: { docs: s.page } }) }),
      // @ts-expect-error an output that is not of the inner state
      v: subgraph({ graph: inner, input: () => ({}), output: (s) => ({ add: { n: s.pages } }) }),
      ok,
    },
    edges: [
      ["a", "p"],
      // @ts-expect-error no such node
      ["p", "nowhere"],
      // @ts-expect-error no such key
      { from: "a", to: "ok", when: (s) => s.m > 1 },
      // @ts-expect-error no such class of failures
      { from: "a", to: "ok", onError: ["Never"] },
    ],
  });
}
