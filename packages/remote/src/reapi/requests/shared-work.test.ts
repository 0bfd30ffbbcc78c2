import assert from "node:assert/strict";
import { settled, virtualClock } from "@kahn/testing";
import { test } from "vitest";
import { SharedWork } from "./shared-work.ts";

/** Work that ends when the test says so, or when it is broken off. */
function world(atOnceMax: number, abandonedMs = 0) {
  const clock = virtualClock();
  const shared = new SharedWork<string>({ clock, atOnceMax, abandonedMs });
  const running = new Map<string, () => void>();
  const begun: string[] = [];
  const ask = (key: string) => {
    const caller = new AbortController();
    const work = (signal: AbortSignal): Promise<string> =>
      new Promise((resolve, reject) => {
        begun.push(key);
        const over = (): void => void running.delete(key);
        running.set(key, () => {
          over();
          resolve(`of ${key}`);
        });
        signal.addEventListener("abort", () => {
          over();
          reject(signal.reason);
        });
      });
    const outcome = shared.run(key, { signal: caller.signal, work }).catch((error: Error) => error.message);
    return { outcome, leave: () => caller.abort() };
  };
  return { clock, ask, running, begun };
}

test("the same work is done once for all who ask, and anew for who asks after its end", async () => {
  const { ask, running, begun } = world(5);
  const both = [ask("a"), ask("a")];
  await settled();
  running.get("a")!();
  assert.deepEqual(await Promise.all(both.map(({ outcome }) => outcome)), ["of a", "of a"]);
  const again = ask("a");
  await settled();
  running.get("a")!();
  assert.equal(await again.outcome, "of a");
  assert.deepEqual(begun, ["a", "a"]);
});

test("work goes on while one of its callers is there, and is broken off with the last", async () => {
  const { ask, running, begun } = world(5);
  const [first, second] = [ask("a"), ask("a")];
  await settled();
  first.leave();
  assert.equal(await first.outcome, "the caller has gone");
  assert.deepEqual([...running.keys()], ["a"]);
  second.leave();
  await second.outcome;
  assert.equal(running.size, 0);
  const third = ask("a");
  await settled();
  assert.deepEqual(begun, ["a", "a"]);
  running.get("a")!();
  assert.equal(await third.outcome, "of a");
});

test("no more than a few are under way; who leaves while waiting never begins, and loses nobody a lane", async () => {
  const { ask, running, begun } = world(2);
  const asked = ["a", "b", "c", "d", "e"].map(ask);
  await settled();
  assert.deepEqual(begun, ["a", "b"]);
  asked[2]!.leave();
  await asked[2]!.outcome;
  running.get("a")!();
  await settled();
  assert.deepEqual(begun, ["a", "b", "d"]);
  asked[1]!.leave();
  await settled();
  assert.deepEqual(begun, ["a", "b", "d", "e"]);
  for (const key of ["d", "e"]) running.get(key)!();
  assert.deepEqual(await Promise.all([asked[3]!.outcome, asked[4]!.outcome]), ["of d", "of e"]);
});

test("with a grace, who comes back finds the work going on; nobody does, and it ends with no timer left", async () => {
  const { clock, ask, running, begun } = world(5, 1000);
  const impatient = ask("a");
  await settled();
  impatient.leave();
  await impatient.outcome;
  clock.advance(999);
  const back = ask("a");
  clock.advance(5000);
  back.leave();
  await back.outcome;
  assert.deepEqual([begun, running.size], [["a"], 1]);
  clock.advance(1000);
  await settled();
  assert.deepEqual([running.size, clock.pendingTimers], [0, 0]);
});
