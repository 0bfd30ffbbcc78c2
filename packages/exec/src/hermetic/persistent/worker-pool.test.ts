import { settled, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { WorkerPool } from "./worker-pool.ts";

function rig(workersMax: number) {
  const clock = virtualClock();
  const pool = new WorkerPool<Fake>({ clock, workersMax, idleMs: 1000 });
  let made = 0;
  const asked = (key: string, workMax: number, signal?: AbortSignal) =>
    pool.lease({ key, workMax, signal }, () => new Fake(++made));
  const lease = async (key: string, workMax = 1) => {
    const leased = await asked(key, workMax);
    if (leased === undefined) throw new Error("nothing was leased");
    return leased;
  };
  return { clock, pool, lease, asked };
}

class Fake {
  readonly number: number;
  isUsable = true;
  ended: string | undefined;
  constructor(number: number) {
    this.number = number;
  }
  async end(how: string): Promise<void> {
    this.ended = how;
  }
}

test("a free worker of the key is used again; one of another key, or a busy one, is not", async () => {
  const { lease } = rig(4);
  const first = await lease("a");
  expect((await lease("a")).worker.number).toBe(2);
  expect((await lease("b")).worker.number).toBe(3);
  first.release(false);
  expect((await lease("a")).worker.number).toBe(1);
});

test("a worker that can do several things at once gets as many", async () => {
  const { lease } = rig(4);
  const numbers = await Promise.all([1, 2, 3].map(async () => (await lease("a", 2)).worker.number));
  expect(numbers).toEqual([1, 1, 2]);
});

test("when there is no room, the longest idle one goes; when none is idle, one waits for its turn", async () => {
  const { lease, pool } = rig(2);
  const a = await lease("a");
  const b = await lease("b");
  b.release(false);
  a.release(false);
  const c = await lease("c");
  expect(b.worker.ended).toBe("term");
  expect(pool.size).toBe(2);
  const again = await lease("a");
  const order: string[] = [];
  const waiting = ["d", "e"].map(async (key) => {
    const held = await lease(key);
    order.push(key);
    return held;
  });
  await settled();
  expect(order).toEqual([]);
  c.release(false);
  (await waiting[0])?.release(false);
  (await waiting[1])?.release(false);
  expect(order).toEqual(["d", "e"]);
  again.release(false);
});

// Goal: who has gone holds up nobody. Method: one gives up while it waits, one in the moment in which its turn comes.
test("one that gives up while it waits leaves its turn to the next", async () => {
  const { lease, asked } = rig(1);
  const held = await lease("a");
  const [early, late] = [new AbortController(), new AbortController()];
  const given = [asked("b", 1, early.signal), asked("c", 1, late.signal), asked("d", 1)];
  early.abort();
  expect(await given[0]).toBeUndefined();
  held.release(false);
  late.abort();
  expect(await given[1]).toBeUndefined();
  expect((await given[2])?.worker.number).toBe(2);
  expect(await asked("e", 1, early.signal)).toBeUndefined();
});

test("an idle worker ends after its time, a retired or dead one at once", async () => {
  const { clock, lease, pool } = rig(4);
  const idle = await lease("a");
  idle.release(false);
  clock.advance(999);
  expect(idle.worker.ended).toBeUndefined();
  (await lease("a")).release(false);
  clock.advance(999);
  expect(idle.worker.ended).toBeUndefined();
  clock.advance(1);
  expect(idle.worker.ended).toBe("term");
  const retired = await lease("a");
  retired.release(true);
  const dead = await lease("a");
  dead.worker.isUsable = false;
  dead.release(false);
  expect([retired.worker.ended, dead.worker.ended, pool.size]).toEqual(["kill", "kill", 0]);
  const silent = await lease("a");
  silent.release(false);
  silent.worker.isUsable = false;
  expect((await lease("a")).worker.number).not.toBe(silent.worker.number);
  expect(silent.worker.ended).toBe("kill");
});

test("closing ends all", async () => {
  const { lease, pool } = rig(4);
  const all = [await lease("a"), await lease("b")];
  await pool.close();
  expect(all.map(({ worker }) => worker.ended)).toEqual(["term", "term"]);
});
