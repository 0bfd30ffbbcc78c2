/** The defects of the origin that must not come back, by their numbers in the specification: 1 to 29. */
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { deferred, line, logOf, mirrorOf, quiet, runOf, S, says, until, world } from "../flow.fixture.ts";
import { barrier, defineGraph, END, fail, history, map, parallel, reduce, state, subgraph } from "../index.ts";

const gated = (gate: Promise<unknown>) =>
  defineGraph(S, {
    id: "gated",
    start: "a",
    nodes: { a: says("a"), b: { run: async () => gate.then(() => ({ add: { log: "b" } })) }, c: says("c") },
    edges: [
      ["a", "b"],
      ["b", "c"],
      ["c", END],
    ],
  });

const waits = (options: object = {}) =>
  defineGraph(S, {
    id: "waits",
    start: "a",
    nodes: { a: says("a"), ok: barrier(options as { timeout?: string }), b: says("b") },
    edges: [
      ["a", "ok"],
      ["ok", "b"],
      ["b", END],
    ],
  });

const hangs = defineGraph(S, {
  id: "hangs",
  start: "a",
  nodes: {
    a: { run: ({ signal }) => new Promise((_, no) => signal.addEventListener("abort", () => no(signal.reason))) },
  },
  edges: [["a", END]],
});

test("1: a resume goes on where the journal ends, not at the start", async () => {
  const { flow, again } = world();
  const run = await flow.start(gated(new Promise(() => {})), {}, { id: "r" });
  await until(run, "node.committed");
  const resumed = await again().flow.resume("r", gated(Promise.resolve()));
  expect(logOf(await resumed.result)).toEqual(["a", "b", "c"]);
});

test("2: a resume keeps the run's id, trace, steps, occurrences, decisions and wildcards", async () => {
  const { run, flow, again } = await runOf(waits());
  await run.decide({ node: "ok" } as never, { approve: true }, { count: 1 });
  await run.result;
  const second = await flow.start(waits(), {}, { id: "two" });
  await second.settled();
  await second.decide("ok#2" as never, { approve: true });
  const resumed = await again().flow.resume("two", waits());
  const result = await resumed.settled();
  expect(result).toMatchObject({ run: "two", trace: (await second.peek()).trace, steps: 2 });
  expect(result.barriers[0]?.barrier).toBe("ok#1");
});

test("3: a resume of a completed run gives its result and runs nothing", async () => {
  let runs = 0;
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => ({ add: { n: ++runs } }) } },
    edges: [["a", END]],
  });
  const { run, again } = await runOf(graph);
  const resumed = await again().flow.resume(run.id, graph);
  expect(await resumed.result).toMatchObject({ status: "completed", state: { n: 1 } });
  expect(runs).toBe(1);
});

test("4: a reader that leaves an unfinished run does not complete it", async () => {
  const { flow } = world();
  const run = await flow.start(waits());
  for await (const event of run.events()) if (event.type === "barrier.opened") break;
  expect(flow.peek(run.id)).toMatchObject({ ok: true, value: { status: "waiting" } });
});

test("5: an open barrier is in the journal before anybody hears of it", async () => {
  const { flow, journals } = world();
  const run = await flow.start(waits());
  for await (const event of run.events()) {
    if (event.type !== "barrier.opened") continue;
    const survivor = world({}, journals.killProcess());
    expect(survivor.flow.peek(run.id)).toMatchObject({ value: { barriers: [{ barrier: "ok#1" }] } });
    break;
  }
});

test("6: a failed, a cancelled and an exhausted run can be resumed where they stopped", async () => {
  let isBroken = true;
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: says("a"), b: { run: () => (isBroken ? fail("broken") : { add: { log: "b" } }) } },
    edges: [
      ["a", "b"],
      ["b", END],
    ],
  });
  const { run, result, again } = await runOf(graph);
  expect(result.status).toBe("failed");
  isBroken = false;
  expect(logOf(await (await again().flow.resume(run.id, graph)).result)).toEqual(["a", "b"]);
  const { flow, again: later } = world();
  const cancelled = await flow.start(hangs, {}, { id: "c" });
  await until(cancelled, "node.started");
  expect((await cancelled.cancel()).status).toBe("cancelled");
  const taken = await later().flow.resume("c", hangs);
  expect(taken.peek().status).toBe("suspended");
  expect((await taken.leave()).status).toBe("suspended");
});

test("7: a cancel during a timed barrier never applies the default", async () => {
  const { run, clock, types } = await runOf(waits({ timeout: "10s", onTimeout: "approve" }));
  const result = await run.cancel();
  clock.advance(60_000);
  await quiet();
  expect(result.status).toBe("cancelled");
  expect(logOf(result)).toEqual(["a"]);
  expect(types).not.toContain("barrier.timedout");
});

test("8: a cancel during an untimed barrier ends the run at once", async () => {
  const { run } = await runOf(waits());
  expect((await run.cancel()).status).toBe("cancelled");
});

test("9: forgetting the handle decides nothing", async () => {
  const { flow, clock } = world();
  const id = (await flow.start(waits({ onTimeout: "approve" }))).id;
  await quiet();
  clock.advance(1e9);
  await quiet();
  expect(flow.peek(id)).toMatchObject({ value: { status: "waiting", state: { log: ["a"] } } });
});

test("10: an adaptive snapshot is taken after the commit, so an expensive node is not repeated", async () => {
  let runs = 0;
  const graph = defineGraph(S, {
    id: "g",
    start: "pay",
    nodes: { pay: { run: () => ({ add: { n: ++runs }, cost: 100 }), sideEffects: true }, ok: barrier({}) },
    edges: [
      ["pay", "ok"],
      ["ok", END],
    ],
  });
  const { run, again, flow } = await runOf(graph, {}, { snapshots: { kind: "adaptive", threshold: 100 } });
  const journal = flow.journals.open(run.id);
  expect(journal.ok && journal.value.readSnapshot()).toBeTruthy();
  const resumed = await again().flow.resume(run.id, graph);
  await resumed.decide("ok#1", { approve: true });
  expect(await resumed.result).toMatchObject({ status: "completed", state: { n: 1 } });
  expect(runs).toBe(1);
});

const siblings = (slow: (signal: AbortSignal) => Promise<unknown>) =>
  defineGraph(S, {
    id: "siblings",
    start: "p",
    nodes: {
      p: parallel({
        slow: { run: async ({ signal }) => void (await slow(signal)) },
        bad: { run: async () => Promise.reject(new Error("bad")) },
      }),
    },
    edges: [["p", END]],
  });

test("11: fail-fast aborts the siblings and awaits them before the end is told", async () => {
  const order: string[] = [];
  const graph = siblings(
    (signal) =>
      new Promise((_, no) =>
        signal.addEventListener("abort", () => void quiet().then(() => no(order.push("sibling stopped")))),
      ),
  );
  const { flow } = world({ hooks: [(event) => void (event.type === "run.failed" && order.push("run.failed"))] });
  expect((await (await flow.start(graph)).result).status).toBe("failed");
  expect(order).toEqual(["sibling stopped", "run.failed"]);
});

test("12: whatever throws, there is exactly one terminal event", async () => {
  const boom = () => {
    throw new Error("boom");
  };
  const T = state({
    n: state.value(0),
    c: state.value(0, reduce.custom<number>("boom", boom, 0)),
    log: state.value<string[]>([], reduce.append),
  });
  const task = { run: () => ({ set: { n: 1 } }) };
  const graphs = [
    defineGraph(T, { id: "node", start: "a", nodes: { a: { run: boom } }, edges: [["a", END]] }),
    defineGraph(T, {
      id: "predicate",
      start: "a",
      nodes: { a: task },
      edges: [{ from: "a", to: END, when: boom }, ["a", END]],
    }),
    defineGraph(T, {
      id: "reducer",
      start: "a",
      nodes: { a: { run: () => ({ set: { c: 1 } }) } },
      edges: [["a", END]],
    }),
    defineGraph(T, { id: "over", start: "a", nodes: { a: map({ over: boom, run: () => {} }) }, edges: [["a", END]] }),
    defineGraph(T, { id: "payload", start: "a", nodes: { a: barrier({ payload: boom }) }, edges: [["a", END]] }),
    defineGraph(T, { id: "nonsense", start: "a", nodes: { a: { run: () => 42 as never } }, edges: [["a", END]] }),
  ];
  for (const graph of graphs) {
    const { result, types } = await runOf(graph);
    expect([graph.id, result.status]).toEqual([graph.id, "failed"]);
    expect(types.filter((type) => /^run\.(completed|failed|cancelled|suspended)$/.test(type))).toEqual(["run.failed"]);
  }
});

test("13: a journal that refuses stops the run with a resumable problem, and starts nothing more", async () => {
  for (let nth = 2; nth < 6; nth++) {
    let fails = true;
    const refusal = { code: "journal-io" as const, severity: "error" as const, message: "the disk is full" };
    const journals = memoryJournalStore({ faults: (append) => (fails && append.nth === nth ? refusal : undefined) });
    const { flow, again } = world({}, journals);
    const run = await flow.start(line("a", "b", "c", "d"), {}, { id: "r" });
    expect(await run.result).toMatchObject({ status: "suspended", problem: { code: "journal-io" } });
    fails = false;
    expect(logOf(await (await again().flow.resume("r", line("a", "b", "c", "d"))).result)).toEqual([
      "a",
      "b",
      "c",
      "d",
    ]);
  }
});

test("14: a write that cannot be applied fails the node, changes nothing and is told to nobody", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => ({ set: { n: "1" as never } }) } },
    edges: [["a", END]],
  });
  const { result, types } = await runOf(graph);
  expect(result).toMatchObject({ status: "failed", state: { n: 0 }, error: { code: "flow-value-type" } });
  expect(types).not.toContain("state.changed");
});

test("15: branches are told in the order in which they end", async () => {
  const first = deferred();
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: {
      p: parallel({
        slow: { run: async () => void (await first.promise) },
        fast: { run: async () => first.resolve() },
      }),
    },
    edges: [["p", END]],
  });
  const { events } = await runOf(graph);
  const ended = events.flatMap((event) => (event.type === "branch.committed" ? [event.node] : []));
  expect(ended).toEqual(["fast", "slow"]);
});

test("16: collect keeps the writes of the branches that succeeded", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "m",
    nodes: {
      m: map({
        over: () => [1, 2, 3, 4],
        strategy: "collect",
        run: ({ item }) => (item % 2 ? fail("odd") : { add: { n: item } }),
      }),
    },
    edges: [["m", END]],
  });
  const { result, events } = await runOf(graph);
  expect(result).toMatchObject({ status: "completed", state: { n: 6 } });
  expect(events.find((event) => event.type === "observed")).toMatchObject({
    error: { class: "Observed", parts: [{ path: "m#1/0" }, { path: "m#1/2" }] },
  });
});

test("17: branches may be barriers, maps, parallels and subgraphs; their costs count, and they cannot go astray", async () => {
  const inner = defineGraph(state({ v: state.value(0) }), {
    id: "inner",
    start: "x",
    nodes: { x: { run: ({ state: s }) => ({ set: { v: s.v + 10 }, cost: 2 }) } },
    edges: [["x", END]],
  });
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: {
      p: parallel({
        ask: barrier({ decided: () => ({ add: { log: "asked" } }) }),
        each: map({ over: () => [1, 2], run: ({ item }) => ({ add: { n: item }, cost: 1 }) }),
        both: parallel({ l: { run: () => ({ add: { log: "l" } }) }, r: { run: () => ({ add: { log: "r" } }) } }),
        sub: subgraph({ graph: inner, input: (s) => ({ v: s.n }), output: (i) => ({ add: { n: i.v } }) }),
      }),
    },
    edges: [["p", END]],
  });
  const { run } = await runOf(graph);
  expect(run.peek().barriers[0]?.barrier).toBe("p#1/ask");
  await run.decide("p#1/ask" as never, { approve: true });
  expect(await run.result).toMatchObject({ status: "completed", cost: 4, state: { n: 13, log: ["asked", "l", "r"] } });
  const astray = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: { p: parallel({ a: { run: () => ({ goto: "p" }) as never } }) },
    edges: [["p", END]],
  });
  expect((await runOf(astray)).result.error?.code).toBe("flow-branch-astray");
});

test("18: the costs of branches reach the run", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "m",
    nodes: { m: map({ over: () => [1, 2, 3], run: () => ({ cost: 5 }) }) },
    edges: [["m", END]],
  });
  expect((await runOf(graph)).result.cost).toBe(15);
});

test("19: a reducer meets every write: one writer, many writers, and a sequence of nodes agree", async () => {
  const write = { run: () => ({ set: { log: ["w"], n: 2 } }) };
  const one = defineGraph(S, { id: "g", start: "p", nodes: { p: parallel({ a: write }) }, edges: [["p", END]] });
  const two = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: { p: parallel({ a: write, b: write }) },
    edges: [["p", END]],
  });
  const row = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: write, b: write },
    edges: [
      ["a", "b"],
      ["b", END],
    ],
  });
  const input = { log: ["i"], n: 1 };
  expect((await runOf(one, input)).result.state).toMatchObject({ log: ["i", "w"], n: 3 });
  expect((await runOf(two, input)).result.state).toEqual((await runOf(row, input)).result.state);
});

test("20: two writes of one branch are no conflict", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: { p: parallel({ a: { run: () => ({ set: { x: "1" }, replace: { x: "2" } }) }, b: says("b") }) },
    edges: [["p", END]],
  });
  expect((await runOf(graph)).result.state).toMatchObject({ x: "2" });
});

test("21: a delete removes the key, also in a branch", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: { p: parallel({ a: { run: () => ({ delete: ["x"] }) } }) },
    edges: [["p", END]],
  });
  const { result } = await runOf(graph, { x: "there" });
  expect(Object.hasOwn(result.state as object, "x")).toBe(false);
});

test("22: min, max and sum keep whole numbers, take the first value as it is, and refuse NaN", async () => {
  const T = state({
    lo: state.value<number>(undefined as never, reduce.min),
    hi: state.value<number>(undefined as never, reduce.max),
    big: state.value(0n, reduce.sum),
  });
  const graph = defineGraph(T, {
    id: "g",
    start: "m",
    nodes: { m: map({ over: () => [5, 7], run: ({ item }) => ({ set: { lo: item, hi: item, big: BigInt(item) } }) }) },
    edges: [["m", END]],
  });
  expect((await runOf(graph)).result.state).toEqual({ lo: 5, hi: 7, big: 12n });
  const bad = defineGraph(T, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => ({ set: { lo: Number.NaN } }) } },
    edges: [["a", END]],
  });
  expect((await runOf(bad)).result.error?.code).toBe("flow-value-type");
});

test("23: a conflict is found before anything is merged", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: {
      p: parallel({ a: { run: () => ({ set: { n: 1, x: "a" } }) }, b: { run: () => ({ set: { n: 1, x: "b" } }) } }),
    },
    edges: [["p", END]],
  });
  const { result } = await runOf(graph, { n: 5 });
  expect(result).toMatchObject({ status: "failed", state: { n: 5, log: [] } });
});

test("24: events tell what a key holds after the merge, so they fold to the state", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "m",
    nodes: { m: map({ over: () => [1, 2, 3], run: ({ item }) => ({ add: { n: item, log: `${item}` } }) }) },
    edges: [["m", END]],
  });
  const { result, events } = await runOf(graph);
  expect(mirrorOf(events)).toEqual(result.state);
  expect(events.filter((event) => event.type === "state.changed" && event.key === "n")).toMatchObject([{ value: 6 }]);
});

test("25: custom reducers are used for every write, and the journal is read without them", async () => {
  const T = state({
    best: state.value(
      "",
      reduce.custom<string>("longest", (a, b) => (b.length > a.length ? b : a), ""),
    ),
  });
  const graph = defineGraph(T, {
    id: "g",
    start: "a",
    nodes: {
      a: { run: () => ({ set: { best: "four" } }) },
      m: map({ over: () => ["x", "longer", "mid"], run: ({ item }) => ({ set: { best: item } }) }),
    },
    edges: [
      ["a", "m"],
      ["m", END],
    ],
  });
  const { run, flow } = await runOf(graph);
  expect(flow.peek(run.id)).toMatchObject({ value: { state: { best: "longer" } } });
});

test("26: writes of barriers and fallbacks are in the journal like all others", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: { run: () => ({ add: { log: "a" }, fallback: "no" }) },
      ok: barrier({ decided: () => ({ add: { log: "decided" } }) }),
    },
    edges: [{ from: "a", to: "ok", fallback: true }, ["ok", END]],
  });
  const { run, flow } = await runOf(graph);
  await run.decide("ok#1", { approve: true });
  await run.result;
  expect(flow.peek(run.id)).toMatchObject({ value: { state: { log: ["a", "decided"] } } });
});

test("27: a resume from a snapshot doubles nothing", async () => {
  const { run, flow, again } = await runOf(waits(), {}, { snapshots: { kind: "every-node" } });
  const before = flow.peek(run.id);
  const resumed = await again().flow.resume(run.id, waits());
  await resumed.decide("ok#1" as never, { approve: true });
  expect(before).toMatchObject({ value: { state: { log: ["a"] } } });
  expect(logOf(await resumed.result)).toEqual(["a", "b"]);
});

test("28: a step costs what it writes, whatever the size of the state", async () => {
  const T = state({ blob: state.value(""), n: state.value(0, reduce.sum) });
  const graph = defineGraph(T, {
    id: "g",
    start: "a",
    maxSteps: 1000,
    nodes: { a: { run: () => ({ add: { n: 1 } }) } },
    edges: [{ from: "a", to: "a", when: (s) => s.n < 100 }, ["a", END]],
  });
  const { run, flow } = await runOf(graph, { blob: "x".repeat(1_000_000) });
  const records = flow.journals.peek(run.id);
  const bytes = records.ok ? [...records.value].reduce((sum, { body }) => sum + JSON.stringify(body).length, 0) : 0;
  expect(bytes / 100).toBeLessThan(100);
});

test("29: under a manual policy a snapshot is written when it is asked for, and only then", async () => {
  const { run, flow } = await runOf(waits(), {}, { snapshots: { kind: "manual" } });
  const snapshot = () => {
    const journal = flow.journals.open(run.id);
    return journal.ok ? journal.value.readSnapshot() : undefined;
  };
  expect(snapshot()).toBeUndefined();
  await run.checkpoint("now");
  expect(snapshot()).toBeTruthy();
  expect(history(run.id, flow.look())).toMatchObject({ ok: true });
});
