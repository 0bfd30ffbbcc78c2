import assert from "node:assert/strict";
import { testScale } from "@kahn/testing";
import { test } from "vitest";
import { loadExec } from "./exec-under-test.ts";
import { makeSmaller, planOf, simulate } from "./simulate.ts";

const FIRST_SEED = Number(process.env.KAHN_TEST_SEED ?? 1);
const COUNT = Math.max(1, Math.round(40 * testScale(process.env.KAHN_TEST_SCALE)));

// Goal: whatever is edited, damaged, refused, cancelled or killed, and whenever: outputs and streams are what the
// sources say, nothing that is stored runs again, nothing is lost, nothing stalls, and the same seed tells the same
// story (P12). Method: random workspaces and random sequences of steps over the real kernel, exec, stores, journal and
// file states, on a file system, processes and a clock in memory; the oracle knows nothing but the sources.
test("random lives of random workspaces keep every promise", { timeout: 60_000 * COUNT }, async () => {
  const exec = await loadExec();
  const tallies = new Map<string, number>();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT; seed++) {
    const plan = planOf(seed);
    const result = await simulate(exec, plan);
    for (const [what, times] of result.tallies) tallies.set(what, (tallies.get(what) ?? 0) + times);
    if (result.violations.length > 0) {
      const smallest = await simulate(exec, await makeSmaller(exec, plan));
      const text = [...smallest.story, "", ...smallest.violations].join("\n");
      assert.fail(`seed ${seed} (repeat with KAHN_TEST_SEED=${seed} KAHN_TEST_SCALE=0.001), made smaller:\n${text}`);
    }
    if (seed % 10 === 0) assert.deepEqual((await simulate(exec, plan)).trace, result.trace, `seed ${seed} differs`);
  }
  const counts = [...tallies].sort(([left], [right]) => (left < right ? -1 : 1));
  const told = counts.map(([what, times]) => `${what} ${times}`).join(", ");
  console.log(`counts: ${COUNT} simulated workspaces from seed ${FIRST_SEED}: ${told}`);
  const missing = ["runs", "cancelled", "edits during a run", "full disks", "EIO"].filter((what) => !tallies.has(what));
  if (COUNT >= 40) assert.deepEqual(missing, [], "every kind of trouble happened");
});
