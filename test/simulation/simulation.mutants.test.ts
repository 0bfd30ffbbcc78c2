import assert from "node:assert/strict";
import { test } from "vitest";
import { type ExecUnderTest, loadExec } from "./exec-under-test.ts";
import { MUTANTS } from "./mutants.ts";
import { planOf, simulate } from "./simulate.ts";

/** So many seeds are tried where the one that is known to do it does not find the fault any more. */
const SEEDS_MAX = 200;

/** The seed that finds a fault; `undefined` if none does. */
async function seedOfViolation(exec: ExecUnderTest, known: number): Promise<number | undefined> {
  for (const seed of [known, ...Array.from({ length: SEEDS_MAX }, (_, index) => index + 1)]) {
    if ((await simulate(exec, planOf(seed))).violations.length > 0) return seed;
  }
  return undefined;
}

// Goal: the simulation is able to fail, for every fault that a runner of graphs is known to have. Method: plant each in
// the text of exec and expect a violation; the sound exec through the same loader shows none on the same seeds.
test("the simulation kills every mutant and spares exec", async () => {
  const sound = await loadExec();
  for (const seed of new Set(MUTANTS.map((mutant) => mutant.seed))) {
    assert.deepEqual((await simulate(sound, planOf(seed))).violations, [], `exec itself, seed ${seed}`);
  }
  const survivors: string[] = [];
  let moved = 0;
  for (const { name, patches, seed } of MUTANTS) {
    const found = await seedOfViolation(await loadExec(patches), seed);
    if (found === undefined) survivors.push(name);
    else if (found !== seed) moved++;
  }
  assert.deepEqual(survivors, []);
  console.log(`counts: ${MUTANTS.length} mutants of exec killed by simulation, ${moved} by another seed than noted`);
});

test("a patch that no longer matches exec is an error, not a survivor", async () => {
  await assert.rejects(loadExec([{ file: "run-graph.ts", find: "no such text", replace: "" }]));
  await assert.rejects(loadExec([{ file: "no-such-file.ts", find: "x", replace: "" }]));
});
