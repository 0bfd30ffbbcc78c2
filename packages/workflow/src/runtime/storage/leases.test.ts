/** Leases over a store whose answers are late, or lost. */
import type { Problem } from "@kahn/core";
import { err, problem } from "@kahn/core";
import { virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { deferred, quiet } from "../../flow.fixture.ts";
import { type LeaseStore, leaseLocks, memoryLeases } from "./leases.ts";

const LOST = problem("connection-lost", "the connection was lost", {});

/** A lock on a run, and what happens to the answers of the store from now on. */
async function leased() {
  const clock = virtualClock();
  const kept = memoryLeases();
  let answer: (apply: ReturnType<LeaseStore["swap"]>) => ReturnType<LeaseStore["swap"]> = (applied) => applied;
  const leases: LeaseStore = { ...kept, swap: (...what) => answer(kept.swap(...what)) };
  const acquire = (owner: string) => leaseLocks({ leases, clock, owner, ttlMs: 9000, skewMs: 0 }).acquire("r");
  const lock = await acquire("one");
  if (!lock.ok) throw new Error(lock.problem.message);
  const lost: Problem[] = [];
  lock.value.onLost?.((why) => lost.push(why));
  const pass = async (ms: number) => {
    clock.advance(ms);
    await quiet();
  };
  const swaps = (next: typeof answer) => void (answer = next);
  return { clock, kept, lock: lock.value, lost, pass, acquire, swaps };
}

test("a lease whose renewal was made, and only the answer lost, is still ours and is renewed again", async () => {
  const { kept, lock, lost, pass, swaps } = await leased();
  swaps(async (applied) => {
    await applied;
    return err(LOST);
  });
  await pass(3000);
  swaps((applied) => applied);
  for (let round = 0; round < 5; round++) await pass(3000);
  expect([lost, lock.isHeld?.()]).toEqual([[], true]);
  const lease = await kept.read("r");
  expect(lease).toMatchObject({ value: { owner: "one", epoch: 1, untilMs: expect.any(Number) } });
});

test("a lease that is let go while it is renewed, or after an answer was lost, is free at once", async () => {
  for (const how of ["in flight", "answer lost"] as const) {
    const { kept, lock, lost, pass, acquire, swaps } = await leased();
    const arrived = deferred();
    swaps(async (applied) => {
      const result = await applied;
      await arrived.promise;
      return how === "in flight" ? result : err(LOST);
    });
    await pass(3000);
    lock.release();
    swaps((applied) => applied);
    arrived.resolve();
    await quiet();
    expect([how, lost, lock.isHeld?.()]).toEqual([how, [], false]);
    expect(await kept.read("r")).toMatchObject({ value: { untilMs: 0 } });
    const next = await acquire("two");
    expect([how, next.ok]).toEqual([how, true]);
    if (next.ok) next.value.release();
  }
});

test("a lease that somebody else took is lost at the next renewal; one of which nothing is heard, when its time is over", async () => {
  const taken = await leased();
  const before = await taken.kept.read("r");
  const thief = { owner: "thief", epoch: 2, untilMs: taken.clock.nowMs() + 9000 };
  await taken.kept.swap("r", before.ok ? before.value : undefined, thief);
  await taken.pass(3000);
  expect(taken.lost).toMatchObject([{ code: "flow-run-taken", message: expect.stringContaining("thief") }]);

  const silent = await leased();
  silent.swaps(async () => err(LOST));
  await silent.pass(3000);
  await silent.pass(3000);
  expect([silent.lost, silent.lock.isHeld?.()]).toEqual([[], true]);
  await silent.pass(3000);
  expect(silent.lost).toMatchObject([{ code: "flow-run-taken" }]);
});
