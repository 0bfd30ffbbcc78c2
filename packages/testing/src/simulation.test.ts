import assert from "node:assert/strict";
import { test } from "vitest";
import { forEachSeed, SimulationError, testScale } from "./simulation.ts";

test("every seed is run once, in order, with a stream of its own", async () => {
  const drawn: [seed: number, value: number][] = [];
  const lines: string[] = [];
  const outcome = await forEachSeed(
    { name: "draws", count: 3, seed: 10, report: (line) => lines.push(line) },
    ({ seed, random, tally }) => {
      drawn.push([seed, random.int(0, 1e9)]);
      if (seed > 10) tally("late");
    },
  );
  assert.deepEqual(
    drawn.map(([seed]) => seed),
    [10, 11, 12],
  );
  assert.equal(new Set(drawn.map(([, value]) => value)).size, 3);
  assert.deepEqual(outcome, { runs: 3, tallies: { late: 2 } });
  assert.deepEqual(lines, ["draws: 3 runs from seed 10, late 2"]);
});

test("a failure names the seed that repeats it, and keeps its cause", async () => {
  const cause = new Error("bad luck");
  const failing = forEachSeed({ name: "luck", count: 10 }, ({ seed }) => {
    if (seed === 4) throw cause;
  });
  await assert.rejects(failing, (error) => {
    assert.ok(error instanceof SimulationError);
    assert.deepEqual([error.seed, error.cause], [4, cause]);
    assert.match(error.message, /luck: seed 4 fails .*bad luck/s);
    return true;
  });
});

test("the scale multiplies the runs, and nonsense counts as one", async () => {
  const runs = async (scaleEnv: string | undefined) =>
    (await forEachSeed({ name: "n", count: 4, scaleEnv }, () => {})).runs;
  assert.deepEqual([await runs("2.5"), await runs("0.01"), await runs(undefined)], [10, 1, 4]);
  assert.deepEqual(["", "x", "-1", "0", "Infinity"].map(testScale), [1, 1, 1, 1, 1]);
});
