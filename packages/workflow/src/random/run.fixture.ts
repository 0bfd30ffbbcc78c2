/**
 * One run of a random graph through lives that end badly: people decide anything, journals refuse, processes die, runs
 * are cancelled and left and taken up again; and what must hold of what is left.
 */
import { digestOf, ProblemError } from "@kahn/core";
import type { JournalAppend, MemoryJournalStore, SeededRandom, VirtualClock } from "@kahn/testing";
import { memoryJournalStore, virtualClock } from "@kahn/testing";
import { quiet } from "../flow.fixture.ts";
import type { FlowEvent, FlowGraph, FlowRun, FlowValues, RunResult, SnapshotPolicy } from "../index.ts";
import { createFlow } from "../index.ts";
import { memoryValues } from "../machine/state/values.ts";
import { randomGraph } from "./graph.fixture.ts";

/** The id of the run. */
export const RUN = "r";
/** Rounds of one life; a run that goes on longer goes on for ever. */
const ROUNDS_MAX = 1000;
const LIVES_MAX = 8;
const REFUSAL = { code: "journal-io", severity: "error", message: "refused" } as const;

/** What a life left. */
export interface Remains {
  /** `undefined`: its process died, or its start was refused. */
  readonly result: RunResult | undefined;
  readonly journals: MemoryJournalStore;
  /** What a reader had been told by then. */
  readonly told: readonly FlowEvent[];
  readonly values: FlowValues;
  readonly clock: VirtualClock;
  readonly graph: FlowGraph;
}

/** What a run goes through. */
export interface Experiment {
  readonly random: SeededRandom;
  tally(what: string): void;
  /** Looks at what each life left. */
  check(remains: Remains): Promise<void>;
}

/** Something bad that happens to one life. */
interface Trouble {
  readonly kind: "refused" | "death" | "none";
  /** At which of its appends. */
  readonly at: number;
}

interface Life extends Experiment {
  readonly graph: FlowGraph;
  readonly clock: VirtualClock;
  readonly values: FlowValues;
  readonly journals: MemoryJournalStore;
  readonly snapshots: SnapshotPolicy;
  /** Is told of each append of this life. */
  readonly appends: { seen: (append: JournalAppend) => typeof REFUSAL | undefined };
}

/** Lives until the run has ended and is not taken up again. @returns how it ended. */
export async function experience(experiment: Experiment): Promise<RunResult> {
  const { random, tally, check } = experiment;
  let clock = virtualClock();
  const graph = randomGraph({ random, clock: () => clock });
  const appends: Life["appends"] = { seen: () => undefined };
  const values = memoryValues((bytes) => digestOf(bytes));
  const snapshots: SnapshotPolicy = random.chance(0.5)
    ? { kind: "every", records: random.int(1, 9) }
    : { kind: "manual" };
  let journals = memoryJournalStore({ faults: (append) => appends.seen(append) });
  for (let lives = 1; ; lives++) {
    clock = virtualClock(clock.nowMs() + random.int(0, 30));
    const remains = await live({ ...experiment, graph, clock, values, journals, snapshots, appends }, lives);
    await check(remains);
    const { result } = remains;
    if (result?.problem !== undefined && result.problem.code !== REFUSAL.code) throw new ProblemError(result.problem);
    if (result !== undefined && result.problem === undefined && isOver(random, result, lives)) return result;
    if (result === undefined) tally("deaths");
    else tally(result.problem === undefined ? `${result.status}, resumed` : "refusals");
    // What is left of the old process does no harm in the new world.
    journals = remains.journals.killProcess();
  }
}

function isOver(random: SeededRandom, { status }: RunResult, lives: number): boolean {
  if (lives >= LIVES_MAX || status === "completed") return status !== "suspended";
  return status !== "suspended" && random.chance(0.7);
}

function drawTrouble(random: SeededRandom, lives: number): Trouble {
  if (lives >= LIVES_MAX || random.chance(0.5)) return { kind: "none", at: 0 };
  return { kind: random.pick(["refused", "death"] as const), at: random.int(1, random.pick([3, 15, 40])) };
}

/** One process: starts or resumes the run, and is there until it ends, dies or leaves. */
async function live(life: Life, lives: number): Promise<Remains> {
  const { random, clock, values, journals, snapshots, graph, appends } = life;
  const trouble = drawTrouble(random, lives);
  const told: FlowEvent[] = [];
  let died: Remains | undefined;
  let nth = 0;
  let result: RunResult | undefined;
  const die = () => {
    // A run that has ended is not there to die.
    if (result === undefined)
      died ??= { result: undefined, journals: journals.killProcess(), told: [...told], values, clock, graph };
  };
  appends.seen = () => {
    if (++nth !== trouble.at) return undefined;
    if (trouble.kind === "refused") return REFUSAL;
    die();
    return undefined;
  };
  const flow = createFlow({ clock, random, journals, values, snapshots, grace: 50 });
  const isBegun = peekLength(journals) > 0;
  const begun = isBegun ? flow.resume(RUN, graph, { maxSteps: 60 + 20 * lives }) : flow.start(graph, {}, { id: RUN });
  const run = await begun.catch((error: unknown) => {
    if (isBegun || trouble.kind !== "refused" || nth !== 1) throw error;
  });
  if (run === undefined) return { result: undefined, journals, told, values, clock, graph };
  void (run as FlowRun).result.then((ended) => {
    result = ended;
  });
  void follow(run as FlowRun, told);
  const isLast = lives >= LIVES_MAX;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await quiet();
    if (died !== undefined) return died;
    if (result !== undefined) return { result, journals, told, values, clock, graph };
    await act(run as FlowRun, { ...life, isLast, die });
  }
  throw new Error(`no end after ${ROUNDS_MAX} rounds: ${JSON.stringify((run as FlowRun).peek())}`);
}

function peekLength(journals: MemoryJournalStore): number {
  const records = journals.peek(RUN);
  return records.ok ? [...records.value].length : 0;
}

async function follow(run: FlowRun, told: FlowEvent[]): Promise<void> {
  for await (const event of run.events()) told.push(event as FlowEvent);
}

/** Lets something happen: a person, the clock, or somebody who has had enough. */
async function act(
  run: FlowRun,
  { random, clock, tally, isLast, die }: Life & { readonly isLast: boolean; readonly die: () => void },
): Promise<void> {
  const { barriers, status } = run.peek();
  if (random.chance(0.02)) {
    void run.cancel();
    if (isLast || random.chance(0.5)) return;
    // Told, but not ended yet.
    await quiet();
    return die();
  }
  if (!isLast && random.chance(0.01)) return void run.leave();
  if (random.chance(0.02)) return void run.checkpoint("by chance");
  if (random.chance(0.03)) await decide(run, random.pick(["n1#1", "n0/a#1", "n2/n0", "*/b", "*"]), random);
  const open = barriers.length > 0 ? random.pick(barriers) : undefined;
  // One visit of a barrier, or every one.
  if (open !== undefined && random.chance(0.4))
    await decide(run, random.chance(0.7) ? open.barrier : open.barrier.replace(/#\d+/g, ""), random);
  if (clock.advanceToNext() || (status !== "waiting" && status !== "suspended")) return;
  if (open !== undefined) return void (random.chance(0.3) && run.leave());
  await quiet();
  const silent = await Promise.race([run.result, quiet().then(() => undefined)]);
  if (silent !== undefined || clock.pendingTimers > 0 || run.peek().barriers.length > 0) return;
  tally("silent");
  throw new Error(`silent: ${JSON.stringify(run.peek())}`);
}

async function decide(run: FlowRun, target: string, random: SeededRandom): Promise<void> {
  const decision = random.pick([
    { approve: true },
    { approve: true },
    { reject: "no" },
    { modify: { n: 7 } },
    { modify: { nothing: 7 } },
    { reroute: "n1" },
  ] as const);
  const to = target.includes("#") ? target : { node: target };
  const ack = await run.decide(to as never, decision as never, random.chance(0.3) ? { count: 1 } : {});
  if (ack.token !== "" && random.chance(0.1)) await run.revoke(ack.token);
}
