/** A run has one owner, also when the one before it sleeps and does not know. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import { quiet, S, until, world } from "../flow.fixture.ts";
import { createFlow, defineGraph, END, inFolder, leaseLocks, memoryLeases } from "../index.ts";
import { makeProgram } from "../processes/program.fixture.ts";
import { heldGraph } from "./fencing-worker.fixture.ts";

const root = mkdtempSync(`${tmpdir()}/kahn-fencing-`);
const worker = `${root}/fencing-worker.mjs`;

beforeAll(() => makeProgram(new URL("./fencing-worker.fixture.ts", import.meta.url), worker));

let child: ChildProcess | undefined;
afterAll(() => child?.kill("SIGKILL"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const effectsIn = (directory: string) =>
  existsSync(`${directory}/effects`) ? readFileSync(`${directory}/effects`, "utf8").trim().split("\n") : [];

// Goal: what a lock cannot do, the journal does. Method: a process is stopped in the middle of a node, the files of its
// lock are removed, and this process takes the run over; then the stopped one goes on, and finishes its node.
test("must-have 1: an owner that sleeps while its run is taken over can write nothing, and is told by whom", async () => {
  const directory = mkdtempSync(`${root}/runs-`);
  const sleeper = spawn(process.execPath, [worker, directory, "r"], { stdio: ["ignore", "pipe", "inherit"] });
  child = sleeper;
  let output = "";
  sleeper.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  const closed = once(sleeper, "close");
  while (!effectsIn(directory).includes("hold#1") && sleeper.exitCode === null)
    await new Promise((resolve) => setImmediate(resolve));
  sleeper.kill("SIGSTOP");
  const control = `${directory}/control/r`;
  for (const name of readdirSync(control).filter((each) => each.startsWith("lock"))) {
    rmSync(`${control}/${name}`, { recursive: true });
  }
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom() };
  const flow = createFlow(inFolder({ ...ports, directory }));
  const run = await flow.resume("r", heldGraph(directory));
  await until(run, "run.resumed");
  writeFileSync(`${directory}/go`, "");
  await run.settled();
  sleeper.kill("SIGCONT");
  await closed;
  const [terminal, result] = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(terminal).toMatchObject({ type: "run.suspended", reason: expect.stringMatching(/^flow-run-taken: /) });
  expect(result).toMatchObject({ status: "suspended", problem: { code: "flow-run-taken" } });
  expect(result.problem.message).toContain(`process ${process.pid} on `);
  expect(result.problem.facts).toEqual([["epoch", "2"]]);
  await run.decide("ask#1", { approve: true });
  expect(await run.result).toMatchObject({ status: "completed", state: { log: ["first#1", "hold#1", "last#1"] } });
  // `hold` was in flight when it was stopped; nothing else ran twice.
  expect(effectsIn(directory)).toEqual(["first#1", "hold#1", "hold#1", "last#1"]);
  const journal = flow.journals.peek("r");
  const commits = journal.ok ? [...journal.value].filter(({ body }) => (body as { k: string }).k === "c") : [];
  expect(commits.map(({ body }) => (body as { v: string }).v)).toEqual(["first#1", "hold#1", "ask#1", "last#1"]);
});

const slow = (gate: Promise<unknown>, ran: string[]) =>
  defineGraph(S, {
    id: "slow",
    start: "a",
    nodes: {
      a: {
        run: async () => {
          await gate;
          return { add: { log: "a" } };
        },
      },
      b: { run: () => ({ add: { log: `b${ran.push("b")}` } }) },
    },
    edges: [
      ["a", "b"],
      ["b", END],
    ],
  });

function sharing() {
  const leases = memoryLeases();
  const at = world();
  const ownedBy = (owner: string) =>
    createFlow({
      clock: at.clock,
      random: { bytes: (length) => new Uint8Array(length) },
      journals: at.journals,
      values: at.values,
      locks: leaseLocks({ leases, clock: at.clock, owner, ttlMs: 9000, skewMs: 0 }),
    });
  return { ...at, leases, ownedBy };
}

test("must-have 1: with leases a run is taken over when its owner has not renewed, and the owner that wakes is suspended", async () => {
  const { clock, journals, leases, ownedBy } = sharing();
  const ran: string[] = [];
  let open: (value: unknown) => void = () => {};
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  const first = await ownedBy("first").start(slow(gate, ran), {}, { id: "r" });
  await quiet();
  await expect(ownedBy("second").resume("r", slow(gate, ran))).rejects.toThrow(/executed by first/);
  // Renewed as long as it lives.
  for (let round = 0; round < 10; round++) {
    clock.advance(3000);
    await quiet();
  }
  await expect(ownedBy("second").resume("r", slow(gate, ran))).rejects.toThrow(/lock-held/);
  // The wall clock jumps while no timer fires: so it looks after a sleep.
  clock.jump(clock.nowMs() + 20_000);
  const second = await ownedBy("second").resume("r", slow(gate, ran));
  await quiet();
  expect(await leases.read("r")).toMatchObject({ value: { owner: "second", epoch: 2 } });
  open(undefined);
  expect(await first.result).toMatchObject({ status: "suspended", problem: { code: "flow-run-taken" } });
  expect(await second.result).toMatchObject({ status: "completed", state: { log: ["a", "b1"] } });
  expect(ran).toEqual(["b"]);
  const records = journals.peek("r");
  expect(
    records.ok && [...records.value].map(({ body }) => (body as { owner?: string }).owner).filter(Boolean),
  ).toEqual(["first", "second"]);
});

test("must-have 1: an owner is told at its next renewal that it has lost its lease, without having written anything", async () => {
  const { clock, leases, ownedBy } = sharing();
  const run = await ownedBy("first").start(slow(new Promise(() => {}), []), {}, { id: "r" });
  await quiet();
  const lease = await leases.read("r");
  await leases.swap("r", lease.ok ? lease.value : undefined, {
    owner: "thief",
    epoch: 2,
    untilMs: clock.nowMs() + 9000,
  });
  clock.advance(3000);
  await quiet();
  const result = await run.result;
  expect(result.problem?.message).toContain("executed by thief");
  expect(result.status).toBe("suspended");
});

test("must-have 1: a journal that is fenced but by no lock refuses the owner before, too", async () => {
  const { flow, again, journals } = world();
  let open: (value: unknown) => void = () => {};
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  const first = await flow.start(slow(gate, []), {}, { id: "r" });
  await quiet();
  const second = await again(journals).flow.resume("r", slow(gate, []));
  await quiet();
  open(undefined);
  expect(await first.result).toMatchObject({ status: "suspended", problem: { code: "flow-run-taken" } });
  expect((await second.result).status).toBe("completed");
});
