// Goal: in one process a run is opened once, whoever asks for it at the same time; what is refused leaves nothing behind.
import { err, ok, type Problem, problem, type Result } from "@kahn/core";
import { expect, test } from "vitest";
import { deferred, quiet, S, says, world } from "../flow.fixture.ts";
import type { FlowOptions, RunInboxes, RunLocks } from "../index.ts";
import { barrier, defineGraph, END, leaseLocks, memoryLeases, pruneRuns } from "../index.ts";

const asking = defineGraph(S, {
  id: "asking",
  start: "first",
  nodes: { first: says("first"), ask: barrier({}), last: says("last") },
  edges: [
    ["first", "ask"],
    ["ask", "last"],
    ["last", END],
  ],
});

/** Worlds whose runs are under no lock, and under leases. Large values reach the disk before the first record does. */
function worlds() {
  const bare = world({ durability: "disk" });
  const { clock } = bare;
  return [
    bare,
    world({ clock, durability: "disk", locks: leaseLocks({ leases: memoryLeases(), clock, owner: "one" }) }),
  ] as const;
}

test("starts with one key at the same time give one run, though the first of them is refused", async () => {
  for (const { flow, journals } of worlds()) {
    const wrong = flow.start(asking, { n: "no number" } as never, { key: "k" });
    const starts = [1, 2, 3].map(() => flow.start(asking, {}, { key: "k" }));
    await expect(wrong).rejects.toThrow();
    const runs = await Promise.all(starts);
    expect(new Set(runs).size).toBe(1);
    expect(journals.list()).toEqual([runs[0]!.id]);
    await runs[0]!.decide("ask#1", { approve: true });
    expect(await runs[0]!.result).toMatchObject({ status: "completed", state: { log: ["first", "last"] } });
  }
});

test("a second run of the same id is refused while the first begins, and does not take its journal", async () => {
  for (const { flow } of worlds()) {
    const first = flow.start(asking, {}, { id: "r" });
    await expect(flow.start(asking, {}, { id: "r" })).rejects.toThrow(/journal-exists|lock-held/);
    const run = await first;
    await run.decide("ask#1", { approve: true });
    expect(await run.result).toMatchObject({ status: "completed" });
  }
});

test("resumes and decisions at the same time are of one run, which nothing shuts out", async () => {
  for (const { flow, events } of worlds()) {
    const begun = await flow.start(asking, {}, { id: "r" });
    await begun.settled();
    await begun.leave();
    const resumes = [1, 2, 3].map(() => flow.resume("r", asking));
    const decided = flow.decide("r", { target: "ask#1", decision: { approve: true } }, asking);
    const runs = await Promise.all(resumes);
    expect([new Set(runs).size, (await decided).ack]).toEqual([1, "accepted"]);
    expect(await runs[0]!.result).toMatchObject({ status: "completed", state: { log: ["first", "last"] } });
    expect(events("r").filter(({ type }) => type === "run.resumed").length).toBe(1);
  }
});

test("a fork whose values or records cannot be kept is refused, and there is no such run", async () => {
  const full = err(problem("disk-full", "no space is left", {}));
  const at = world({ durability: "disk" });
  const run = await at.flow.start(asking, {}, { id: "r" });
  await run.settled();
  await run.leave();
  const flush = at.values.flush;
  at.values.flush = async () => full;
  await expect(at.flow.prepareFork("r", asking, { id: "fork" })).rejects.toThrow("no space is left");
  at.values.flush = flush;
  expect(at.journals.list()).toEqual(["r"]);
  const { create } = at.journals;
  at.journals.create = (id) => {
    const created = create.call(at.journals, id);
    return created.ok ? ok(Object.assign(created.value, { append: async () => full as never })) : created;
  };
  await expect(at.flow.prepareFork("r", asking, { id: "fork" })).rejects.toThrow("no space is left");
  at.journals.create = create;
  expect(at.journals.list()).toEqual(["r"]);
  expect(await at.flow.prepareFork("r", asking, { id: "fork" })).toBe("fork");
});

type Handle = Parameters<RunInboxes["watch"]>[1];

test("what is delivered twice through an inbox is answered as it was, and done once: also a revocation, and a cancel", async () => {
  let handle: Handle = async () => undefined;
  const inboxes: FlowOptions["inboxes"] = {
    watch: (_, each) => {
      handle = each;
      return { close: async () => {} };
    },
    send: async () => ok(undefined) as Result<unknown, Problem>,
  };
  const { flow, events } = world({ inboxes });
  const gate = deferred();
  const graph = defineGraph(S, {
    id: "held",
    start: "hold",
    nodes: { hold: { run: () => gate.promise.then(() => ({})) }, ask: barrier({}) },
    edges: [
      ["hold", "ask"],
      ["ask", END],
    ],
  });
  const run = await flow.start(graph, {}, { id: "r" });
  await quiet();
  const { token } = await run.decide({ node: "ask" }, { approve: true });
  const revoke = { id: "c1", command: { kind: "revoke", token } };
  expect([await handle(revoke), await handle(revoke)]).toEqual([
    { kind: "answer", ack: "accepted", token },
    { kind: "answer", ack: "accepted", token },
  ]);
  const cancel = { id: "c2", command: { kind: "cancel", reason: "enough" } };
  const cancelled = handle(cancel);
  gate.resolve();
  expect([await cancelled, (await run.result).status]).toMatchObject([{ ack: "accepted" }, "cancelled"]);
  const resumed = await flow.resume("r", graph);
  await resumed.settled();
  expect(await handle(cancel)).toMatchObject({ ack: "accepted" });
  await resumed.decide("ask#1", { approve: true });
  expect((await resumed.result).status).toBe("completed");
  const told = events("r").map(({ type }) => type);
  expect(told.filter((type) => type === "decision.revoked" || type === "run.cancelling").length).toBe(2);
});

// Method: a failed run, pruned while somebody has it, and while somebody takes it up between the look and the removal.
test("a run that somebody has taken up again is not removed by retention, and its lock is given back", async () => {
  const flaws = { left: 1 };
  const failing = defineGraph(S, {
    id: "failing",
    start: "a",
    nodes: { a: { run: () => (flaws.left-- > 0 ? Promise.reject(new Error("flaw")) : {}) }, ask: barrier({}) },
    edges: [
      ["a", "ask"],
      ["ask", END],
    ],
  });
  const leases = memoryLeases();
  const bare = world();
  const { clock, journals } = bare;
  const lease = (owner: string) => leaseLocks({ leases, clock, owner });
  const { flow } = world({ clock, locks: lease("one") }, journals);
  expect((await (await flow.start(failing, {}, { id: "r" })).result).status).toBe("failed");
  const look = { ...flow.look(), clock, locks: lease("two") };
  const taken = await lease("three").acquire("r");
  expect(await pruneRuns({ kind: "last", runs: 0 }, look)).toEqual([]);
  if (taken.ok) taken.value.release();
  const acquire: RunLocks["acquire"] = async (run) => {
    const resumed = await bare.flow.resume(run, failing);
    await resumed.settled();
    return look.locks.acquire(run);
  };
  expect(await pruneRuns({ kind: "last", runs: 0 }, { ...look, locks: { acquire } })).toEqual([]);
  const run = bare.flow.live("r")!;
  await run.decide("ask#1", { approve: true });
  expect((await run.result).status).toBe("completed");
  expect(await pruneRuns({ kind: "last", runs: 0 }, look)).toEqual(["r"]);
  expect(journals.list()).toEqual([]);
});
