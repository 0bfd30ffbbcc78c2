/** The contract of `Clock`. */
import assert from "node:assert/strict";
import type { Clock } from "@kahn/core";
import { sleep } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** A clock under test. */
export interface ClockSubject extends ContractSubject {
  readonly clock: Clock;
  /** Lets at least so much time pass: advances a virtual clock, waits for a real one. */
  pass(ms: number): Promise<void>;
}

/** The cases for a clock. No case waits longer than some 20 ms. */
export function clockContract(make: MakeSubject<ClockSubject>): readonly ContractCase[] {
  return contractCases<ClockSubject>(make, {
    "wall time is a whole number of milliseconds": ({ clock }) => {
      assert.ok(Number.isSafeInteger(clock.nowMs()));
    },
    "monotonic time never goes back and passes": async ({ clock, pass }) => {
      let beforeMs = clock.monotonicMs();
      const startMs = beforeMs;
      for (let reading = 0; reading < 1000; reading++) {
        const nowMs = clock.monotonicMs();
        assert.ok(nowMs >= beforeMs);
        beforeMs = nowMs;
      }
      await pass(5);
      assert.ok(clock.monotonicMs() >= startMs + 4);
    },
    "a timer fires once, never inside `setTimer`, and not before its delay": async ({ clock, pass }) => {
      const firedAtMs: number[] = [];
      const setAtMs = clock.monotonicMs();
      clock.setTimer(5, () => firedAtMs.push(clock.monotonicMs()));
      clock.setTimer(0, () => firedAtMs.push(clock.monotonicMs()));
      assert.equal(firedAtMs.length, 0);
      await pass(10);
      await pass(10);
      assert.equal(firedAtMs.length, 2);
      // Node counts timers in whole milliseconds of a cached time: up to one millisecond early by the finer clock.
      assert.ok(Math.max(...firedAtMs) - setAtMs >= 4);
    },
    "a cancelled timer never fires, and may be cancelled again": async ({ clock, pass }) => {
      let fired = 0;
      const timer = clock.setTimer(2, () => fired++);
      timer.cancel();
      timer.cancel();
      await pass(10);
      assert.equal(fired, 0);
    },
    "cancelling a timer that fired has no effect": async ({ clock, pass }) => {
      let fired = 0;
      const timer = clock.setTimer(1, () => fired++);
      await pass(10);
      timer.cancel();
      await pass(2);
      assert.equal(fired, 1);
    },
    "a timer may set another one while it fires": async ({ clock, pass }) => {
      const fired: string[] = [];
      clock.setTimer(1, () => {
        fired.push("first");
        clock.setTimer(1, () => fired.push("second"));
      });
      await pass(5);
      await pass(10);
      assert.deepEqual(fired, ["first", "second"]);
    },
    "a sleep ends with its time, or at once when its signal aborts": async ({ clock, pass }) => {
      const ended: string[] = [];
      const controller = new AbortController();
      const short = sleep(clock, 2).then(() => ended.push("short"));
      const long = sleep(clock, 1e9, controller.signal).then(() => ended.push("long"));
      await pass(10);
      await short;
      assert.deepEqual(ended, ["short"]);
      controller.abort();
      await long;
      await sleep(clock, 1e9, controller.signal);
      assert.deepEqual(ended, ["short", "long"]);
    },
  });
}
