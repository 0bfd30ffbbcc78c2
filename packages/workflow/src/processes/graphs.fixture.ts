/** Graphs that tests execute in processes of their own. */
import { barrier, defineGraph, END, type FlowGraph, map, reduce, state, subgraph } from "../index.ts";

const Count = state({ count: state.value(0, reduce.sum), sum: state.value(0, reduce.sum) });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Rounds of a step, a map of four and a subgraph in a subgraph: 8 executions each, 25 of them. */
export function longRun(did: (path: string) => void): FlowGraph {
  const act = async (path: string) => {
    await turn();
    did(path);
    return { add: { sum: 1 } };
  };
  const leaf = defineGraph(Count, {
    id: "leaf",
    start: "x",
    nodes: { x: { run: ({ path }) => act(path) } },
    edges: [["x", END]],
  });
  const inner = defineGraph(Count, {
    id: "inner",
    start: "y",
    nodes: {
      y: { run: ({ path }) => act(path) },
      z: subgraph({ graph: leaf, input: () => ({}), output: (s) => ({ add: { sum: s.sum } }) }),
    },
    edges: [
      ["y", "z"],
      ["z", END],
    ],
  });
  return defineGraph(Count, {
    id: "long",
    start: "step",
    maxSteps: 500,
    nodes: {
      step: { run: async ({ path }) => ({ add: { count: 1, ...(await act(path)).add } }) },
      each: map({ over: () => [1, 2, 3, 4], limit: 3, run: ({ path }) => act(path) }),
      sub: subgraph({ graph: inner, input: () => ({}), output: (s) => ({ add: { sum: s.sum } }) }),
      last: { run: ({ path }) => act(path) },
    },
    edges: [
      ["step", "each"],
      ["each", "sub"],
      ["sub", "last"],
      { from: "last", to: "step", when: (s) => s.count < 25 },
      ["last", END],
    ],
  }) as FlowGraph;
}

/** Waits for a person. */
export const approval: FlowGraph = defineGraph(Count, {
  id: "approval",
  start: "ask",
  nodes: { ask: barrier({ accept: { note: "string?" } }), done: { run: () => ({ add: { count: 1 } }) } },
  edges: [
    ["ask", "done"],
    ["done", END],
  ],
}) as FlowGraph;
