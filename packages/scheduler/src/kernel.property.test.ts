import assert from "node:assert/strict";
import { test } from "vitest";
import { createKernel, step } from "./index.ts";
import { checkLog, randomScenario, seededRandom, simulate } from "./testing/index.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const GRAPHS = Math.round(2000 * SCALE);
const SEED = Number(process.env.KAHN_TEST_SEED ?? 1);

// Goal: P1–P12 and P16 hold for any graph, order of completion, outcome, cancel, delta and limit.
// Method: seeded simulations, each judged by an oracle that sees only the log. The failing seed is in the message:
// KAHN_TEST_SEED=<seed> runs it first.
test("every simulated run keeps the invariants P1 to P12 and P16", () => {
  const seen = { nodes: 0, steps: 0, rejected: 0, cancelled: 0 };
  for (let seed = SEED; seed < SEED + GRAPHS; seed++) {
    const random = seededRandom(seed);
    const scenario = randomScenario(random);
    const log = simulate({ createKernel, step }, scenario, random);
    const violations = checkLog(log);
    assert.deepEqual(violations, [], `seed ${seed}`);
    seen.steps += log.entries.length;
    for (const { event, effects } of log.entries) {
      if (event.kind === "cancel") seen.cancelled++;
      if (effects.some((effect) => effect.kind === "rejected")) seen.rejected++;
      else if (event.kind === "admit") seen.nodes += event.nodes.length;
    }
  }
  assert.ok(seen.nodes > GRAPHS && seen.rejected > 0 && seen.cancelled > 0);
  // One line per run of the suite, for the record.
  console.log(
    `counts: kernel, ${GRAPHS} random graphs from seed ${SEED}, ${seen.nodes} nodes, ${seen.steps} steps, ${seen.rejected} deltas refused, ` +
      `${seen.cancelled} cancels, 0 violations`,
  );
});

// Goal: P12, the kernel is a function of its events. Method: the same scenario with the same answers, twice.
test("equal events give equal effects", () => {
  const record = (seed: number) => {
    const random = seededRandom(seed);
    return simulate({ createKernel, step }, randomScenario(random), random);
  };
  for (let seed = SEED; seed < SEED + GRAPHS / 10; seed++) assert.deepEqual(record(seed), record(seed), `seed ${seed}`);
});
