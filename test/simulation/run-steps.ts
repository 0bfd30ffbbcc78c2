/** The steps that run something. */
import type { Fault, FileSystemCall } from "@kahn/testing";
import { checkRun } from "./check-run.ts";
import { drawMoods, nthOf } from "./run-trouble.ts";
import { type Incident, type RunRecord, type RunSettings, simulateRun } from "./simulated-run.ts";
import type { StepContext } from "./step-context.ts";
import { verify } from "./store-steps.ts";
import type { Checkout, World } from "./world.ts";

/** Runs everything in the main work tree, but for what is given, and checks the run. */
export async function runAll(context: StepContext, given: Partial<RunSettings>): Promise<RunRecord> {
  const { world, random, tell, tally } = context;
  const settings: RunSettings = {
    checkout: world.main,
    requested: allCommands(world),
    force: false,
    failFast: false,
    sync: random.chance(0.3),
    moods: new Map(),
    incidents: [],
    faults: [],
    ...given,
  };
  const before = new Map(world.versions);
  world.seenThisRun = new Map();
  const record = await simulateRun(world, settings);
  world.seenThisRun = undefined;
  tally("runs");
  for (const { operation, path } of record.fs.fired) tell(`  fault at ${operation} ${path}`);
  for (const event of record.recorder.events) world.trace.push(JSON.stringify(event));
  const violations = checkRun(world, record, before);
  const { end } = record;
  const counts = end.kind === "finished" ? ` ${end.outcome.status} ${JSON.stringify(end.outcome.counts)}` : "";
  tell(
    `run ${settings.requested.join(" ")} in ${settings.checkout.root}${settings.force ? " --force" : ""}: ${end.kind}${counts}`,
  );
  for (const [task, moods] of settings.moods) tell(`  ${task}: ${moods.join(", ")}`);
  context.violations.push(...violations);
  return record;
}

/** A run that the user stops, patiently or not. */
export async function runCancelled(context: StepContext): Promise<void> {
  const { random, tally } = context;
  const atMs = random.int(0, 400);
  const incidents: Incident[] = [{ afterMs: atMs, what: "term", happen: (run) => run.cancel("term") }];
  if (random.chance(0.5)) {
    const afterMs = atMs + random.int(0, 600);
    incidents.push({ afterMs, what: "kill", happen: (run) => run.cancel("kill") });
  }
  context.tell(`cancel at ${incidents.map(({ afterMs, what }) => `${afterMs} ms (${what})`).join(" and ")}`);
  const moods = random.chance(0.6) ? drawMoods(context) : new Map();
  const { cancelled } = await runAll(context, { incidents, moods });
  if (cancelled) tally("cancelled");
}

/** A second run straight after a first one finds everything. */
export async function runTwice(context: StepContext): Promise<void> {
  await runAll(context, {});
  await runAll(context, {});
}

/** Another checkout of the same sources, on the same cache: a hit there is what a fresh run is here. */
export async function runElsewhere(context: StepContext): Promise<void> {
  const { world } = context;
  const checkout: Checkout = { root: "/elsewhere/w", litter: new Map() };
  world.fs.removeTree(checkout.root);
  world.writeSources(checkout.root);
  await runAll(context, { checkout });
  world.fs.removeTree(checkout.root);
}

/** A run that Kahn or the machine does not survive, and what follows. */
export async function runToCrash(context: StepContext, what: "process" | "power"): Promise<void> {
  const { world, random, tell, tally } = context;
  const journalled = random.chance(0.5);
  const kind = random.pick(["before", "after", "torn"] as const);
  const action: Fault["action"] =
    kind === "torn" ? { kind, landedBytes: random.int(0, 200) } : { kind: "crash", when: kind };
  const nth = random.int(1, journalled ? 14 : 90);
  const place = (call: FileSystemCall) =>
    call.mutates && (!journalled || (call.operation === "append" && call.path.includes("/state/runs/")));
  tell(
    `${what === "power" ? "power loss" : "kill -9"} ${kind} ${journalled ? "journal append" : "mutating call"} ${nth}`,
  );
  const record = await runAll(context, { faults: [{ at: nthOf(nth, place), action }] });
  if (record.end.kind === "crashed") {
    tally(`${what === "power" ? "power losses" : "crashes"} (${journalled ? "append" : "any call"}, ${kind})`);
  } else if (what === "process") return;
  if (what === "process") world.killProcess();
  else world.losePower(random);
  if (random.chance(0.7)) await runAll(context, {});
  if (random.chance(0.5)) await verify(context);
}

function allCommands(world: World): string[] {
  return world.workspace.tasks.filter(({ kind }) => kind !== "service").map(({ name }) => name);
}

/** Some of the tasks; at least one. */
export function somePart({ world, random }: StepContext): string[] {
  const all = allCommands(world);
  const part = all.filter(() => random.chance(0.4));
  return part.length === 0 ? [random.pick(all)] : part;
}
