/** Cancelling: at any moment, at once, awaited, recorded, and never a decision. */
import { expect, test } from "vitest";
import { quiet, S, until, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, type FlowGraph, fail, isTerminal, map, parallel, subgraph } from "../index.ts";

const inner = defineGraph(S, {
  id: "inner",
  start: "ask",
  nodes: { ask: barrier({ timeout: 3, onTimeout: "approve" }) },
  edges: [["ask", END]],
});

/** Every kind of waiting: nodes, barriers with a default that approves, retries, subgraphs, items under a limit. */
const busy = (approved: () => void): FlowGraph =>
  defineGraph(S, {
    id: "busy",
    start: "p",
    nodes: {
      p: parallel({
        a: { run: async () => quiet() },
        b: barrier({ timeout: 5, onTimeout: "approve", decided: () => void approved() }),
        m: map({ over: () => [1, 2, 3], limit: 1, run: async () => quiet() }),
        s: subgraph({ graph: inner, input: () => ({}), output: () => ({}) }),
      }),
      z: {
        retry: { max: 2, delay: 5 },
        run: ({ attempt }) => (attempt === 1 ? fail("x", { class: "Retryable" }) : {}),
      },
    },
    edges: [
      ["p", "z"],
      ["z", END],
    ],
  }) as FlowGraph;

// Goal: a cancel is the end, whatever is going on. Method: one run tells how many events there are; then a run is
// cancelled at each of them, with the clock standing still from there on.
test("must-have 9: a cancel at each event of a run ends it as cancelled, applies no default, and can be taken up", async () => {
  let cancelled = 0;
  for (let stopAt = 1; ; stopAt++) {
    let approvals = 0;
    const { flow, clock, events, again } = world();
    const run = await flow.start(
      busy(() => approvals++),
      {},
      { id: "r" },
    );
    let isTicking = true;
    const ticking = (async () => {
      for (let round = 0; round < 30 && isTicking; round++) {
        await quiet();
        if (isTicking) clock.advance(1);
      }
    })();
    for await (const event of run.events()) if (event.seq === stopAt || isTerminal(event)) break;
    isTicking = false;
    await ticking;
    const approvalsBefore = approvals;
    const before = clock.nowMs();
    const result = await run.cancel({ reason: "enough", by: "ann" });
    if (result.status === "completed") break;
    cancelled++;
    const told = events("r");
    expect([stopAt, result.status, clock.nowMs() - before, approvals - approvalsBefore]).toEqual([
      stopAt,
      "cancelled",
      0,
      0,
    ]);
    expect(told.filter(isTerminal).map(({ type }) => type)).toEqual(["run.cancelled"]);
    const at = told.findIndex(({ type }) => type === "run.cancelling");
    expect(told[at]).toMatchObject({ reason: "enough", by: "ann" });
    expect(told.slice(at).filter(({ type }) => type === "barrier.timedout" || type === "node.started")).toEqual([]);
    clock.advance(1000);
    await quiet();
    expect(events("r")).toEqual(told);
    const resumed = await again().flow.resume(
      "r",
      busy(() => {}),
    );
    for (let round = 0; round < 30; round++) {
      await quiet();
      clock.advance(5);
    }
    expect([stopAt, (await resumed.result).status]).toEqual([stopAt, "completed"]);
  }
  expect(cancelled).toBeGreaterThan(20);
});

test("must-have 9: a cancel reaches each running node as an abort, and is told after all of them have stopped", async () => {
  const order: string[] = [];
  const node = {
    run: ({ signal, path }: { readonly signal: AbortSignal; readonly path: string }) =>
      new Promise<undefined>((_, no) => {
        signal.addEventListener("abort", () => void quiet().then(() => no(order.push(path))));
      }),
  };
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: { p: parallel({ x: node, y: node }) },
    edges: [["p", END]],
  });
  const { flow } = world({ hooks: [(event) => void (isTerminal(event) && order.push(event.type))] });
  const run = await flow.start(graph);
  await quiet();
  expect((await run.cancel()).status).toBe("cancelled");
  expect(order).toEqual(["p#1/x", "p#1/y", "run.cancelled"]);
});

test("must-have 9: who leaves the loop over events detaches, or cancels if that was asked for", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: async () => quiet() }, ok: barrier({}) },
    edges: [
      ["a", "ok"],
      ["ok", END],
    ],
  });
  for (const onLeave of ["detach", "cancel"] as const) {
    const { flow } = world();
    const run = await flow.start(graph);
    for await (const event of run.events({ onLeave })) if (event.type === "node.started") break;
    if (onLeave === "detach") await until(run, "barrier.opened");
    if (onLeave === "detach") expect((await run.leave()).status).toBe("waiting");
    else expect((await run.result).status).toBe("cancelled");
  }
});
