/**
 * The steps of a simulation: runs, and what people, programs and machines do between and during runs.
 *
 * Invariant: a step draws from its own seed only, so leaving one out changes nothing in the others: that is how a
 *            failure is made smaller.
 */
import type { SeededRandom } from "@kahn/testing";
import { editSources } from "./edit-sources.ts";
import { runAll, runCancelled, runElsewhere, runToCrash, runTwice, somePart } from "./run-steps.ts";
import { drawEdits, drawEditsBetweenCalls, drawFullDisk, drawMoods, drawRefusal } from "./run-trouble.ts";
import { spoilOutputs } from "./spoil-outputs.ts";
import type { StepContext } from "./step-context.ts";
import { collect, spoilCache, verify } from "./store-steps.ts";
import { CACHE } from "./world.ts";

/** What a simulation is made of. */
export interface Step {
  readonly kind: StepKind;
  readonly seed: number;
}

/** Kinds of steps. */
export type StepKind =
  | "run"
  | "run-cancelled"
  | "run-edited"
  | "run-unlucky"
  | "run-forced"
  | "run-part"
  | "run-with-refusal"
  | "run-on-full-disk"
  | "run-crash"
  | "run-power-loss"
  | "run-twice"
  | "run-elsewhere"
  | "pull"
  | "edit"
  | "spoil-outputs"
  | "delete-cache"
  | "spoil-cache"
  | "collect-garbage"
  | "verify"
  | "write-back"
  | "clock-jump"
  | "wait";

const GENTLE: readonly StepKind[] = [
  "run",
  "run",
  "run-part",
  "run-forced",
  "run-twice",
  "run-elsewhere",
  "pull",
  "pull",
];
const BETWEEN: readonly StepKind[] = [
  ...([
    "edit",
    "edit",
    "edit",
    "spoil-outputs",
    "spoil-outputs",
    "delete-cache",
    "spoil-cache",
    "spoil-cache",
  ] as const),
  ...(["collect-garbage", "verify", "write-back", "wait", "clock-jump"] as const),
];
const ROUGH: readonly StepKind[] = [
  "pull",
  ...([
    "run-cancelled",
    "run-edited",
    "run-edited",
    "run-unlucky",
    "run-unlucky",
    "run-with-refusal",
    "run-with-refusal",
  ] as const),
  ...(["run-on-full-disk", "run-crash", "run-crash", "run-crash", "run-crash", "run-power-loss"] as const),
];

/** Draws the steps of a simulation; ends with runs that have to make everything good. */
export function randomSteps(random: SeededRandom, isRobust: boolean): Step[] {
  const kinds: StepKind[] = [];
  const count = random.int(2, 6);
  for (let index = 0; index < count; index++) {
    const between = random.int(0, 2);
    for (let each = 0; each < between; each++) kinds.push(random.pick(BETWEEN));
    const isRough = isRobust && random.chance(0.75);
    kinds.push(random.pick(isRough ? ROUGH : GENTLE));
  }
  kinds.push("run", "run-elsewhere", "verify");
  return kinds.map((kind) => ({ kind, seed: random.int(1, 2 ** 31) }));
}

/** Performs a step and checks what can be checked after it. */
export async function performStep(context: StepContext, kind: StepKind): Promise<void> {
  const { world, random } = context;
  if (random.chance(0.7)) world.clock.advance(random.pick([1, 5, 30, 1000, 5000]));
  await STEPS[kind](context);
}

const STEPS: Readonly<Record<StepKind, (context: StepContext) => unknown>> = {
  run: (context) => runAll(context, {}),
  "run-cancelled": runCancelled,
  "run-edited": (context) => runAll(context, { incidents: drawEdits(context), faults: drawEditsBetweenCalls(context) }),
  "run-unlucky": (context) => runAll(context, { moods: drawMoods(context), failFast: context.random.chance(0.3) }),
  "run-forced": (context) => runAll(context, { force: true }),
  "run-part": (context) => runAll(context, { requested: somePart(context) }),
  "run-with-refusal": (context) => runAll(context, { faults: [drawRefusal(context)] }),
  "run-on-full-disk": (context) => runAll(context, { faults: drawFullDisk(context) }),
  "run-crash": (context) => runToCrash(context, "process"),
  "run-power-loss": (context) => runToCrash(context, "power"),
  "run-twice": runTwice,
  "run-elsewhere": runElsewhere,
  pull: async (context) => {
    // Somebody else's work, and what came of it in the shared cache.
    editSome(context);
    await runElsewhere(context);
    await runAll(context, {});
  },
  edit: editSome,
  "spoil-outputs": spoilOutputs,
  "delete-cache": ({ world, tell }) => {
    tell("delete the cache");
    world.fs.removeTree(CACHE);
    world.storedKeys.clear();
    world.isStoreDoubtful = false;
  },
  "spoil-cache": spoilCache,
  "collect-garbage": collect,
  verify,
  "write-back": ({ world, tell }) => {
    tell("the system writes everything to the device");
    world.fs.settle();
  },
  "clock-jump": ({ world, random, tell }) => {
    const byMs = random.pick([-3_600_000, -10_000, -50, 50, 10_000, 3_600_000]);
    tell(`the wall clock jumps by ${byMs} ms`);
    // Known limit of the index of file states: such a jump makes what was just written look long flushed.
    if (byMs > 10_000) world.fs.settle();
    world.clock.jump(world.clock.nowMs() + byMs);
    if (byMs < 0) world.hasClockJumped = true;
  },
  wait: ({ world, random, tell }) => {
    const ms = random.pick([1, 25, 3000, 90_000_000]);
    tell(`wait ${ms} ms`);
    world.clock.advance(ms);
  },
};

function editSome(context: StepContext): void {
  for (let left = context.random.int(1, 3); left > 0; left--) editSources(context);
}
