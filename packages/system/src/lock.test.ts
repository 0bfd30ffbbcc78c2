import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Result } from "@kahn/core";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeClock } from "./clock.ts";
import { Contest } from "./internal/lock-contest.ts";
import { listenAt } from "./internal/lock-socket.ts";
import { acquireLock, type Lock, type LockHolder, lockHolder, tryLock } from "./lock.ts";

const ROUNDS = Math.round(4 * Number(process.env.KAHN_TEST_SCALE ?? 1));
const owner = { label: "test", command: "vitest" };
const clock = nodeClock();

/** `child.mjs MODE PATH`: a process that deals with the lock of PATH and says so on its standard output. */
const CHILD = `
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { nodeClock } from ${JSON.stringify(fileURLToPath(new URL("./clock.ts", import.meta.url)))};
import { acquireLock, tryLock } from ${JSON.stringify(fileURLToPath(new URL("./lock.ts", import.meta.url)))};

const [mode, path, count] = process.argv.slice(2);
const say = (text) => writeSync(1, text + "\\n");
const request = { path, owner: { label: "child", command: "child.mjs" }, clock: nodeClock() };
if (mode === "count") {
  for (let round = 0; round < Number(count); round++) {
    const lock = await acquireLock(request);
    if (!lock.ok) throw new Error(JSON.stringify(lock.problem));
    const value = Number(readFileSync(path + "/counter", "utf8"));
    await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(path + "/counter", String(value + 1));
    lock.value.release();
  }
} else if (mode === "try") {
  say("ready");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  const lock = await tryLock(request);
  say(lock.ok ? "won" : lock.problem.code);
  process.stdin.on("data", () => process.exit());
} else {
  const lock = await acquireLock(request);
  if (mode === "bequeath") {
    spawn("sh", ["-c", "echo heir; until [ -e leave ]; do sleep 0.02; done"], { cwd: path, stdio: [0, 1, 2, lock.value.fd], detached: true });
  }
  say("locked");
  if (mode !== "leave") setInterval(() => {}, 1000);
}
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kahn-lock-"));
  writeFileSync(join(folder, "child.ts"), CHILD);
  const nodePaths = [fileURLToPath(new URL("../../../node_modules", import.meta.url))];
  const entryPoints = [join(folder, "child.ts")];
  buildSync({
    entryPoints,
    outfile: join(folder, "child.mjs"),
    bundle: true,
    format: "esm",
    platform: "node",
    nodePaths,
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function guardedFolder(): string {
  return mkdtempSync(join(folder, "guarded-"));
}

function value<T>(result: Result<T, { code: string; message: string }>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

interface Child {
  readonly process: ChildProcess & { stdin: NonNullable<ChildProcess["stdin"]> };
  /** The next line that it says. */
  line(): Promise<string>;
  readonly exited: Promise<unknown>;
}

function start(mode: string, path: string, count = 0): Child {
  const child = spawn(process.execPath, [join(folder, "child.mjs"), mode, path, String(count)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, line: async () => (await lines.next()).value as string, exited: once(child, "exit") };
}

test("a lock has one holder, who is named to those who try and to those who wait", async () => {
  const path = guardedFolder();
  expect(await lockHolder(path)).toEqual({ ok: true, value: undefined });
  const first = value(await acquireLock({ path, owner, clock }));
  expect(await lockHolder(path)).toEqual({ ok: true, value: first.holder });
  expect(first.holder).toMatchObject({ pid: process.pid, label: "test", command: "vitest" });
  const tried = await tryLock({ path, owner, clock });
  expect(tried).toMatchObject({ ok: false, problem: { code: "lock-held" } });
  expect(!tried.ok && tried.problem.message).toContain(`test (process ${process.pid}`);
  const told: (LockHolder | undefined)[] = [];
  const second = acquireLock({ path, owner, clock, onWait: (holder) => told.push(holder) });
  await expect.poll(() => told.length).toBe(1);
  first.release();
  first.release();
  value(await second).release();
  expect(told).toEqual([first.holder]);
  expect(await lockHolder(path)).toEqual({ ok: true, value: undefined });
});

// Goal: two are never inside together and everyone gets in. Method: contenders in one process, so that their steps
// interleave at every await; each asserts that it is alone.
test("many contenders in one process are inside one after the other", async () => {
  const path = guardedFolder();
  let inside = 0;
  let entered = 0;
  const contender = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      const lock = value(await acquireLock({ path, owner, clock }));
      expect(++inside).toBe(1);
      entered++;
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
      lock.release();
    }
  };
  await Promise.all(Array.from({ length: 8 }, () => contender(ROUNDS)));
  expect(entered).toBe(8 * ROUNDS);
  const last = value(await acquireLock({ path, owner, clock }));
  expect(readdirSync(path).length).toBe(1);
  last.release();
});

test("processes that read and write a counter under the lock lose no count", async () => {
  const path = guardedFolder();
  writeFileSync(join(path, "counter"), "0");
  const rounds = 3 * ROUNDS;
  const children = Array.from({ length: 4 }, () => start("count", path, rounds));
  expect((await Promise.all(children.map((child) => child.exited))).flat()).toEqual(Array(4).fill([0, null]).flat());
  expect(readFileSync(join(path, "counter"), "utf8")).toBe(String(4 * rounds));
});

test("of processes that try at the same instant exactly one wins", async () => {
  const path = guardedFolder();
  for (let round = 0; round < Math.ceil(ROUNDS / 4); round++) {
    const children = Array.from({ length: 5 }, () => start("try", path));
    for (const child of children) expect(await child.line()).toBe("ready");
    for (const child of children) child.process.stdin.write("go\n");
    const answers = await Promise.all(children.map((child) => child.line()));
    expect(answers.sort()).toEqual(["lock-held", "lock-held", "lock-held", "lock-held", "won"]);
    for (const child of children) child.process.stdin.end("leave\n");
    await Promise.all(children.map((child) => child.exited));
  }
});

test("the lock of a killed process passes to the one who waits", async () => {
  const path = guardedFolder();
  const child = start("hold", path);
  expect(await child.line()).toBe("locked");
  const told: (LockHolder | undefined)[] = [];
  const waiting = acquireLock({ path, owner, clock, onWait: (holder) => told.push(holder) });
  await expect.poll(() => told.length).toBe(1);
  expect(told[0]).toMatchObject({ pid: child.process.pid, label: "child" });
  child.process.kill("SIGKILL");
  value(await waiting).release();
});

// Goal: the guardian can keep the lock of a dead run. Method: the owner is killed while a shell that inherited the
// socket lives on; the lock must be held until the shell has ended.
test("a child that inherited the socket holds the lock after its owner was killed", async () => {
  const path = guardedFolder();
  const child = start("bequeath", path);
  expect([await child.line(), await child.line()].sort()).toEqual(["heir", "locked"]);
  const waiting = acquireLock({ path, owner, clock });
  child.process.kill("SIGKILL");
  await child.exited;
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(await tryLock({ path, owner, clock })).toMatchObject({ ok: false, problem: { code: "lock-held" } });
  }
  writeFileSync(join(path, "leave"), "");
  value(await waiting).release();
});

test("a held lock does not keep a process from ending", async () => {
  const path = guardedFolder();
  const child = start("leave", path);
  expect(await child.line()).toBe("locked");
  expect(await child.exited).toEqual([0, null]);
  value(await tryLock({ path, owner, clock })).release();
});

// Goal: an owner may die between any two of its steps. Method: leave what each of them leaves.
test("whatever a dead contender left, the next one gets the lock and removes it", async () => {
  const path = guardedFolder();
  mkdirSync(join(path, "lock-new-aaaaaa"));
  mkdirSync(join(path, "lock.7"));
  for (const name of ["lock-new-bbbbbb", "lock-new-cccccc", "lock.3", "lock.8"]) {
    mkdirSync(join(path, name));
    const child = spawn(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(join(path, name, "s"))}, () => process.kill(process.pid, 9))`,
    ]);
    await once(child, "exit");
  }
  for (const name of ["lock-new-cccccc", "lock.3"]) writeFileSync(join(path, name, "owner.json"), '{"pid":');
  const lock = value(await tryLock({ path, owner, clock }));
  expect(readdirSync(path)).toEqual(["lock.9"]);
  lock.release();
});

test("waiting ends when it is cancelled, and leaves nothing", async () => {
  const path = guardedFolder();
  const first = value(await acquireLock({ path, owner, clock }));
  const abort = new AbortController();
  const onWait = () => abort.abort();
  const waiting = await acquireLock({ path, owner, clock, signal: abort.signal, onWait });
  expect(waiting).toMatchObject({ ok: false, problem: { code: "lock-wait-cancelled" } });
  expect(readdirSync(path)).toEqual(["lock.1"]);
  first.release();
});

test("a file is guarded beside it, by whatever path it is reached; paths may be long", async () => {
  const path = join(guardedFolder(), "d".repeat(150), "e".repeat(150));
  mkdirSync(path, { recursive: true });
  const file = join(path, "run.log");
  writeFileSync(file, "");
  symlinkSync(file, join(folder, "alias"));
  const held: Lock[] = [];
  for (const each of [path, file]) held.push(value(await tryLock({ path: each, owner, clock })));
  expect(readdirSync(path).sort()).toEqual(["lock.1", "run.log", "run.log.lock.1"]);
  expect((await tryLock({ path: join(folder, "alias"), owner, clock })).ok).toBe(false);
  for (const lock of held) lock.release();
  value(await tryLock({ path: join(folder, "alias"), owner, clock })).release();
});

test("what is not there cannot be locked", async () => {
  const path = join(guardedFolder(), "absent");
  const missing = { ok: false, problem: { code: "lock-target-missing" } };
  expect(await acquireLock({ path, owner, clock })).toMatchObject(missing);
  expect(await tryLock({ path, owner, clock })).toMatchObject(missing);
  expect(await lockHolder(path)).toMatchObject(missing);
});

test("where a file system holds no sockets all contenders meet in the next place", async () => {
  const home = guardedFolder();
  const rooms = [
    { prefix: join(home, "lock"), home },
    { prefix: join(home, "shared", "1-2"), home },
  ];
  const refusing: typeof listenAt = (path) =>
    path.startsWith(join(home, "lock"))
      ? Promise.reject(Object.assign(new Error("no"), { code: "EPERM" }))
      : listenAt(path);
  const first = await new Contest({ owner, clock }, rooms, refusing).attempt();
  if (first.kind !== "won") throw new Error("the first did not win");
  const second = new Contest({ owner, clock }, rooms, refusing);
  const occupied = await second.attempt();
  expect(occupied.kind).toBe("occupied");
  expect(readdirSync(home)).toEqual(["shared"]);
  first.contender.socket.close();
  if (occupied.kind === "occupied") await second.wait(occupied.living, undefined);
  const won = await second.attempt();
  expect(won.kind).toBe("won");
  if (won.kind === "won") won.contender.socket.close();
});
