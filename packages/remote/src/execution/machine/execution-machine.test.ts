import assert from "node:assert/strict";
import { forEachSeed } from "@kahn/testing";
import { test } from "vitest";
import { ExecutionMachine } from "./execution-machine.ts";
import { MachineWorld } from "./machine-world.fixture.ts";
import type { AdmittedAction, ExecutionEffect, ExecutionEvent, Outcome } from "./operation-state.ts";
import { DEFAULT_MACHINE_LIMITS } from "./operation-state.ts";

const scaleEnv = process.env.KAHN_TEST_SCALE;

// Goal: no order of events loses an operation, answers one twice, runs a job twice, or takes a slot too many.
// Method: random events, with late and senseless ones among them; the fixture keeps books and checks after each.
test("every operation is answered once, and every job runs once for each worker it did not lose", async () => {
  const outcome = await forEachSeed({ name: "machine", count: 150, scaleEnv }, ({ random, tally }) => {
    const world = new MachineWorld(random);
    for (let event = 0; event < 250; event++) tally(world.random());
    world.finish();
    tallyEnd(world, tally);
    const counts = world.machine.counts();
    assert.deepEqual([counts.checking, counts.queued, counts.running, counts.storing], [0, 0, 0, 0]);
    assert.equal(counts.slotsUsed, 0);
    // When all delays are over nothing is held at all.
    world.nowMs += 3 * 60 * 60_000;
    world.step({ kind: "tick" });
    assert.deepEqual([...world.released].sort(byNumber), [...world.made].sort(byNumber));
    assert.equal(world.open.size, 0);
    assert.equal(world.machine.nextDueMs, Number.POSITIVE_INFINITY);
  });
  for (const needed of ["requeued", "merged", "lost", "delete"]) {
    assert.ok((outcome.tallies[needed] ?? 0) > 0, `no ${needed} was tried`);
  }
});

test("a drain answers what has not started and lets the rest finish", async () => {
  await forEachSeed({ name: "drain", count: 60, scaleEnv }, ({ random }) => {
    const world = new MachineWorld(random);
    for (let event = 0; event < 120; event++) world.random();
    const runningBefore = new Set([...world.runs.values()].map(({ job }) => job));
    world.step({ kind: "drain" });
    const { checking, queued } = world.machine.counts();
    assert.deepEqual([checking, queued], [0, 0]);
    for (const { job } of world.runs.values()) assert.ok(runningBefore.has(job));
    world.checks.clear();
    world.finish();
    for (const { doneTimes } of world.open.values()) assert.equal(doneTimes, 1);
  });
});

function tallyEnd(world: MachineWorld, tally: (what: string) => void): void {
  for (const runs of world.runsOf.values()) if (runs > 1) tally("requeued");
  if (world.made.size < world.open.size + 1) tally("merged");
}

function byNumber(a: number, b: number): number {
  return a - b;
}

/** A machine to be driven by hand. */
function driven(slots = 1) {
  const machine = new ExecutionMachine(DEFAULT_MACHINE_LIMITS, () => true);
  let nowMs = 0;
  const step = (event: ExecutionEvent): readonly ExecutionEffect[] => machine.step(event, nowMs);
  step({ kind: "join", worker: "w", slots });
  return {
    machine,
    step,
    pass: (ms: number) => {
      nowMs += ms;
      return step({ kind: "tick" });
    },
    open: (operation: string, action: Partial<AdmittedAction> = {}) => {
      step({ kind: "open", operation });
      step({ kind: "watch", operation });
      return step({ kind: "admit", operation, action: { ...ACTION, ...action } });
    },
  };
}

const ACTION: AdmittedAction = {
  ...{ mergeKey: "k", key: "k", isFresh: false },
  ...{ path: ["c", "b", "i"], priority: 0, pool: "" },
};
const DONE: Outcome = { kind: "answered", response: new Uint8Array([1]), isReusable: true };
const kinds = (effects: readonly ExecutionEffect[]) => effects.map(({ kind }) => kind);

test("a request that was being read while the same action ran and ended is given that result", () => {
  const { machine, step, open } = driven();
  step({ kind: "open", operation: "late" });
  open("first");
  step({ kind: "checked", job: 1 });
  step({ kind: "ran", job: 1, attempt: 1 });
  step({ kind: "settle", job: 1, attempt: 1, outcome: DONE });
  assert.deepEqual(kinds(step({ kind: "admit", operation: "late", action: ACTION })), ["changed"]);
  assert.deepEqual(machine.view("late"), { stage: "completed", outcome: DONE });
  // One that was opened after the end has to look into the cache itself.
  assert.deepEqual(kinds(open("later")), ["check", "changed"]);
});

test("a fresh request joins what waits, not what runs, and the younger result stays", () => {
  const { machine, step, open } = driven();
  open("old");
  assert.deepEqual(kinds(open("fresh", { isFresh: true })), ["changed"]);
  step({ kind: "checked", job: 1 });
  assert.deepEqual(kinds(open("fresher", { isFresh: true })), ["check", "changed"]);
  assert.equal(machine.mayStore(1), false);
  assert.equal(machine.mayStore(2), true);
  assert.deepEqual(machine.view("fresher"), { stage: "cache-check", job: 2 });
});

test("an operation that nobody waits for is cancelled after the grace, and its run stopped with it", () => {
  const { machine, step, open, pass } = driven();
  open("a");
  open("b");
  step({ kind: "checked", job: 1 });
  step({ kind: "unwatch", operation: "a" });
  assert.deepEqual(kinds(pass(59_999)), []);
  step({ kind: "watch", operation: "a" });
  assert.deepEqual(kinds(pass(60_000)), [], "somebody came back");
  step({ kind: "unwatch", operation: "a" });
  assert.deepEqual(kinds(pass(60_000)), ["changed"], "another still waits for the job");
  step({ kind: "unwatch", operation: "b" });
  assert.deepEqual(kinds(pass(60_000)), ["changed", "stop"]);
  assert.equal(machine.counts().slotsUsed, 1, "the slot is held until the run has ended");
  assert.deepEqual(kinds(open("c")), ["check", "changed"], "nobody joins what is being stopped");
  step({ kind: "checked", job: 2 });
  assert.deepEqual(kinds(step({ kind: "ran", job: 1, attempt: 1 })), ["release", "run", "changed"]);
});

test("a completed operation is kept for its time, its blobs pinned for theirs", () => {
  const { machine, step, open, pass } = driven();
  open("a");
  step({ kind: "checked", job: 1 });
  step({ kind: "ran", job: 1, attempt: 1 });
  step({ kind: "settle", job: 1, attempt: 1, outcome: DONE });
  assert.deepEqual(pass(60_000), [{ kind: "release", job: 1 }]);
  assert.equal(machine.view("a")?.stage, "completed");
  assert.deepEqual(pass(9 * 60_000), [{ kind: "forget", operation: "a" }]);
  assert.equal(machine.view("a"), undefined);
});

test("an action that took two workers down is refused for a time", () => {
  const { machine, step, open, pass } = driven();
  open("a");
  step({ kind: "checked", job: 1 });
  assert.deepEqual(kinds(step({ kind: "lost", job: 1, attempt: 1 })), ["changed", "run", "changed"]);
  step({ kind: "lost", job: 1, attempt: 2 });
  assert.deepEqual(machine.view("a"), { stage: "completed", outcome: { kind: "poisoned", losses: 2 } });
  open("b");
  assert.deepEqual(machine.view("b"), { stage: "completed", outcome: { kind: "poisoned", losses: 2 } });
  pass(30 * 60_000);
  open("c");
  assert.equal(machine.view("c")?.stage, "cache-check");
});
