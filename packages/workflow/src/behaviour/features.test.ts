/** What flows can do besides: looking back, forks, versions, retries, limits, caches, stores, readers. */
import { err } from "@kahn/core";
import { fakeTaskRunner, memoryActionCache } from "@kahn/testing";
import { expect, test } from "vitest";
import { deferred, line, logOf, quiet, runOf, S, says, world } from "../flow.fixture.ts";
import {
  action,
  barrier,
  defineGraph,
  diffStates,
  END,
  fail,
  history,
  listRuns,
  liveDigests,
  map,
  memoryStore,
  parallel,
  pruneRuns,
  reduce,
  replay,
  state,
  stateAt,
  toDot,
  toMermaid,
} from "../index.ts";

const flaky = (failures: number, options: object = {}) => {
  const attempts: number[] = [];
  const graph = defineGraph(S, {
    id: "flaky",
    start: "a",
    nodes: {
      a: {
        retry: { max: 3, delay: 100, jitter: 0, ...options },
        run: ({ attempt }) => {
          attempts.push(attempt);
          if (attempts.length <= failures) throw new Error("not yet");
          return { add: { n: 1 } };
        },
      },
    },
    edges: [["a", END]],
  });
  return { graph, attempts };
};

test("a failed attempt is repeated after a delay that doubles, and the failure of the last is the node's", async () => {
  const { graph, attempts } = flaky(9);
  const { run, clock } = await startOf(graph);
  expect(attempts).toEqual([1]);
  clock.advance(100);
  await quiet();
  clock.advance(199);
  await quiet();
  expect(attempts).toEqual([1, 2]);
  clock.advance(1);
  expect(await run.result).toMatchObject({
    status: "failed",
    error: { class: "Retryable", message: "Error: not yet" },
  });
  expect(attempts).toEqual([1, 2, 3]);
});

async function startOf(graph: ReturnType<typeof flaky>["graph"]) {
  const at = world();
  const run = await at.flow.start(graph, {}, { id: "r" });
  await quiet();
  return { ...at, run };
}

test("a retry's budget and delay survive a restart, and retryAfter is heeded", async () => {
  const { graph, attempts } = flaky(2);
  const { clock, again } = await startOf(graph);
  const resumed = await again().flow.resume("r", graph);
  await quiet();
  expect(attempts).toEqual([1]);
  clock.advance(100);
  await quiet();
  expect(attempts).toContain(2);
  clock.advance(10_000);
  expect((await resumed.result).status).toBe("completed");
  const busy = defineGraph(S, {
    id: "busy",
    start: "a",
    nodes: {
      a: {
        retry: { max: 2, delay: 1, jitter: 0 },
        run: ({ attempt }) => (attempt === 1 ? fail("busy", { class: "Retryable", retryAfterMs: 5000 }) : {}),
      },
    },
    edges: [["a", END]],
  });
  const at = world();
  const run = await at.flow.start(busy);
  await quiet();
  at.clock.advance(4999);
  await quiet();
  expect(run.peek().status).toBe("suspended");
  at.clock.advance(1);
  expect((await run.result).status).toBe("completed");
});

test("`once` does a thing once per visit, whatever becomes of the attempts and of the process", async () => {
  let done = 0;
  const keys = new Set<string>();
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: {
        retry: { max: 3, delay: 10, jitter: 0 },
        run: async ({ once, attempt, idempotencyKey }) => {
          keys.add(idempotencyKey);
          const n = await once("pay", () => ++done);
          if (attempt < 3) throw new Error("later");
          return { add: { n } };
        },
      },
    },
    edges: [["a", END]],
  });
  const at = world();
  await at.flow.start(graph, {}, { id: "r" });
  await quiet();
  const resumed = await at.again().flow.resume("r", graph);
  for (let round = 0; round < 4; round++) {
    at.clock.advance(1000);
    await quiet();
  }
  expect(await resumed.result).toMatchObject({ status: "completed", state: { n: 1 } });
  expect([done, keys.size]).toEqual([1, 1]);
});

test("a quorum is enough: the others are aborted, and too many failures fail the node", async () => {
  const aborted: string[] = [];
  const of = (quorum: number) =>
    defineGraph(S, {
      id: "g",
      start: "p",
      nodes: {
        p: parallel(
          {
            a: { run: async () => ({ add: { log: "a" } }) },
            b: { run: async () => fail("b") },
            c: {
              run: ({ signal }) =>
                new Promise<undefined>((_, no) => signal.addEventListener("abort", () => no(aborted.push("c")))),
            },
          },
          { strategy: { quorum } },
        ),
      },
      edges: [["p", END]],
    });
  expect((await runOf(of(1))).result).toMatchObject({ status: "completed", state: { log: ["a"] } });
  expect(aborted).toEqual(["c"]);
  expect((await runOf(of(3))).result).toMatchObject({ status: "failed", error: { code: "flow-branches-failed" } });
});

test("items sent are items run, for every limit, and no more run at once", async () => {
  for (let limit = 1; limit <= 6; limit++) {
    let [now, most, all] = [0, 0, 0];
    const graph = defineGraph(S, {
      id: "g",
      start: "m",
      nodes: {
        m: map({
          over: () => [1, 2, 3, 4, 5, 6],
          limit,
          run: async () => {
            most = Math.max(most, ++now);
            all++;
            await quiet();
            now--;
          },
        }),
      },
      edges: [["m", END]],
    });
    expect((await runOf(graph, {}, {})).run).toBeTruthy();
    await quiet();
    await quiet();
    for (let round = 0; round < 12; round++) await quiet();
    expect([limit, most, all]).toEqual([limit, limit, 6]);
  }
});

test("mutexes, pools and concurrency of a flow hold across its runs", async () => {
  let [now, most] = [0, 0];
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: {
        claim: { mutexes: ["port"], pools: { db: 1 }, tags: ["heavy"] },
        run: async () => {
          most = Math.max(most, ++now);
          await quiet();
          now--;
        },
      },
    },
    edges: [["a", END]],
  });
  const { flow } = world({ concurrency: 4, pools: { db: 2 } });
  const runs = await Promise.all([1, 2, 3].map(() => flow.start(graph)));
  const results = await Promise.all(runs.map((run) => run.result));
  expect(results.map((result) => result.status)).toEqual(["completed", "completed", "completed"]);
  expect(most).toBe(1);
  const impossible = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { claim: { pools: { nope: 1 } }, run: () => {} } },
    edges: [["a", END]],
  });
  expect((await (await flow.start(impossible)).result).error?.code).toBe("flow-claim-impossible");
});

test("a node with a cache is not run again for an equal key", async () => {
  let runs = 0;
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { cache: { key: (s) => s.x ?? "" }, run: () => ({ add: { n: ++runs } }) } },
    edges: [["a", END]],
  });
  const nodeCache = memoryActionCache();
  for (const x of ["p", "p", "q"]) await runOf(graph, { x }, { nodeCache });
  expect(runs).toBe(2);
});

test("an action runs tasks of the workspace and fails with them", async () => {
  const graph = (task: string) =>
    defineGraph(S, {
      id: "g",
      start: "build",
      nodes: {
        build: action({
          work: { tasks: [task] },
          result: (outcome) => ({ add: { n: outcome.kind === "tasks" ? outcome.executed : 0 } }),
        }),
      },
      edges: [["build", END]],
    });
  const at = world();
  const tasks = fakeTaskRunner({ clock: at.clock, tasks: { good: "succeeds", bad: "fails" } });
  const ports = { tasks, workspaceRoot: "/w" };
  expect((await runOf(graph("good"), {}, ports)).run).toBeTruthy();
  const { flow } = world(ports);
  expect(await (await flow.start(graph("good"))).result).toMatchObject({ status: "completed", state: { n: 1 } });
  expect((await (await flow.start(graph("bad"))).result).error?.code).toBe("flow-tasks-failed");
  expect((await (await world().flow.start(graph("good"))).result).error?.code).toBe("flow-port-missing");
});

test("history tells what happened; the state at each record, and what differs between two", async () => {
  const { run, flow } = await runOf(line("a", "b", "c"));
  const entries = history(run.id, flow.look());
  if (!entries.ok) throw new Error(entries.problem.message);
  expect(entries.value.map((entry) => entry.kind)).toEqual(["started", "committed", "committed", "committed", "ended"]);
  const at = (seq: number) => stateAt(run.id, { ...flow.look(), seq });
  const [before, after] = [at(2), at(3)];
  expect(before.ok && after.ok && diffStates(before.value, after.value)).toEqual([
    { key: "log", before: ["a"], after: ["a", "b"] },
  ]);
});

test("a fork goes its own way from any record, and the original stays as it is", async () => {
  const { run, flow, events } = await runOf(line("a", "b", "c"));
  const told = JSON.stringify(events);
  const fork = await flow.fork(run.id, line("a", "b", "c"), { at: 2, set: { log: ["edited"] } });
  expect(logOf(await fork.result)).toEqual(["edited", "b", "c"]);
  const again = await flow.fork(run.id, line("a", "b", "c"), { goto: "b" });
  expect(logOf(await again.result)).toEqual(["a", "b", "c", "b", "c"]);
  expect(JSON.stringify(eventsAgain(flow, run.id))).toBe(told);
  await expect(flow.fork(run.id, line("a", "b", "c"), { goto: "zz" })).rejects.toThrow(/flow-node-unknown/);
});

function eventsAgain(flow: ReturnType<typeof world>["flow"], run: string) {
  return world({ journals: flow.journals }).events(run);
}

test("a replay tells where a changed graph would go another way, and runs nothing", async () => {
  const { run, flow } = await runOf(line("a", "b", "c"));
  expect(replay(run.id, line("a", "b", "c"), flow.look())).toEqual({ ok: true, value: [] });
  const shorter = line("a", "c") as never;
  expect(replay(run.id, shorter, flow.look())).toMatchObject({
    value: [
      { path: "a#1", what: "route", recorded: ["b"], now: ["c"] },
      { path: "b#1", what: "node-missing" },
    ],
  });
});

test("a graph that changed is refused by name, unless told how to go on", async () => {
  const of = (name: string, version?: string) =>
    defineGraph(S, {
      id: "g",
      start: "a",
      nodes: { a: says("a"), [name]: barrier(version === undefined ? {} : { version }) } as never,
      edges: [
        ["a", name],
        [name, END],
      ] as never,
    });
  const { run, again } = await runOf(of("ask"));
  await expect(again().flow.resume(run.id, of("ask", "2"))).rejects.toThrow(/flow-graph-changed/);
  await expect(again().flow.resume(run.id, of("question"), { mode: "compatible" })).rejects.toThrow(
    /flow-graph-incompatible/,
  );
  const compatible = await again().flow.resume(run.id, of("ask", "2"), { mode: "compatible" });
  expect((await compatible.settled()).barriers[0]?.barrier).toBe("ask#1");
  const migrated = await again().flow.resume(run.id, of("question"), { mode: { migrate: { ask: "question" } } });
  expect((await migrated.settled()).barriers[0]?.barrier).toBe("question#1");
  await migrated.decide("question#1" as never, { approve: true });
  expect((await migrated.result).status).toBe("completed");
});

test("retention keeps what runs and what waits, and large values of kept runs stay", async () => {
  const { flow, clock, values } = world();
  const big = "x".repeat(10_000);
  const blobs = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => ({ set: { x: big } }) }, ok: barrier({}) },
    edges: [
      ["a", "ok"],
      ["ok", END],
    ],
  });
  await (await flow.start(blobs, {}, { id: "waits" })).settled();
  for (const id of ["one", "two", "three"]) {
    await (await flow.start(line("a"), {}, { id })).result;
    clock.advance(1000);
  }
  expect(await pruneRuns({ kind: "last", runs: 1 }, { ...flow.look(), clock })).toEqual(["one", "two"]);
  clock.advance(60_000);
  expect(await pruneRuns({ kind: "age", max: "30s" }, { ...flow.look(), clock })).toEqual(["three"]);
  expect(listRuns(flow.look()).map((each) => each.run)).toEqual(["waits"]);
  const live = liveDigests(flow.journals, values);
  expect(live.ok && live.value.size).toBeGreaterThan(0);
  // What cannot be read may name anything.
  const refusal = { code: "value-store-io", severity: "error", message: "unreadable" } as const;
  expect(liveDigests(flow.journals, { get: () => err(refusal) })).toEqual(err(refusal));
});

test("the long-term store outlives runs and finds by prefix", async () => {
  const store = memoryStore();
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: async ({ store: kept, run }) => kept.put("people", `ann/${run}`, { seen: true }) } },
    edges: [["a", END]],
  });
  for (let index = 0; index < 2; index++)
    await (await world({ store }).flow.start(graph, {}, { id: `r${index}` })).result;
  expect((await store.search("people", "ann/")).map(([key]) => key)).toEqual(["ann/r0", "ann/r1"]);
});

test("a hook that throws changes nothing", async () => {
  const warnings: string[] = [];
  const hooks = [
    () => {
      throw new Error("hook");
    },
  ];
  const { result } = await runOf(line("a", "b"), {}, { hooks, warn: (message) => warnings.push(message) });
  expect(result.status).toBe("completed");
  expect(warnings[0]).toContain("hook");
});

test("starting twice with one key is one run", async () => {
  let runs = 0;
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => ({ add: { n: ++runs } }) } },
    edges: [["a", END]],
  });
  const { flow } = world();
  const first = await flow.start(graph, {}, { key: "order-1" });
  await first.result;
  const second = await flow.start(graph, {}, { key: "order-1" });
  expect([second.id, (await second.result).status, runs]).toEqual([first.id, "completed", 1]);
});

test("a slow reader holds the run back, and a reader that comes later gets the same bytes", async () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    maxSteps: 500,
    nodes: { a: { run: () => ({ add: { n: 1 } }) } },
    edges: [{ from: "a", to: "a", when: (s) => s.n < 100 }, ["a", END]],
  });
  const { flow } = world();
  const run = await flow.start(graph);
  const reader = run.events({ buffer: 4 });
  const seen = [(await reader.next()).value];
  await quiet();
  const ahead = (run.peek().state as { n: number }).n;
  expect(ahead).toBeLessThanOrEqual(5);
  await quiet();
  expect((run.peek().state as { n: number }).n).toBe(ahead);
  for await (const event of reader) seen.push(event);
  const later = [];
  for await (const event of run.events()) later.push(event);
  expect(JSON.stringify(later)).toBe(JSON.stringify(seen));
  const tail = [];
  for await (const event of run.events({ from: later.length - 1 })) tail.push(event);
  expect(tail).toEqual(later.slice(-2));
});

test("data from nodes reaches readers that want it, and is dropped before control events are", async () => {
  const gate = deferred();
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: {
        run: async ({ emit }) => {
          await gate.promise;
          for (let index = 0; index < 100; index++) emit({ token: index });
        },
      },
    },
    edges: [["a", END]],
  });
  const { flow } = world();
  const run = await flow.start(graph);
  const reader = run.events({ data: true, buffer: 8 });
  const types = [(await reader.next()).value.type];
  await quiet();
  gate.resolve();
  for await (const event of reader) types.push(event.type);
  expect(types.filter((type) => type === "node.data").length).toBeLessThan(100);
  expect(types.filter((type) => type !== "node.data")).toEqual([
    "run.started",
    "node.started",
    "node.committed",
    "run.completed",
  ]);
});

test("values that JSON cannot say come back as they were, also large ones and from another process", async () => {
  const T = state({ v: state.value<unknown>() });
  const value = {
    at: new Date(5),
    big: 12n,
    set: new Set([1, "x"]),
    map: new Map([["k", { $: "tricky" }]]),
    bytes: new Uint8Array([1, 2]),
    text: "y".repeat(9000),
    none: null,
  };
  const graph = defineGraph(T, {
    id: "g",
    start: "a",
    nodes: { a: { run: () => ({ set: { v: value } }) } },
    edges: [["a", END]],
  });
  const { run, again } = await runOf(graph);
  const read = again().flow.peek(run.id);
  expect(read.ok && read.value.state).toEqual({ v: value });
});

test("drawings name every node and edge", () => {
  const graph = defineGraph(S, {
    id: "g",
    start: "a",
    nodes: { a: says("a"), ok: barrier({ onReject: { goto: "a" } }) },
    edges: [["a", "ok"], ["ok", END], { from: "a", to: END, fallback: true }],
  });
  expect(toMermaid(graph)).toBe(
    'flowchart TD\n  start(("start"))\n  finish(("end"))\n  n0["a"]\n  n1{{"ok"}}\n  start --> n0\n  n0 --> n1\n  n1 --> finish\n  n0 -.->|"fallback"| finish\n  n1 -.->|"reject"| n0\n',
  );
  expect(toDot(graph)).toContain('"ok" -> "a" [label="reject", style=dashed];');
});

test("a cancel at any event of a run is the end of it, at once and by name", async () => {
  const graph = () =>
    defineGraph(S, {
      id: "g",
      start: "p",
      nodes: {
        p: parallel({
          a: { run: async () => quiet() },
          b: barrier({ timeout: 5, onTimeout: "approve" }),
          m: map({ over: () => [1, 2], run: async () => quiet() }),
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
    });
  for (let stopAt = 1; stopAt < 30; stopAt++) {
    const { flow, clock, events } = world();
    const run = await flow.start(graph());
    const ticking = (async () => {
      for (let round = 0; round < 40; round++) {
        await quiet();
        clock.advance(1);
      }
    })();
    for await (const event of run.events()) if (event.seq === stopAt) break;
    const isOver = run.peek().status === "completed";
    const result = await run.cancel();
    await ticking;
    if (isOver || result.status === "completed") break;
    expect([stopAt, result.status]).toEqual([stopAt, "cancelled"]);
    expect(events(run.id).at(-1)?.type).toBe("run.cancelled");
  }
});

test("reducers without graph: sums, lists and sets declared with their keys", async () => {
  const T = state({
    tags: state.value<readonly string[]>([], reduce.union),
    meta: state.value<object>({}, reduce.merge),
  });
  const graph = defineGraph(T, {
    id: "g",
    start: "m",
    nodes: {
      m: map({
        over: () => ["a", "b", "a"],
        run: ({ item }) => ({ add: { tags: item }, set: { meta: { [item]: 1 } } }),
      }),
    },
    edges: [["m", END]],
  });
  expect((await runOf(graph)).result.state).toEqual({ tags: ["a", "b"], meta: { a: 1, b: 1 } });
});
