import assert from "node:assert/strict";
import { InvariantError, sleep } from "@kahn/core";
import fc from "fast-check";
import { test } from "vitest";
import { settled, virtualClock } from "./virtual-clock.ts";

// Goal: simulated time has one order. Method: random delays; the expected order is that of a stable sort.
test("timers fire by due time, then in the order in which they were set, at their own time", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2, max: 20 }), { maxLength: 40 }), (delays) => {
      const clock = virtualClock();
      const fired: { readonly index: number; readonly atMs: number }[] = [];
      for (const [index, delayMs] of delays.entries()) {
        clock.setTimer(delayMs, () => fired.push({ index, atMs: clock.monotonicMs() }));
      }
      clock.advance(20);
      const expected = delays.map((delayMs, index) => ({ index, atMs: Math.max(0, delayMs) }));
      assert.deepEqual(
        fired,
        expected.sort((a, b) => a.atMs - b.atMs),
      );
      assert.equal(clock.pendingTimers, 0);
    }),
  );
});

test("advancing fires timers that were set while it advanced", () => {
  const clock = virtualClock();
  const firedAtMs: number[] = [];
  const again = () => {
    firedAtMs.push(clock.monotonicMs());
    clock.setTimer(3, again);
  };
  clock.setTimer(3, again);
  clock.advance(10);
  assert.deepEqual(firedAtMs, [3, 6, 9]);
  assert.equal(clock.nextDueInMs, 2);
});

test("a timer cancelled by another one due at the same time does not fire", () => {
  const clock = virtualClock();
  const fired: string[] = [];
  clock.setTimer(1, () => {
    fired.push("first");
    second.cancel();
  });
  const second = clock.setTimer(1, () => fired.push("second"));
  clock.advance(5);
  assert.deepEqual(fired, ["first"]);
});

test("advanceToNext fires one timer and tells whether there was one", () => {
  const clock = virtualClock(1000);
  let fired = 0;
  clock.setTimer(5, () => fired++);
  clock.setTimer(5, () => fired++);
  assert.equal(clock.advanceToNext(), true);
  assert.deepEqual([fired, clock.nowMs(), clock.monotonicMs()], [1, 1005, 5]);
  assert.equal(clock.advanceToNext(), true);
  assert.equal(clock.advanceToNext(), false);
  assert.equal(clock.nextDueInMs, undefined);
});

test("a jump moves the wall time alone", () => {
  const clock = virtualClock(1_000_000);
  let fired = 0;
  clock.setTimer(10, () => fired++);
  clock.jump(5);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs(), fired], [5, 0, 0]);
  clock.advance(10);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs(), fired], [15, 10, 1]);
});

test("wall time stays whole when time passes in fractions", () => {
  const clock = virtualClock(100);
  for (let step = 0; step < 3; step++) clock.advance(0.4);
  assert.equal(clock.nowMs(), 101);
  assert.ok(Math.abs(clock.monotonicMs() - 1.2) < 1e-9);
});

test("running all lets promises set further timers, and stops when nothing is left", async () => {
  const clock = virtualClock();
  const woken: number[] = [];
  const chain = (async () => {
    for (let step = 0; step < 5; step++) {
      await sleep(clock, 100);
      woken.push(clock.monotonicMs());
    }
  })();
  await clock.runAll();
  await chain;
  assert.deepEqual(woken, [100, 200, 300, 400, 500]);
});

test("time does not go back", () => {
  assert.throws(() => virtualClock().advance(-1), InvariantError);
  assert.throws(() => virtualClock().advance(Number.NaN), InvariantError);
});

test("settled waits for long chains of promises", async () => {
  let links = 0;
  void (async () => {
    for (; links < 1000; links++) await Promise.resolve();
  })();
  await settled();
  assert.equal(links, 1000);
});
