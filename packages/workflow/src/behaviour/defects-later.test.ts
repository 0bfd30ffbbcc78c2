/** The defects of the origin that must not come back, by their numbers in the specification: 30 to 59. */
import { expect, test } from "vitest";
import { deferred, line, logOf, quiet, runOf, S, says, world } from "../flow.fixture.ts";
import {
  barrier,
  buildGraph,
  condition,
  defineGraph,
  dynamicGraph,
  END,
  fail,
  history,
  map,
  memoryJournals,
  parallel,
  reduce,
  spansOf,
  state,
  subgraph,
} from "../index.ts";

const reviewed = (options: object = {}) =>
  defineGraph(S, {
    id: "reviewed",
    start: "ok",
    nodes: { ok: barrier(options as { timeout?: string }), yes: says("yes"), no: says("no") },
    edges: [
      ["ok", "yes"],
      ["yes", END],
      ["no", END],
    ],
  });

test("30: the kinds of events, errors and options that are declared are used", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: {
        run: ({ attempt }) => (attempt < 2 ? fail("x", { class: "Retryable" }) : { add: { n: 1 } }),
        retry: { max: 2 },
      },
      m: map({ over: () => [1, 2], strategy: "collect", run: ({ item }) => (item === 1 ? fail("p") : undefined) }),
      ok: barrier({ timeout: 5, onTimeout: "skip" }),
    },
    edges: [
      ["a", "m"],
      ["m", "ok"],
      ["ok", END],
    ],
  });
  const { flow, clock, events } = world();
  const run = await flow.start(graph);
  await quiet();
  clock.advance(1000);
  await run.settled();
  clock.advance(1000);
  await run.result;
  const types = new Set(events(run.id).map((event) => event.type));
  for (const type of [
    "node.retrying",
    "fan.opened",
    "branch.committed",
    "node.failed",
    "observed",
    "barrier.opened",
    "barrier.timedout",
    "run.completed",
  ]) {
    expect([...types]).toContain(type);
  }
});

test("31: any node may end the run, and what else runs is ended first", async () => {
  const stopped: string[] = [];
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: says("a"),
      b: { run: async () => ({ add: { log: "b" }, end: true as const }) },
      c: { run: ({ signal }) => new Promise((_, no) => signal.addEventListener("abort", () => no(stopped.push("c")))) },
    },
    edges: [{ from: "a", to: ["b", "c"] }, ["b", END], ["c", END]],
  });
  const { result, events } = await runOf(graph);
  expect(result).toMatchObject({ status: "completed", state: { log: ["a", "b"] } });
  expect(stopped).toEqual(["c"]);
  expect(events.find((event) => event.type === "node.skipped")).toMatchObject({ path: "c#1", why: "frame-ended" });
});

test("32: a node that leads to the end may loop back, also when it is a barrier", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: says("a"), ok: barrier({ onReject: { goto: "a" } }) },
    edges: [
      ["a", "ok"],
      ["ok", END],
    ],
  });
  const { run } = await runOf(graph);
  await run.decide("ok#1", { reject: "once more" });
  await quiet();
  await run.decide("ok#2", { approve: true });
  expect(logOf(await run.result)).toEqual(["a", "a"]);
});

test("33: a failure takes an error edge by class or predicate, else the fallback edge", async () => {
  const of = (edge: object) =>
    defineGraph(S, {
      id: "g",
      start: "a",
      nodes: { a: { run: () => fail("no", { code: "mine" }) }, b: says("b"), c: says("c") },
      edges: [["a", "b"], { from: "a", to: "c", ...edge } as never, ["b", END], ["c", END]],
    });
  for (const edge of [
    { onError: ["Terminal"] },
    { onError: (error: { code: string }) => error.code === "mine" },
    { fallback: true },
  ]) {
    expect(logOf((await runOf(of(edge))).result)).toEqual(["c"]);
  }
  expect((await runOf(of({ onError: ["Timeout"] }))).result.status).toBe("failed");
});

test("34: a fallback commits like any other end of a visit, so no span stays open", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => ({ fallback: "x" }) }, b: says("b") },
    edges: [{ from: "a", to: "b", fallback: true }, ["b", END]],
  });
  const { events } = await runOf(graph);
  const spans = spansOf(events);
  expect(spans.length).toBe(5);
  expect(spans.every((span) => span.endMs !== undefined)).toBe(true);
});

test("35: a skip is no approval", async () => {
  let outcome: unknown;
  const { clock, run } = await runOf(
    reviewed({ timeout: 10, onTimeout: "skip", decided: (given: unknown) => void (outcome = given) }),
  );
  clock.advance(10);
  await run.result;
  expect(outcome).toEqual({ kind: "skip", timedOut: true });
});

test("36: a rejection never takes the normal edge unless it was asked to", async () => {
  const plain = await runOf(reviewed());
  await plain.run.decide("ok#1" as never, { reject: "no" });
  expect(await plain.run.result).toMatchObject({
    status: "failed",
    state: { log: [] },
    error: { code: "flow-rejected" },
  });
  const asked = await runOf(reviewed({ onReject: "continue" }));
  await asked.run.decide("ok#1" as never, { reject: "no" });
  expect(logOf(await asked.run.result)).toEqual(["yes"]);
});

test("37: wildcards are counted, expire, and can be withdrawn", async () => {
  const loop = defineGraph(S, {
    id: "g",
    start: "ok",
    maxSteps: 20,
    nodes: { ok: barrier({}) },
    edges: [{ from: "ok", to: "ok", when: () => true, maxVisits: 10 }, ["ok", END]],
  });
  const { run } = await runOf(loop);
  await run.decide({ node: "ok" }, { approve: true }, { count: 2 });
  await quiet();
  expect(run.peek().barriers[0]?.barrier).toBe("ok#3");
  const kept = await run.decide({ node: "ok" }, { approve: true }, { count: 3, forMs: 1000 });
  await quiet();
  expect(run.peek().barriers[0]?.barrier).toBe("ok#6");
  expect(await run.revoke(kept.token)).toMatchObject({ ack: "unknown" });
  await run.cancel();
});

test("37: a wildcard that has expired or was withdrawn answers nothing", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "one",
    nodes: { one: barrier({}), two: barrier({}), three: barrier({}) },
    edges: [
      ["one", "two"],
      ["two", "three"],
      ["three", END],
    ],
  });
  const { run, clock } = await runOf(graph);
  await run.decide({ node: "two" }, { approve: true }, { forMs: 1000 });
  const third = await run.decide({ node: "three" }, { approve: true });
  clock.advance(1000);
  await run.decide("one#1", { approve: true });
  await quiet();
  expect(run.peek().barriers[0]?.barrier).toBe("two#1");
  expect(await run.revoke(third.token)).toMatchObject({ ack: "accepted" });
  await run.decide("two#1", { approve: true });
  await quiet();
  expect(run.peek().barriers[0]?.barrier).toBe("three#1");
});

test("38: every decision is answered, checked and recorded: accepted, duplicate, late, unknown, invalid", async () => {
  const { run } = await runOf(reviewed({ accept: { comment: "string", stars: "number?" } }));
  const decide = (target: string, decision: object) => run.decide(target as never, decision as never, { by: "ann" });
  expect(await decide("nope#1", { approve: true })).toMatchObject({ ack: "unknown" });
  expect(await decide("ok", { approve: true })).toMatchObject({ ack: "unknown" });
  expect(await decide("ok#1", { approve: true, payload: { comment: 5 } })).toMatchObject({ ack: "invalid" });
  expect(await decide("ok#2", { approve: true, payload: { comment: "early" } })).toMatchObject({ ack: "accepted" });
  expect(await decide("ok#2", { approve: true, payload: { comment: "again" } })).toMatchObject({ ack: "duplicate" });
  expect(await decide("ok#1", { approve: true, payload: { comment: "fine" } })).toMatchObject({ ack: "accepted" });
  await run.result;
  expect(await decide("ok#1", { approve: true, payload: { comment: "late" } })).toMatchObject({ ack: "late" });
});

test("39: a thousand early decisions block nobody, and a checkpoint in a reader's loop does not deadlock", async () => {
  const { run } = await runOf(reviewed());
  const acks = await Promise.all(
    Array.from({ length: 1000 }, (_, index) => run.decide(`ok#${index + 2}` as never, { approve: true })),
  );
  expect(acks.every((each) => each.ack === "accepted")).toBe(true);
  const { flow } = world();
  const other = await flow.start(line("a", "b", "c"));
  for await (const event of other.events({ buffer: 1 }))
    if (event.type === "node.committed") void other.checkpoint(event.path);
  expect((await other.result).status).toBe("completed");
});

test("40: timeouts survive a restart with what is left of them, to the millisecond", async () => {
  const { run, clock, again } = await runOf(reviewed({ timeout: "10s", onTimeout: "approve" }));
  clock.advance(6000);
  const resumed = await again().flow.resume(run.id, reviewed({ timeout: "10s", onTimeout: "approve" }));
  await quiet();
  clock.advance(3999);
  await quiet();
  expect(resumed.peek().status).toBe("waiting");
  clock.advance(1);
  expect(logOf(await resumed.result)).toEqual(["yes"]);
});

test("41: a signal reaches running nodes; nodes time out, as a whole and when idle", async () => {
  const wait = (timeout: object, beat = false) =>
    defineGraph(S, {
      id: "g",
      start: "a",
      nodes: {
        a: {
          timeout,
          run: ({ signal, heartbeat }) =>
            new Promise<undefined>((_, no) => {
              signal.addEventListener("abort", () => no(signal.reason));
              if (beat) heartbeat();
            }),
        },
      },
      edges: [["a", END]],
    });
  for (const [timeout, afterMs] of [
    [{ run: "2s" }, 2000],
    [{ idle: "1s" }, 1000],
  ] as const) {
    const { flow, clock } = world();
    const run = await flow.start(wait(timeout));
    await quiet();
    clock.advance(afterMs - 1);
    await quiet();
    expect(run.peek().status).toBe("suspended");
    clock.advance(1);
    expect(await run.result).toMatchObject({ status: "failed", error: { class: "Timeout" } });
  }
});

test("41: a node that ignores the signal is given up after the grace", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => new Promise<never>(() => {}) } },
    edges: [["a", END]],
  });
  const { flow, clock, events } = world({ grace: "5s" });
  const run = await flow.start(graph);
  await quiet();
  const cancelled = run.cancel();
  await quiet();
  clock.advance(5000);
  expect((await cancelled).status).toBe("cancelled");
  expect(events(run.id).at(-1)).toMatchObject({ type: "run.cancelled", abandoned: ["a#1"] });
});

test("42: cancelled is an outcome of its own", async () => {
  const { run, events } = await runOf(reviewed());
  expect(await run.cancel({ reason: "why not" })).toMatchObject({ status: "cancelled" });
  expect(events.some((event) => event.type === "run.failed")).toBe(false);
});

test("43: the hash covers start, kinds, versions, reducers, edges and their classes", () => {
  const base = {
    id: "g",
    state: S,
    start: "a",
    nodes: { a: { run: () => {} }, b: { run: () => {} } },
    edges: [
      ["a", "b"],
      ["b", END],
    ],
  } as const;
  const hash = (change: object) => {
    const built = buildGraph({ ...base, ...change } as never);
    if (!built.ok) throw new Error(built.problem[0]?.message);
    return built.value.hash;
  };
  const changes = [
    {},
    { nodes: { a: { run: () => {}, version: "2" }, b: { run: () => {} } } },
    { nodes: { a: condition([["b", () => true]]), b: { run: () => {} } } },
    { nodes: { a: barrier({}), b: { run: () => {} } } },
    { nodes: { a: barrier({ onTimeout: "approve" }), b: { run: () => {} } } },
    { state: state({ n: state.value(0, reduce.max) }) },
    { edges: [["a", "b"], ["b", END], { from: "a", to: "b", when: () => true }] },
    { edges: [["a", "b"], ["b", END], { from: "a", to: "b", fallback: true }] },
    { edges: [["a", "b"], ["b", END], { from: "a", to: "b", onError: ["Timeout"] }] },
    {
      start: "b",
      edges: [
        ["a", "b"],
        ["b", END],
      ],
    },
  ];
  expect(new Set(changes.map(hash)).size).toBe(changes.length);
  expect(hash({ nodes: { b: { run: () => {} }, a: { run: () => {} } } })).toBe(hash({}));
});

test("44: a name that is given twice is a problem", () => {
  const built = dynamicGraph({ id: "g", state: S, start: "a" })
    .node("a", { run: () => {} })
    .node("a", { run: () => {} })
    .edge(["a", END])
    .build();
  expect(built).toMatchObject({ ok: false, problem: [{ code: "flow-node-duplicate" }] });
});

test("45: several normal edges, unknown targets and dead ends are found when the graph is built", () => {
  const codes = (nodes: object, edges: readonly unknown[]) => {
    const built = buildGraph({ id: "g", state: S, start: "a", nodes, edges } as never);
    return built.ok ? [] : built.problem.map((each) => each.code);
  };
  const a = { run: () => {} };
  expect(
    codes({ a, b: a }, [
      ["a", "b"],
      ["a", END],
      ["b", END],
    ]),
  ).toContain("flow-edges-ambiguous");
  expect(codes({ a: condition([["zz", () => true]]) }, [["a", END]])).toContain("flow-node-unknown");
  expect(codes({ a: barrier({ onReject: { goto: "zz" } }) }, [["a", END]])).toContain("flow-node-unknown");
  expect(codes({ a, b: a }, [["a", "b"]])).toContain("flow-dead-end");
  expect(
    codes({ a, b: a, c: a }, [
      ["a", "b"],
      ["b", "c"],
      ["c", "b"],
    ]),
  ).toContain("flow-no-end");
});

test("46: a self-loop is a cycle, and ten thousand nodes in knots are checked in a moment", () => {
  const looped = buildGraph({
    id: "g",
    state: S,
    start: "a",
    nodes: { a: { run: () => {} } },
    edges: [{ from: "a", to: "a", when: () => true }, ["a", END]],
  });
  expect(looped.ok && looped.value.warnings.map((each) => each.code)).toEqual(["flow-cycle-unbounded"]);
  const nodes = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`n${index}`, { run: () => {} }]));
  const edges = Array.from({ length: 10_000 }, (_, index) => [
    { from: `n${index}`, to: `n${(index * 7 + 1) % 10_000}`, when: () => true },
    [`n${index}`, index === 9999 ? END : `n${index + 1}`],
  ]).flat();
  expect(buildGraph({ id: "g", state: S, start: "n0", nodes, edges } as never).ok).toBe(true);
});

test("47: maxVisits is enforced: the edge is passed over, and with no other way the run fails by name", async () => {
  const of = (last: readonly unknown[]) =>
    defineGraph(S, {
      id: "g",
      start: "a",
      nodes: { a: says("a"), b: says("b") },
      edges: [{ from: "a", to: "a", when: () => true, maxVisits: 2 }, ...last, ["b", END]] as never,
    });
  expect(logOf((await runOf(of([["a", "b"]]))).result)).toEqual(["a", "a", "a", "b"]);
  expect((await runOf(of([{ from: "a", to: "b", when: () => false }]))).result.error?.code).toBe(
    "flow-visits-exceeded",
  );
});

test("48: what a graph does is in the graph: two flows give one result", async () => {
  const graph = line("a", "b");
  const one = await runOf(graph);
  const two = await runOf(graph, {}, { concurrency: 1, durability: "disk" });
  expect(one.result.state).toEqual(two.result.state);
});

test("49: branches share the state, they do not copy it", async () => {
  const seen = new Set<unknown>();
  const graph = defineGraph(S, {
    id: "g",
    start: "m",
    nodes: { m: map({ over: () => [1, 2, 3], run: ({ state: s }) => void seen.add(s) }) },
    edges: [["m", END]],
  });
  await runOf(graph);
  expect(seen.size).toBe(1);
});

test("50: times are those of the clock", async () => {
  const { events, clock } = await runOf(line("a"));
  expect(new Set(events.map((event) => event.atMs))).toEqual(new Set([clock.nowMs()]));
});

test("51: every event and every history entry survives JSON", async () => {
  const { events, run, flow } = await runOf(reviewed({ payload: () => ({ q: 1 }) }));
  expect(JSON.parse(JSON.stringify(events))).toEqual(events);
  const entries = history(run.id, flow.look());
  expect(entries.ok && JSON.parse(JSON.stringify(entries.value))).toEqual(entries.ok && entries.value);
});

test("52: spans have parents, which survive a resume", async () => {
  const inner = defineGraph(state({ v: state.value(0) }), {
    id: "inner",
    start: "x",
    nodes: { x: barrier({}) },
    edges: [["x", END]],
  });
  const graph = defineGraph(S, {
    id: "g",
    start: "s",
    nodes: { s: subgraph({ graph: inner, input: () => ({}), output: () => ({}) }) },
    edges: [["s", END]],
  });
  const { run, again } = await runOf(graph);
  const next = again();
  const resumed = await next.flow.resume(run.id, graph);
  await resumed.decide("s#1/x#1" as never, { approve: true });
  await resumed.result;
  const spans = spansOf(next.events(run.id));
  const byPath = new Map(
    spans.filter((span) => span.kind !== "attempt").map((span) => [span.attributes["kahn.path"], span]),
  );
  expect(byPath.get("s#1/x#1")).toMatchObject({
    kind: "barrier",
    status: "ok",
    parentSpanId: byPath.get("s#1")?.spanId,
  });
  expect(byPath.get("s#1")?.parentSpanId).toBe(byPath.get("")?.spanId);
});

test("53: occurrences belong to the node, not to a name inside of it", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "one",
    nodes: { one: barrier({ label: "same" }), two: barrier({ label: "same" }) },
    edges: [
      ["one", "two"],
      ["two", END],
    ],
  });
  const { run } = await runOf(graph);
  await run.decide({ node: "one" }, { approve: true });
  await quiet();
  expect(run.peek().barriers.map((each) => each.barrier)).toEqual(["two#1"]);
});

test("54: a value that cannot be kept is refused by name", async () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  for (const value of [() => {}, Symbol("x"), new URL("http://localhost"), loop]) {
    const graph = defineGraph(S, {
      id: "g",
      start: "a",
      nodes: { a: { run: () => ({ set: { x: value as never } }) } },
      edges: [["a", END]],
    });
    const { result } = await runOf(graph);
    expect(result.error).toMatchObject({ code: "flow-value-unserialisable" });
    expect(result.error?.message).toContain('a#1, key "x"');
  }
});

test("55: tasks may be asynchronous, and side by side", async () => {
  const both = [deferred(), deferred()] as const;
  const meet = async (own: 0 | 1) => {
    both[own].resolve();
    await both[own === 0 ? 1 : 0].promise;
  };
  const graph = defineGraph(S, {
    id: "g",
    start: "p",
    nodes: {
      p: parallel({
        a: { run: () => meet(0) },
        b: { run: () => meet(1) },
      }),
    },
    edges: [["p", END]],
  });
  expect((await runOf(graph)).result.status).toBe("completed");
});

test("56: steps are counted once, in one way", async () => {
  const { run, result, flow } = await runOf(line("a", "b", "c"));
  const entries = history(run.id, flow.look());
  expect(result.steps).toBe(3);
  expect(entries.ok && entries.value.at(-1)?.step).toBe(3);
});

test("57: journals in memory refuse a writer that is behind, and an id that is taken", async () => {
  const store = memoryJournals();
  const journal = store.create("r");
  if (!journal.ok) throw new Error(journal.problem.message);
  expect(store.create("r")).toMatchObject({ ok: false, problem: { code: "journal-exists" } });
  expect(await journal.value.append([1], { durability: "process", expectedSeq: 1 })).toMatchObject({
    ok: false,
    problem: { code: "journal-conflict" },
  });
});

test("58: edges fan out, joins wait, and a skipped parent leaves no join waiting", async () => {
  const graph = (join: "settled" | "all" | "any") =>
    defineGraph(S, {
      id: "g",
      start: "s",
      nodes: {
        s: { run: () => {} },
        a: says("a"),
        b: condition([["c", () => true]]),
        c: says("c"),
        j: { join, run: ({ parents }) => ({ add: { log: `a ${parents.a}, b ${parents.b}` } }) },
      },
      edges: [{ from: "s", to: ["a", "b"] }, ["a", "j"], ["b", "j"], ["c", END], ["j", END]],
    });
  expect(logOf((await runOf(graph("settled"))).result)).toEqual(["a", "c", "a arrived, b skipped"]);
  expect(logOf((await runOf(graph("any"))).result)).toContain("a arrived, b skipped");
  const stuck = (await runOf(graph("all"))).result;
  expect(stuck).toMatchObject({
    status: "failed",
    error: { code: "flow-deadlocked", facts: [["j", "has a, waits for b"]] },
  });
});

test("59: what the package exports is what its documents name", async () => {
  const exported = await import("../index.ts");
  for (const name of [
    "action",
    "barrier",
    "condition",
    "createFlow",
    "defineGraph",
    "dynamicGraph",
    "END",
    "inFolder",
    "map",
    "parallel",
    "reduce",
    "replay",
    "state",
    "subgraph",
  ]) {
    expect(Object.keys(exported)).toContain(name);
  }
});
