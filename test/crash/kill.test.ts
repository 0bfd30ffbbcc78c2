/** Acceptance: `kill -9` of Kahn, alone and with its whole group, at any moment of a run. */
import { seededRandom } from "@kahn/testing";
import { beforeEach, expect, test } from "vitest";
import type { KahnProcess } from "../e2e/rig/kahn-process.ts";
import { CrashBench } from "./rig/crash-workspace.ts";
import { UNSUPPORTED } from "./rig/live-processes.ts";

beforeEach(({ skip }) => skip(UNSUPPORTED !== undefined, UNSUPPORTED));

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const SEED = Number(process.env.KAHN_TEST_SEED ?? Date.now() % 1_000_000);
const RANDOM_KILLS = Math.max(2, Math.round(10 * SCALE));
const POLITE_ENDS = Math.max(2, Math.round(3 * SCALE));
const AIMED_ROUNDS = Math.max(1, Math.round(SCALE));
const RUN = ["run", "build", "test", "--concurrency", "2", "--json"];
const TIMEOUT_MS = 120_000 * Math.max(1, SCALE);

type Tree = Readonly<Record<string, string>>;

interface Reference {
  readonly tree: Tree;
  readonly durationMs: number;
}

let reference: Promise<Reference> | undefined;

/** What an undisturbed run makes, in a directory of its own, and how long one takes here. */
function undisturbed(): Promise<Reference> {
  reference ??= runUndisturbed();
  return reference;
}

async function runUndisturbed(): Promise<Reference> {
  const bench = new CrashBench();
  const startedMs = performance.now();
  const run = await bench.kahn(RUN);
  expect(run, run.stderr).toMatchObject({ exitCode: 0 });
  return { tree: bench.tree("packages"), durationMs: performance.now() - startedMs };
}

function kill(kahn: KahnProcess, whom: "alone" | "group"): void {
  if (whom === "alone") kahn.signal("SIGKILL");
  else kahn.signalGroup("SIGKILL");
}

/** The next run finishes, nothing that was recorded runs again, and all is as if nothing had happened. */
async function expectRecovery(bench: CrashBench, tree: Tree): Promise<{ readonly waited: boolean }> {
  const next = await bench.kahn(RUN);
  expect(next, next.stdout + next.stderr).toMatchObject({ exitCode: 0 });
  const runs = bench.runs();
  for (const [index, run] of runs.entries()) {
    const later = runs.slice(index + 1).flatMap((each) => [...each.started]);
    expect(later.filter((label) => run.stored.has(label))).toEqual([]);
  }
  // The journal is held against what the scripts themselves have written.
  for (const [label, count] of bench.executions()) {
    expect(count, label).toBeLessThanOrEqual(runs.filter((run) => run.started.has(label)).length);
  }
  expect(bench.tree("packages")).toEqual(tree);
  // What the killed runs were writing their tasks' output to.
  expect(bench.namesIn(".kahn/state/streams")).toEqual([]);
  await Promise.all([bench.expectSoundCache(), bench.expectListedRuns()]);
  await bench.quiet();
  return { waited: next.stderr.includes("waiting") };
}

// Goal: whenever Kahn dies, nothing it started lives on, nothing finished is lost and nothing is corrupt. Method: one
// workspace, made as new for each kill; the delay is random over the duration of an undisturbed run. After half of
// the kills the next run starts at once, in the midst of the guardian's work; it may have to wait.
test(
  `kill -9 at ${RANDOM_KILLS} random moments of a cold run`,
  async () => {
    const random = seededRandom(SEED);
    const { tree, durationMs } = await undisturbed();
    const bench = new CrashBench();
    const seen = { interrupted: 0, waited: 0, stored: 0 };
    let withinMs = durationMs;
    // A kill counts when it came before the end of the run; later runs of a loop are often faster than the first.
    for (let round = 0; seen.interrupted < RANDOM_KILLS && round < 4 * RANDOM_KILLS; round++) {
      bench.reset();
      const delayMs = random.fraction() * withinMs;
      const kahn = bench.start(RUN, { ownGroup: true });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      kill(kahn, round % 2 === 0 ? "alone" : "group");
      await kahn.ended;
      if (random.chance(0.5)) await bench.quiet();
      const [killed] = bench.runs();
      if (killed?.status === undefined) seen.interrupted++;
      else withinMs = (withinMs + delayMs) / 2;
      seen.stored += killed?.stored.size ?? 0;
      const { waited } = await expectRecovery(bench, tree).catch((error: unknown) => {
        throw new Error(`seed ${SEED}, round ${round}, killed after ${delayMs} ms`, { cause: error });
      });
      if (waited) seen.waited++;
    }
    const { interrupted, stored, waited } = seen;
    console.log(
      `counts: kill -9 at random moments, seed ${SEED}: ${interrupted} runs interrupted, ${stored} results kept, ${waited} next runs waited`,
    );
    expect(interrupted).toBe(RANDOM_KILLS);
  },
  TIMEOUT_MS,
);

// Goal: a polite end is never worse than a rude one: no run that was told to stop is left interrupted once it has begun
// to work, and nothing lives on. Method: as above, with Ctrl-C; before a run begins its signal ends Kahn at once.
test(
  `Ctrl-C at ${POLITE_ENDS} random moments of a cold run`,
  async () => {
    const random = seededRandom(SEED + 4);
    const { tree, durationMs } = await undisturbed();
    const bench = new CrashBench();
    let cancelled = 0;
    for (let round = 0; round < POLITE_ENDS; round++) {
      bench.reset();
      const delayMs = random.fraction() * durationMs;
      const kahn = bench.start(RUN, { ownGroup: true });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      kahn.signalGroup(random.pick(["SIGINT", "SIGTERM", "SIGHUP"]));
      const { exitCode, signal, stderr } = await kahn.ended;
      const context = `seed ${SEED}, round ${round}, after ${delayMs} ms: ${exitCode} ${signal} ${stderr}`;
      const [run] = bench.runs();
      if (run !== undefined && run.started.size > 0) {
        expect(run.status, context).toBe(exitCode === 130 ? "cancelled" : "succeeded");
        if (exitCode === 130) cancelled++;
      }
      await bench.quiet();
      await expectRecovery(bench, tree).catch((error: unknown) => {
        throw new Error(context, { cause: error });
      });
    }
    console.log(
      `counts: Ctrl-C, TERM and HUP at ${POLITE_ENDS} random moments, seed ${SEED}: ${cancelled} runs cancelled`,
    );
  },
  TIMEOUT_MS,
);

/** The moment when the run has told of the n-th event of a kind. Told means journalled; effects come after that. */
function nthEvent(kind: string, n: number): (kahn: KahnProcess) => Promise<void> {
  return (kahn) => kahn.output((stdout) => stdout.split(`"kind":"${kind}"`).length > n);
}

// Goal: the moments that a random delay seldom hits. Method: the run's own events say when: after a process was started,
// after a result was stored, before anything, and while the last indexes are being saved.
test(
  "kill -9 right after an event of the run",
  async () => {
    const random = seededRandom(SEED + 1);
    const { tree } = await undisturbed();
    const bench = new CrashBench();
    let kills = 0;
    for (let round = 0; round < AIMED_ROUNDS; round++) {
      const aims = [
        ["run.planned", 1],
        ["node.started", random.int(1, 40)],
        ["node.settled", random.int(1, 40)],
        ["run.finished", 1],
      ] as const;
      for (const [kind, n] of aims) {
        bench.reset();
        const kahn = bench.start(RUN, { ownGroup: true });
        await nthEvent(kind, n)(kahn);
        kill(kahn, kills++ % 2 === 0 ? "alone" : "group");
        await kahn.ended;
        await expectRecovery(bench, tree).catch((error: unknown) => {
          throw new Error(`seed ${SEED}, round ${round}, killed after ${kind} ${n}`, { cause: error });
        });
      }
    }
    console.log(`counts: kill -9 after ${kills} chosen events, seed ${SEED}`);
  },
  TIMEOUT_MS,
);

// Goal: a restore is no less safe than a build. Method: everything is in the cache and no output is there; the restoring
// run is killed among its hits, twice in a row, and the third run completes what the two began, from the cache alone.
test(
  "kill -9 of a restore, and of the run after it",
  async () => {
    const random = seededRandom(SEED + 2);
    const bench = new CrashBench();
    await bench.kahn(RUN);
    const tree = bench.tree("packages");
    const executed = bench.executions();
    for (let round = 0; round < AIMED_ROUNDS; round++) {
      bench.removeOutputs();
      for (const whom of ["alone", "group"] as const) {
        const kahn = bench.start(RUN, { ownGroup: true });
        await nthEvent("node.settled", random.int(1, 20))(kahn);
        kill(kahn, whom);
        await kahn.ended;
      }
      await expectRecovery(bench, tree).catch((error: unknown) => {
        throw new Error(`seed ${SEED}, round ${round}`, { cause: error });
      });
      expect(bench.executions()).toEqual(executed);
    }
    console.log(`counts: kill -9 during ${2 * AIMED_ROUNDS} restores, seed ${SEED}`);
  },
  TIMEOUT_MS,
);

// Goal: recovery is itself safe. Method: the run that recovers is killed too, and the one after that.
test(
  "kill -9 of three runs in a row",
  async () => {
    const random = seededRandom(SEED + 3);
    const { tree } = await undisturbed();
    const bench = new CrashBench();
    for (let round = 0; round < AIMED_ROUNDS; round++) {
      bench.reset();
      for (const whom of ["group", "alone", "group"] as const) {
        const kahn = bench.start(RUN, { ownGroup: true });
        await nthEvent("node.started", random.int(1, 15))(kahn);
        kill(kahn, whom);
        await kahn.ended;
      }
      await expectRecovery(bench, tree).catch((error: unknown) => {
        throw new Error(`seed ${SEED}, round ${round}`, { cause: error });
      });
      expect(bench.runs().filter(({ status }) => status === undefined)).not.toEqual([]);
    }
    console.log(`counts: kill -9 of ${3 * AIMED_ROUNDS} runs in rows of three, seed ${SEED}`);
  },
  TIMEOUT_MS,
);
