import assert from "node:assert/strict";
import { forEachSeed, type SeededRandom } from "@kahn/testing";
import { test } from "vitest";
import { AGED_TURN, FairQueue } from "./queue.ts";

const scaleEnv = process.env.KAHN_TEST_SCALE;
const all = (): boolean => true;

const pathOf = (invocation: string, build = invocation, caller = "c") => [caller, build, invocation];

/** Some actions of one invocation. */
interface Load {
  readonly path: readonly string[];
  readonly count: number;
  /** When they are asked for. */
  readonly atMs: number;
  readonly durationMs: () => number;
  readonly priority?: number;
}

/** Runs loads in virtual time; the end of each. */
function simulate(loads: readonly Load[], slots: number): number[] {
  const queue = new FairQueue();
  queue.setSlots(slots);
  const running: {
    readonly job: number;
    readonly load: number;
    readonly endMs: number;
    readonly durationMs: number;
  }[] = [];
  const owner = new Map<number, number>();
  const arriving = loads.map((load, index) => ({ ...load, index })).sort((a, b) => a.atMs - b.atMs);
  const ends = loads.map(() => 0);
  let nowMs = 0;
  for (;;) {
    while (arriving[0] !== undefined && arriving[0].atMs <= nowMs) {
      const { path, count, priority = 0, index } = arriving.shift()!;
      for (let each = 0; each < count; each++) {
        const job = owner.size + 1;
        owner.set(job, index);
        queue.add({ job, path, priority, pool: "" });
      }
    }
    while (running.length < slots) {
      const job = queue.take(all);
      if (job === undefined) break;
      const load = owner.get(job)!;
      const durationMs = loads[load]!.durationMs();
      running.push({ job, load, endMs: nowMs + durationMs, durationMs });
    }
    if (running.length === 0 && arriving.length === 0) return ends;
    running.sort((a, b) => a.endMs - b.endMs);
    const nextMs = Math.min(
      running[0]?.endMs ?? Number.POSITIVE_INFINITY,
      arriving[0]?.atMs ?? Number.POSITIVE_INFINITY,
    );
    nowMs = nextMs;
    while (running[0] !== undefined && running[0].endMs <= nowMs) {
      const ended = running.shift()!;
      queue.ended(ended.job, ended.durationMs);
      ends[ended.load] = nowMs;
    }
  }
}

/** Durations around a mean, as actions of one build have them. */
function around(random: SeededRandom, meanMs: number): () => number {
  return () => Math.round(meanMs * (0.5 + random.fraction()));
}

// Goal: must-have 15. Method: virtual time; the small invocation comes at any moment of the large one's run.
test("ten actions beside a thousand of another invocation end within twice the time they take alone", async () => {
  await forEachSeed({ name: "small beside large", count: 100, scaleEnv }, ({ random }) => {
    const slots = random.pick([1, 2, 3, 4, 8, 16]);
    const atMs = random.int(0, 20_000);
    const small = { path: pathOf("small"), count: 10, atMs, durationMs: () => 1000 };
    const large = { path: pathOf("large"), count: 1000, atMs: 0, durationMs: () => 1000 };
    const alone = simulate([small], slots)[0]! - atMs;
    const beside = simulate([large, small], slots)[1]! - atMs;
    assert.ok(beside <= 2 * alone, `${beside} ms instead of ${alone} ms in ${slots} slots`);
  });
});

test("invocations get equal slot time, also when the actions of one take ten times as long", async () => {
  await forEachSeed({ name: "equal shares", count: 20, scaleEnv }, ({ random }) => {
    const loads = [
      { path: pathOf("quick"), count: 1000, atMs: 0, durationMs: around(random, 100) },
      { path: pathOf("slow"), count: 100, atMs: 0, durationMs: around(random, 1000) },
    ];
    const [quick = 0, slow = 0] = simulate(loads, 4);
    // Both hold about 100 s of work, so with equal shares both end at about the same time.
    assert.ok(Math.abs(quick - slow) < 0.15 * Math.max(quick, slow), `${quick} and ${slow} ms`);
  });
});

test("invocations of one build share what that build gets", () => {
  const durationMs = (): number => 100;
  const shards = Array.from({ length: 9 }, (_, shard) => ({
    ...{ path: pathOf(`shard${shard}`, "sharded"), count: 100, atMs: 0, durationMs },
  }));
  const ends = simulate([...shards, { path: pathOf("other"), count: 100, atMs: 0, durationMs }], 2);
  // 1000 actions in two slots take 50 s; with half of them the other is through after about 10 s.
  assert.ok(ends[9]! <= 11_000, `${ends[9]} ms`);
});

test("a lower priority number starts sooner; equal ones start in the order of arrival", () => {
  const queue = new FairQueue();
  for (const [job, priority] of [5, 0, -3, 0].entries()) queue.add({ job, path: pathOf("i"), priority, pool: "" });
  assert.deepEqual([queue.take(all), queue.take(all), queue.take(all)], [2, 1, 3]);
});

// Goal: no priority keeps another waiting for ever. Method: urgent actions never end; count starts until the one does.
test("an action of the lowest priority starts within a few turns of each invocation before it", async () => {
  await forEachSeed({ name: "ageing", count: 50, scaleEnv }, ({ random }) => {
    const queue = new FairQueue();
    queue.setSlots(2);
    const rivals = random.int(1, 8);
    let job = 1;
    queue.add({ job: 0, path: pathOf("patient"), priority: 1_000_000, pool: "" });
    for (let rival = 0; rival < rivals; rival++) {
      for (let each = 0; each < 3; each++)
        queue.add({ job: job++, path: pathOf(`urgent${rival}`), priority: -9, pool: "" });
    }
    for (let starts = 1; ; starts++) {
      const taken = queue.take(all)!;
      if (taken === 0) break;
      assert.ok(starts <= AGED_TURN * (rivals + 1) * 4, `${starts} starts before it, with ${rivals} rivals`);
      queue.ended(taken, 1000);
      queue.add({ job: job++, path: pathOf(`urgent${random.int(0, rivals - 1)}`), priority: -9, pool: "" });
    }
  });
});

test("an invocation that stays away saves up no more than one turn of each slot", () => {
  const queue = new FairQueue();
  queue.setSlots(3);
  let job = 0;
  const add = (path: readonly string[], count: number): void => {
    for (let each = 0; each < count; each++) queue.add({ job: job++, path, priority: 0, pool: "" });
  };
  const busy: number[] = [];
  const start = (): number => {
    const taken = queue.take(all)!;
    busy.push(taken);
    if (busy.length > 3) queue.ended(busy.shift()!, 1000);
    return taken;
  };
  add(pathOf("away"), 1);
  add(pathOf("here"), 500);
  for (let starts = 0; starts < 400; starts++) start();
  const from = job;
  add(pathOf("away"), 50);
  let inARow = 0;
  while (start() >= from) inARow++;
  assert.ok(inARow >= 2 && inARow <= 3 + 2, `${inARow} starts in a row`);
});

test("only what fits is taken, and what is taken or removed is gone under every invocation", async () => {
  await forEachSeed({ name: "queue against a list", count: 100, scaleEnv }, ({ random }) => {
    const queue = new FairQueue();
    const waiting = new Map<number, string>();
    const running = new Set<number>();
    for (let event = 0; event < 400; event++) {
      const act = random.pick(["add", "add", "join", "take", "take", "end", "remove"] as const);
      const known = [...waiting.keys()];
      if (act === "add") {
        const pool = random.pick(["x", "y"]);
        waiting.set(event, pool);
        const entry = { job: event, path: pathOf(random.pick(["i", "j"])), priority: random.int(-1, 1), pool };
        queue.add(entry, random.chance(0.1) ? "first" : "last");
      } else if (act === "join" && known.length > 0) {
        const job = random.pick(known);
        queue.add({ job, path: pathOf(random.pick(["i", "j", "k"])), priority: 0, pool: waiting.get(job)! });
      } else if (act === "take") {
        const pool = random.pick(["x", "y"]);
        const taken = queue.take((each) => each === pool);
        assert.equal(taken !== undefined, [...waiting.values()].includes(pool));
        if (taken === undefined) continue;
        assert.equal(waiting.get(taken), pool);
        waiting.delete(taken);
        running.add(taken);
      } else if (act === "end" && running.size > 0) {
        const job = random.pick([...running]);
        running.delete(job);
        queue.ended(job, random.int(0, 5000));
      } else if (act === "remove" && known.length > 0) {
        const job = random.pick(known);
        waiting.delete(job);
        queue.remove(job);
      }
      assert.equal(queue.size, waiting.size);
    }
  });
});
