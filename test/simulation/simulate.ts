/**
 * One simulation from one seed: a workspace, a sequence of steps, and whatever promise was broken.
 *
 * Owns:      the order of the steps, and the making smaller of a failure.
 */
import { seededRandom } from "@kahn/testing";
import type { ExecUnderTest } from "./exec-under-test.ts";
import { labelOf, randomWorkspace, type SimTask } from "./sim-workspace.ts";
import { performStep, randomSteps, type Step } from "./steps.ts";
import { World } from "./world.ts";

/** What to simulate. */
export interface Plan {
  readonly seed: number;
  readonly steps: readonly Step[];
  /** Only the first so many tasks of the workspace. */
  readonly tasksMax: number;
}

/** What came of it. */
export interface SimulationResult {
  readonly violations: readonly string[];
  /** The steps in words. */
  readonly story: readonly string[];
  /** Everything that was recorded: equal for equal plans. */
  readonly trace: readonly string[];
  readonly tallies: ReadonlyMap<string, number>;
}

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const random = seededRandom(seed);
  const { isRobust } = randomWorkspace(random.fork(), 0);
  return { seed, steps: randomSteps(random.fork(), isRobust), tasksMax: 12 };
}

/** Performs a plan up to its first violation. */
export async function simulate(exec: ExecUnderTest, plan: Plan): Promise<SimulationResult> {
  const random = seededRandom(plan.seed);
  const workspace = randomWorkspace(random.fork(), plan.tasksMax);
  const world = new World(exec, workspace, seededRandom(plan.seed + 1));
  const story = workspace.tasks.map(taskText);
  const tallies = new Map<string, number>();
  const violations: string[] = [];
  for (const { kind, seed } of plan.steps) {
    story.push(`— ${kind}`);
    try {
      await performStep(
        {
          world,
          random: seededRandom(seed),
          tell: (text) => story.push(text),
          tally: (what) => tallies.set(what, (tallies.get(what) ?? 0) + 1),
          violations,
        },
        kind,
      );
    } catch (error) {
      violations.push(`the step ${kind} threw ${error instanceof Error ? error.stack : String(error)}`);
    }
    if (violations.length > 0) break;
  }
  return { violations, story, trace: [...world.trace, ...story], tallies };
}

/** Leaves out steps and tasks as long as the same kind of promise is broken. */
export async function makeSmaller(exec: ExecUnderTest, plan: Plan): Promise<Plan> {
  let smallest = plan;
  const kindOf = ({ violations }: SimulationResult) => violations[0]?.replace(/[0-9a-f]{6,}|\d+/g, "").slice(0, 60);
  const kind = kindOf(await simulate(exec, plan));
  const fails = async (candidate: Plan) => kindOf(await simulate(exec, candidate)) === kind;
  for (let tasksMax = 1; tasksMax < smallest.tasksMax; tasksMax++) {
    if (await fails({ ...smallest, tasksMax })) smallest = { ...smallest, tasksMax };
  }
  for (let index = smallest.steps.length - 1; index >= 0; index--) {
    const steps = smallest.steps.filter((_, at) => at !== index);
    if (await fails({ ...smallest, steps })) smallest = { ...smallest, steps };
  }
  return smallest;
}

function taskText(task: SimTask): string {
  const { requires, after, reads, inputs, outputs, outputMode, cleans, cached, reach, retries, timeoutMs } = task;
  const facts = [
    task.kind,
    inputs,
    `outputs ${outputs}${outputMode === "link" ? " (linked)" : ""}`,
    ...(requires.length > 0 ? [`requires ${requires.join(" ")}`] : []),
    ...(after.length > 0 ? [`after ${after.join(" ")}`] : []),
    ...(reads.length > 0 ? [`reads ${reads.join(" ")}`] : []),
    ...(task.dropsComments ? ["drops comments"] : []),
    ...(cleans ? [] : ["does not clean"]),
    ...(cached ? [] : ["uncached"]),
    ...(reach === "own" ? ["reach own"] : []),
    ...(retries > 0 ? [`${retries} retries`] : []),
    ...(timeoutMs === undefined ? [] : [`timeout ${timeoutMs} ms`]),
  ];
  return `${labelOf(task)}: ${facts.join(", ")}`;
}
