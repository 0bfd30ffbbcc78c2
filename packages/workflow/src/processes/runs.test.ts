/** Runs in processes of their own: killed, decided and cancelled from outside. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { seededRandom } from "@kahn/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFlow, inFolder } from "../index.ts";
import { approval, longRun } from "./graphs.fixture.ts";
import { makeProgram } from "./program.fixture.ts";

const scale = Number(process.env.KAHN_TEST_SCALE ?? 1);
const directory = mkdtempSync(`${tmpdir()}/kahn-flow-`);
const worker = `${directory}/worker.mjs`;
const running = new Set<ChildProcess>();

beforeAll(() => makeProgram(new URL("./worker.fixture.ts", import.meta.url), worker));

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

function start(folder: string, run: string, ...how: readonly string[]) {
  const child = spawn(process.execPath, [worker, folder, run, ...how], { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  const ended = once(child, "close").then(() => {
    running.delete(child);
    return output.trim().split("\n").at(-1) ?? "";
  });
  const waiting = async () => {
    while (!output.includes("waiting")) await once(child.stdout, "data");
  };
  return { child, ended, waiting };
}

function flowIn(folder: string) {
  return createFlow(inFolder({ fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), directory: folder }));
}

function effects(folder: string): readonly string[] {
  const path = `${folder}/effects`;
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
}

/** Resolves once the process has written so many effects more, or has ended. */
async function until(folder: string, count: number, child: ChildProcess): Promise<void> {
  while (effects(folder).length < count && child.exitCode === null && child.signalCode === null) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

// Goal: `kill -9` loses nothing that was done and repeats at most what was in flight. Method: a run of 200 executions
// with maps and nested subgraphs in a process that is killed again and again after a random number of effects, each
// of which is written to a file outside of Kahn.
test("a run that is killed again and again ends as if nothing had happened", async () => {
  const random = seededRandom(Number(process.env.KAHN_TEST_SEED ?? 1));
  for (let round = 0; round < scale; round++) {
    const folder = `${directory}/kill-${round}`;
    let kills = 0;
    let last = "";
    while (!last.startsWith("{")) {
      const count = random.int(1, 60);
      // However slow this process is, the other one is not done before it is killed.
      const { child, ended } = start(folder, "r", "long", String(count + 20));
      await until(folder, effects(folder).length + count, child);
      if (child.kill("SIGKILL")) kills++;
      last = await ended;
    }
    expect(JSON.parse(last)).toMatchObject({ status: "completed", state: { count: 25, sum: 25 * 8 } });
    const done = effects(folder);
    expect(new Set(done).size).toBe(25 * 8);
    expect(done.length - 25 * 8).toBeLessThanOrEqual(kills * 3);
    expect(kills).toBeGreaterThan(1);
    rmSync(folder, { recursive: true });
  }
});

test("a run that another process executes is decided through its inbox, and cancelled", async () => {
  const folder = `${directory}/inbox`;
  const first = start(folder, "decided", "approval");
  await first.waiting();
  const flow = flowIn(folder);
  await expect(flow.resume("decided", approval)).rejects.toThrow(/lock-held/);
  const bad = { target: "ask#1", decision: { approve: true, payload: { note: 5 } } } as const;
  expect(await flow.decide("decided", bad)).toMatchObject({ ack: "invalid" });
  const good = {
    target: "ask#1",
    decision: { approve: true, payload: { note: "go" } },
    options: { by: "ann" },
  } as const;
  expect(await flow.decide("decided", good)).toMatchObject({ ack: "accepted" });
  expect(JSON.parse(await first.ended)).toMatchObject({ status: "completed", state: { count: 1 } });
  const second = start(folder, "cancelled", "approval");
  await second.waiting();
  expect(await flow.command("cancelled", { kind: "cancel", reason: "no", by: "ann" })).toMatchObject({
    ack: "accepted",
  });
  expect(JSON.parse(await second.ended)).toMatchObject({ status: "cancelled" });
});

test("a run that nobody executes is decided by whoever decides, and goes on when it is resumed", async () => {
  const folder = `${directory}/alone`;
  const { child, ended, waiting } = start(folder, "r", "approval");
  await waiting();
  child.kill("SIGKILL");
  await ended;
  const flow = flowIn(folder);
  await expect(flow.decide("r", { target: "ask#1", decision: { approve: true } })).rejects.toThrow(/flow-graph-needed/);
  expect(await flow.decide("r", { target: "ask#1", decision: { approve: true } }, approval)).toMatchObject({
    ack: "accepted",
  });
  expect(flow.peek("r")).toMatchObject({ value: { state: { count: 0 }, barriers: [] } });
  const resumed = await flow.resume("r", approval);
  expect(await resumed.result).toMatchObject({ status: "completed", state: { count: 1 } });
  void longRun;
});
