import assert from "node:assert/strict";
import { InvariantError } from "@kahn/core";
import fc from "fast-check";
import { test } from "vitest";
import { seededRandom } from "./seeded-random.ts";

// Goal: a seed in an old failure report still means the same. Method: the values that the published mulberry32 gives.
test("a seed gives the same values on every machine and version", () => {
  const random = seededRandom(42);
  assert.deepEqual([...random.bytes(8)], [124, 239, 225, 153, 138, 43, 195, 114]);
  assert.deepEqual([random.int(0, 999), random.int(-5, 5), random.pick(["a", "b", "c"])], [852, 2, "a"]);
});

test("equal seeds give equal streams, other seeds others", () => {
  const [one, same, other] = [seededRandom(7), seededRandom(7), seededRandom(8)];
  const bytes = [...one.bytes(64)];
  assert.deepEqual([...same.bytes(64)], bytes);
  assert.notDeepEqual([...other.bytes(64)], bytes);
});

test("whole numbers stay within their limits and reach both", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: -9, max: 9 }), fc.integer({ min: 0, max: 5 }), (seed, min, span) => {
      const random = seededRandom(seed);
      const drawn = new Set(Array.from({ length: 200 }, () => random.int(min, min + span)));
      assert.equal(Math.min(...drawn), min);
      assert.equal(Math.max(...drawn), min + span);
    }),
    { numRuns: 50 },
  );
});

test("shuffling keeps the items and leaves the list alone", () => {
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const shuffled = seededRandom(1).shuffle(items);
  assert.deepEqual(items, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.notDeepEqual(shuffled, items);
  assert.deepEqual([...shuffled].sort(), items);
});

test("a fork is a stream of its own", () => {
  const [one, two] = [seededRandom(3), seededRandom(3)];
  const [forkOfOne, forkOfTwo] = [one.fork(), two.fork()];
  forkOfOne.bytes(100);
  assert.deepEqual(one.bytes(16), two.bytes(16));
  assert.notDeepEqual(forkOfTwo.bytes(16), two.bytes(16));
});

test("chances are kept", () => {
  const random = seededRandom(5);
  const hits = Array.from({ length: 10_000 }, () => random.chance(0.25)).filter(Boolean).length;
  assert.ok(hits > 2250 && hits < 2750, `${hits}`);
  assert.equal(random.chance(0), false);
  assert.equal(random.chance(1), true);
});

test("a draw that cannot be made is a bug", () => {
  assert.throws(() => seededRandom(1).pick([]), InvariantError);
  assert.throws(() => seededRandom(1).int(2, 1), InvariantError);
});
