/** What the compiler must accept and refuse; checked by `tsc` alone. */
import type { PayloadAt } from "./barrier-paths.ts";
import { action, barrier, condition, map, parallel, subgraph } from "./construct.ts";
import { defineGraph } from "./graph.ts";
import { END } from "./nodes.ts";
import { reduce } from "./reducers.ts";
import { state } from "./state.ts";

const S = state({
  topic: state.value<string>(),
  notes: state.value<string[]>([], reduce.append),
  tokens: state.value(0, reduce.sum),
  report: state.blob(),
});

const inner = defineGraph(state({ x: state.value(0) }), {
  id: "inner",
  start: "a",
  nodes: { a: { run: ({ state }) => ({ set: { x: state.x + 1 } }) } },
  edges: [["a", END]],
});

/** A graph that uses everything. */
export const research = defineGraph(S, {
  id: "research",
  version: "3",
  start: "plan",
  maxSteps: 200,
  nodes: {
    plan: {
      run: async ({ state, signal }) => ({ set: { topic: state.topic.trim() + signal.aborted } }),
      retry: { max: 3, backoff: "exp" },
      timeout: { run: "2m", idle: "20s" },
    },
    gather: map({
      over: (s) => s.topic.split(","),
      limit: 8,
      strategy: "collect",
      run: async ({ item }) => ({ set: { notes: [item] } }),
    }),
    check: {
      run: ({ state }) => (state.notes.length > 0 ? { goto: "review" } : { fallback: "nothing found" }),
      targets: ["review"],
    },
    review: barrier({
      payload: (s) => ({ notes: s.notes }),
      accept: { comment: "string" },
      timeout: "24h",
      onTimeout: "reject",
      onReject: { goto: "plan" },
      decided: (outcome) => (outcome.kind === "approve" ? { set: { topic: outcome.payload.comment } } : undefined),
    }),
    both: parallel({
      left: { run: ({ state }) => ({ set: { topic: state.topic } }) },
      right: { run: () => ({ add: { tokens: 1 } }) },
    }),
    sub: subgraph({
      graph: inner,
      input: (s) => ({ x: s.tokens }),
      output: (inner) => ({ set: { tokens: inner.x } }),
    }),
    route: condition([["write", (s) => s.tokens > 3]]),
    write: action({
      work: { tasks: ["build"] },
      result: (outcome) => ({ add: { tokens: outcome.kind === "tasks" ? outcome.cached : 0 } }),
    }),
    manual: { run: () => ({ add: { notes: "x", tokens: 2 } }) },
  },
  edges: [
    ["plan", "gather"],
    ["gather", "check"],
    { from: "check", to: "manual", fallback: true },
    { from: "review", to: "plan", when: (s) => s.notes.length < 3, label: "too thin", maxVisits: 5 },
    ["review", "both"],
    ["both", "sub"],
    ["sub", "route"],
    ["route", "write"],
    ["write", END],
    ["manual", END],
    { from: "write", to: "manual", onError: ["Timeout", "Terminal"] },
  ],
});

/** The payload of a barrier is known by the node's name. */
export const payload: PayloadAt<typeof research, "review"> = { comment: "x" };
// @ts-expect-error a number is no comment
export const wrongPayload: PayloadAt<typeof research, "review"> = { comment: 1 };
/** Never called: these graphs are refused when they are defined, too. */
export function refused(): void {
  defineGraph(S, {
    id: "wrong",
    // @ts-expect-error there is no such node
    start: "nowhere",
    nodes: {
      // @ts-expect-error a key that does not exist
      a: { run: () => ({ set: { nothing: 1 } }) },
      // @ts-expect-error a value of the wrong type
      b: { run: () => ({ set: { tokens: "1" } }) },
      // @ts-expect-error a target that does not exist
      c: { run: () => ({ goto: "z" }) },
    },
    edges: [
      ["a", "b"],
      // @ts-expect-error a node that does not exist
      ["a", "zz"],
    ],
  });

  defineGraph(S, {
    id: "also-wrong",
    start: "a",
    nodes: {
      // @ts-expect-error onReject leads nowhere
      a: barrier({ onReject: { goto: "zz" } }),
      // @ts-expect-error targets of a map
      b: map({ over: (s) => s.notes, targets: ["q"], run: () => undefined }),
      // @ts-expect-error a branch that writes a wrong value
      c: map({ over: (s) => s.notes, run: () => ({ set: { tokens: "q" } }) }),
    },
    edges: [["a", "b"]],
  });
}
