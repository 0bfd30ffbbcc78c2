/** Crashes at every record, refusals of every write, and what a resume makes of them. */
import type { MemoryJournalStore } from "@kahn/testing";
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { quiet, S, world } from "../flow.fixture.ts";
import type { FlowGraph } from "../index.ts";
import { barrier, defineGraph, END, map, parallel, reduce, state, subgraph } from "../index.ts";

const I = state({ v: state.value(0, reduce.sum), out: state.value<readonly string[]>([], reduce.append) });

/** Counts executions by path, so that what was repeated can be told. */
function workload(count: (path: string) => void, rounds: number): FlowGraph {
  const did = (path: string) => {
    count(path);
    return { add: { log: path.replace(/#\d+/g, "") } };
  };
  const counted = (path: string, v: number) => {
    count(path);
    return { add: { v } };
  };
  const innermost = defineGraph(I, {
    id: "innermost",
    start: "leaf",
    nodes: { leaf: { run: async ({ path }) => counted(path, 1) }, ask: barrier({}) },
    edges: [
      ["leaf", "ask"],
      ["ask", END],
    ],
  });
  const inner = defineGraph(I, {
    id: "inner",
    start: "twice",
    nodes: {
      twice: map({ over: () => [1, 2], run: async ({ path, item }) => counted(path, item) }),
      deeper: subgraph({ graph: innermost, input: (s) => ({ v: s.v }), output: (i) => ({ add: { v: i.v } }) }),
    },
    edges: [
      ["twice", "deeper"],
      ["deeper", END],
    ],
  });
  return defineGraph(S, {
    id: "workload",
    start: "begin",
    maxSteps: 1000,
    nodes: {
      begin: { run: async ({ path }) => ({ ...did(path), set: { n: 1 } }) },
      fan: parallel({
        left: { run: async ({ path }) => did(path) },
        nested: subgraph({ graph: inner, input: () => ({}), output: (i) => ({ add: { n: i.v } }) }),
      }),
      each: map({ over: () => ["x", "y", "z"], limit: 2, run: async ({ path }) => did(path) }),
      gate: barrier({ decided: () => ({ add: { n: 1 } }) }),
      end: { run: async ({ path }) => did(path) },
    },
    edges: [
      ["begin", "fan"],
      ["fan", "each"],
      ["each", "gate"],
      { from: "gate", to: "begin", when: (s) => s.log.filter((each) => each === "begin").length < rounds },
      ["gate", "end"],
      ["end", END],
    ],
  }) as FlowGraph;
}

/** Runs to the end, approving whatever is asked; the last records are those that survive. */
async function finish(store: MemoryJournalStore, graph: FlowGraph, isNew: boolean) {
  const { flow } = world({}, store);
  const run = isNew ? await flow.start(graph, {}, { id: "r" }) : await flow.resume("r", graph);
  for (;;) {
    const result = await run.settled();
    if (result.barriers.length === 0) return { result, flow };
    for (const { barrier: open } of result.barriers) await run.decide(open as never, { approve: true });
    await quiet();
  }
}

// Goal: a death between any two records loses and repeats nothing that was recorded. Method: one whole run gives the
// journal; for each of its prefixes a store with just that prefix is resumed to the end; a visit runs again only if
// its commit was not in the prefix.
test("a run that dies after any record ends like one that does not, and repeats only what was in flight", async () => {
  const store = memoryJournalStore();
  const whole = await finish(
    store,
    workload(() => {}, 2),
    true,
  );
  const peeked = store.peek("r");
  const records = peeked.ok ? [...peeked.value].map(({ body }) => body) : [];
  expect(whole.result.status).toBe("completed");
  expect(records.length).toBeGreaterThan(60);
  for (let length = 1; length <= records.length; length++) {
    const cut = memoryJournalStore();
    const journal = cut.create("r");
    if (!journal.ok) throw new Error(journal.problem.message);
    const kept = records.slice(0, length);
    await journal.value.append(kept, { durability: "process" });
    const ran = new Map<string, number>();
    const { result } = await finish(
      cut,
      workload((path) => ran.set(path, (ran.get(path) ?? 0) + 1), 2),
      false,
    );
    expect({ length, ...result, trace: "" }).toEqual({ length, ...whole.result, trace: "" });
    for (const [path, times] of ran) {
      expect([length, path, times]).toEqual([length, path, 1]);
      const isRecorded = kept.some(
        (record) => ["c", "b"].includes((record as { k: string }).k) && (record as { v: string }).v === path,
      );
      expect([length, path, isRecorded]).toEqual([length, path, false]);
    }
  }
});

test("a journal that refuses any one write leaves a run that a resume completes alike", async () => {
  const whole = await finish(
    memoryJournalStore(),
    workload(() => {}, 1),
    true,
  );
  for (let nth = 2; ; nth++) {
    let hasFailed = false;
    const store = memoryJournalStore({
      faults: (append) => {
        if (hasFailed || append.nth !== nth) return undefined;
        hasFailed = true;
        return { code: "journal-io", severity: "error", message: "refused" };
      },
    });
    const { flow } = world({}, store);
    const run = await flow.start(
      workload(() => {}, 1),
      {},
      { id: "r" },
    );
    for (;;) {
      const result = await run.settled();
      if (result.problem !== undefined || result.status === "completed") break;
      for (const { barrier: open } of result.barriers) await run.decide(open as never, { approve: true });
      await quiet();
    }
    if (!hasFailed) break;
    const { result } = await finish(
      store,
      workload(() => {}, 1),
      false,
    );
    expect([nth, result.state]).toEqual([nth, whole.result.state]);
  }
});

test("a snapshot at any record gives the same end as the journal alone", async () => {
  const store = memoryJournalStore();
  const { flow } = world({ snapshots: { kind: "every", records: 1 } }, store);
  const run = await flow.start(
    workload(() => {}, 2),
    {},
    { id: "r" },
  );
  const results: unknown[] = [];
  for (;;) {
    const result = await run.settled();
    // Another process takes a copy up at this point, from the snapshot.
    const copy = store.killProcess();
    results.push(
      (
        await finish(
          copy,
          workload(() => {}, 2),
          false,
        )
      ).result.state,
    );
    if (result.barriers.length === 0) break;
    for (const { barrier: open } of result.barriers) await run.decide(open as never, { approve: true });
    await quiet();
  }
  expect(new Set(results.map((each) => JSON.stringify(each))).size).toBe(1);
});
