/** `kill -9` of a process at any record of its run, and inside of the writing of one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { collectGarbage, openDiskStore, openValueStore } from "@kahn/cas";
import { fileJournalStore } from "@kahn/journal";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { seededRandom, testScale } from "@kahn/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { liveDigests, type RunResult } from "../index.ts";
import type { FlowRecord } from "../machine/state/records.ts";
import { makeProgram } from "../processes/program.fixture.ts";
import { checkRun, type LifeSpan, type WholeRun } from "./checks.fixture.ts";
import { RUN } from "./graph.fixture.ts";
import { type Execution, live, newWorld, recordsOf } from "./lives.fixture.ts";

const SCALE = testScale(process.env.KAHN_TEST_SCALE);
const SEED = Number(process.env.KAHN_TEST_SEED ?? 1);
const HOUR_MS = 60 * 60 * 1000;
/** Before, after, or so many bytes of a record: into the checksum, the rest of the frame, the text; all but one. */
const WAYS = ["before", "after", "2", "7", "12", "40", "-1"] as const;

const directory = mkdtempSync(`${tmpdir()}/kahn-flow-kill-`);
const worker = `${directory}/worker.mjs`;
const running = new Set<ReturnType<typeof spawn>>();

beforeAll(() => makeProgram(new URL("./worker.fixture.ts", import.meta.url), worker));

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** One life in a process. @returns its result; `undefined` when it was killed. */
async function lifeIn(folder: string, death: readonly string[]): Promise<RunResult | undefined> {
  const child = spawn(process.execPath, [worker, folder, ...death], { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  running.delete(child);
  expect([code, signal]).toEqual(death.length > 0 && output === "" ? [null, "SIGKILL"] : [0, null]);
  return output === "" ? undefined : (JSON.parse(output) as RunResult);
}

const linesOf = (folder: string) =>
  existsSync(`${folder}/executions`) ? readFileSync(`${folder}/executions`, "utf8").split("\n").filter(Boolean) : [];

/** A life as the disk tells of it, from the executions that earlier ones had not begun yet. */
function spanOf(folder: string, from: number, startedMs: number): LifeSpan {
  const executions = linesOf(folder)
    .slice(from)
    .map((line) => JSON.parse(line) as Execution);
  const found = fileJournalStore({ fs: nodeFileSystem(), directory: `${folder}/journals` }).peek(RUN);
  const records = found.ok ? [...found.value].map(({ body }) => body as unknown as FlowRecord) : [];
  return { startedMs, executions, records };
}

/** Collects what may be collected, as if hours had passed, and deletes the cache. @returns how many values went. */
async function clean(folder: string): Promise<number> {
  const [fs, random, owner] = [nodeFileSystem(), nodeRandom(), ownIdentity()];
  const clock = { ...nodeClock(), nowMs: () => Date.now() + 2 * HOUR_MS };
  const ports = { fs, clock, random, owner, livenessOf };
  const values = openValueStore({ ...ports, root: `${folder}/values` });
  const named = liveDigests(fileJournalStore({ fs, directory: `${folder}/journals` }), values);
  if (!named.ok) throw new Error(named.problem.message);
  const swept = await values.sweep(named.value);
  const cache = openDiskStore({ ...ports, root: `${folder}/cache` });
  if (!swept.ok || !cache.ok) throw new Error("the stores cannot be cleaned");
  await collectGarbage(cache.value, { maxSizeBytes: 0, maxAgeMs: 0 });
  rmSync(`${folder}/cache`, { recursive: true });
  return swept.value.removed;
}

/** Lives of one run, each of which is killed as the next death says; the last one ends. */
async function runThrough(deaths: Iterable<readonly [record: number, how: string]>, name: string) {
  const folder = `${directory}/${name}`;
  mkdirSync(folder);
  const lives: LifeSpan[] = [];
  let collected = 0;
  const next = deaths[Symbol.iterator]();
  for (;;) {
    const begun = linesOf(folder).length;
    const startedMs = Date.now();
    const death = next.next();
    const result = await lifeIn(folder, death.done === true ? [] : death.value.map(String));
    lives.push(spanOf(folder, begun, startedMs));
    if (result !== undefined) {
      rmSync(folder, { recursive: true });
      return { result, lives, collected };
    }
    collected += await clean(folder);
  }
}

let reference: Promise<WholeRun> | undefined;
/** What a run that nobody kills gives, in a simulated world. */
function undisturbed(): Promise<WholeRun> {
  reference ??= live(newWorld(), { camera: () => [] }).then((life) => ({
    result: life.result!,
    lives: [{ ...life, records: recordsOf(life.world) }],
  }));
  return reference;
}

// Goal: acceptance 2 of workflows, with real processes and a real disk. Method: a worker that kills itself at a record
// of its journal, before, after or in the middle of writing it; the cache is deleted and the values are collected
// before the next worker takes the run up.
test("a process that is killed at some fifteen records of its run, also inside of them, loses nothing", async () => {
  const random = seededRandom(SEED);
  const deaths = Array.from({ length: 15 }, () => [random.int(2, 24), random.pick(WAYS)] as const);
  const run = await runThrough(deaths, "chain");
  const repeated = checkRun(run, await undisturbed(), "real");
  console.log(`killed: ${run.lives.length - 1} in a row, ${repeated} executions repeated, ${run.collected} collected`);
  expect(run.lives.length).toBeGreaterThan(8);
  expect(run.collected).toBeGreaterThan(0);
}, 180_000);

test.runIf(SCALE >= 10)(
  "a process that is killed at every record of its run, one death to a run, loses nothing",
  async () => {
    const whole = await undisturbed();
    const counts = { kills: 0, repeated: 0, collected: 0 };
    for (let record = 1; ; record++) {
      const run = await runThrough([[record, WAYS[(record + SEED) % WAYS.length]!]], `every-${record}`);
      // Decisions come when they come, so the number of appends differs a little from run to run.
      if (run.lives.length === 1) break;
      try {
        counts.repeated += checkRun(run, whole, "real");
      } catch (cause) {
        throw new Error(`killed at record ${record}`, { cause });
      }
      counts.kills++;
      counts.collected += run.collected;
    }
    console.log(`killed: once at each record: ${JSON.stringify(counts)}`);
    expect(counts.kills).toBeGreaterThan(200);
  },
  60_000 * SCALE,
);
