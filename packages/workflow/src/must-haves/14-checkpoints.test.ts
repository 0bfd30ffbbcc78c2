/** Snapshots by policy, checkpoints when asked for, and what retention keeps. */
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { line, quiet, S, world } from "../flow.fixture.ts";
import {
  barrier,
  defineGraph,
  END,
  eventsOf,
  type FlowGraph,
  listRuns,
  pruneRuns,
  type SnapshotPolicy,
} from "../index.ts";
import { changedJournals } from "../journals.fixture.ts";

/** Notes after which record each snapshot was written. */
function noting() {
  const store = memoryJournalStore();
  const at: number[] = [];
  const journals = changedJournals(store, (journal) => ({
    writeSnapshot: (value) => {
      at.push(journal.lastSeq);
      return journal.writeSnapshot(value);
    },
  }));
  const kinds = () => {
    const records = store.peek("r");
    return records.ok ? [...records.value].map(({ body }) => (body as { k: string }).k) : [];
  };
  return { journals, at, kinds };
}

const graph = (): FlowGraph =>
  defineGraph(S, {
    id: "g",
    start: "a",
    nodes: {
      a: { run: async () => quiet() },
      pay: { run: async () => ({ cost: 0.02 }), sideEffects: true },
      ask: barrier({}),
      z: { run: async () => quiet() },
    },
    edges: [
      ["a", "pay"],
      ["pay", "ask"],
      ["ask", "z"],
      ["z", END],
    ],
  }) as FlowGraph;

async function snapshotsUnder(snapshots: SnapshotPolicy, stepMs = 0) {
  const { journals, at, kinds } = noting();
  const { flow, clock } = world({ journals, snapshots });
  const run = await flow.start(graph(), {}, { id: "r" });
  for (let round = 0; round < 4; round++) {
    await quiet();
    clock.advance(stepMs);
  }
  await run.settled();
  await run.decide("ask#1" as never, { approve: true });
  for (let round = 0; round < 4; round++) {
    await quiet();
    clock.advance(stepMs);
  }
  expect((await run.result).status).toBe("completed");
  return { at: [...at], kinds: kinds() };
}

test("must-have 14: snapshots are written when the policy says so, each after the commit that it includes", async () => {
  const never = await snapshotsUnder({ kind: "manual" });
  expect(never.at).toEqual([]);
  const kinds = never.kinds;
  const after = (kind: string) => kinds.flatMap((each, index) => (each === kind ? [index + 1] : []));
  expect((await snapshotsUnder({ kind: "every-node" })).at.length).toBe(after("c").length);
  const waits = await snapshotsUnder({ kind: "barrier" });
  expect(waits.at).toEqual([...after("wait"), ...after("end")]);
  expect((await snapshotsUnder({ kind: "every", records: 3 })).at.length).toBeGreaterThan(1);
  expect((await snapshotsUnder({ kind: "interval", everyMs: 1000 })).at).toEqual([]);
  expect((await snapshotsUnder({ kind: "interval", everyMs: 1000 }, 600)).at.length).toBeGreaterThan(0);
  // 10,000 for its side effects, and 20 for its cost: right after its commit, with the barrier that opens with it.
  const adaptive = await snapshotsUnder({ kind: "adaptive", threshold: 10_000 });
  expect(adaptive.at).toEqual([after("c")[1]! + 1]);
  expect(kinds[after("c")[1]!]).toBe("wait");
  expect((await snapshotsUnder({ kind: "adaptive", threshold: 10_021 })).at).toEqual([]);
  expect((await snapshotsUnder({ kind: "adaptive", threshold: 10_020 })).at.length).toBe(1);
});

test("must-have 14: a checkpoint that is asked for is always saved, and told with its name", async () => {
  for (const kind of ["manual", "barrier", "every-node"] as const) {
    const { journals, at } = noting();
    const { flow } = world({ journals, snapshots: { kind } });
    const run = await flow.start(graph(), {}, { id: "r" });
    await run.settled();
    const before = at.length;
    await run.checkpoint("before lunch");
    await run.checkpoint("after lunch");
    expect([kind, at.length - before]).toEqual([kind, 2]);
    const events = eventsOf("r", flow.look());
    const saved = events.ok ? events.value.filter(({ type }) => type === "checkpoint.saved") : [];
    expect(saved).toMatchObject([{ name: "before lunch" }, { name: "after lunch" }]);
    await run.leave();
  }
});

test("must-have 14: retention keeps all, the last, or the young; never one that waits, runs, or may be taken up at a barrier", async () => {
  const { flow, clock } = world();
  const look = { ...flow.look(), clock };
  await (await flow.start(graph(), {}, { id: "waits" })).settled();
  const stopped = await flow.start(graph(), {}, { id: "cancelled-at-a-barrier" });
  await stopped.settled();
  await stopped.cancel();
  for (const id of ["one", "two", "three"]) {
    clock.advance(1000);
    await (await flow.start(line("a"), {}, { id })).result;
  }
  expect(await pruneRuns({ kind: "all" }, look)).toEqual([]);
  expect(await pruneRuns({ kind: "last", runs: 2 }, look)).toEqual(["one"]);
  clock.advance(86_400_000);
  expect(await pruneRuns({ kind: "age", max: "1h" }, look)).toEqual(["two", "three"]);
  expect(await pruneRuns({ kind: "last", runs: 0 }, look)).toEqual([]);
  expect(new Set(listRuns(look).map(({ run }) => run))).toEqual(new Set(["waits", "cancelled-at-a-barrier"]));
});
