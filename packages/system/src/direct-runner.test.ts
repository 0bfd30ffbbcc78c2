import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProcessSpec, RunningProcess } from "@kahn/core";
import { processRunnerContract } from "@kahn/testing/contract";
import { afterAll, beforeAll, test } from "vitest";
import { nodeClock } from "./clock.ts";
import { directRunner } from "./direct-runner.ts";
import { nodeFileSystem } from "./file-system.ts";
import { startGuardian } from "./guardian.ts";
import { processGroup } from "./internal/process-set.ts";
import { isAlive } from "./process-identity.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";
const isLinux = process.platform === "linux";

let directory: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-processes-")));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function makeRunner(groups: "own" | "shared" = "own") {
  return directRunner({ clock: nodeClock(), guardian: startGuardian({ token: "direct-test", graceMs: 500 }), groups });
}

const cases = processRunnerContract(() => {
  const root = mkdtempSync(join(directory, "case-"));
  const runner = makeRunner();
  return {
    runner,
    fs: nodeFileSystem(),
    root,
    path: PATH,
    pass: async () => {},
    isQuiet: (pid) => !processGroup(pid).hasLive(),
    cleanup: () => runner.close(),
  };
});
for (const { name, run } of cases) test(`direct: ${name}`, run);

/** Runs one script to its end on a runner of its own. */
async function run(script: string, changes: Partial<ProcessSpec> = {}, meanwhile?: (running: RunningProcess) => void) {
  const runner = makeRunner();
  const stdout = join(directory, `out-${Math.random()}`);
  const stderr = join(directory, `err-${Math.random()}`);
  try {
    const running = runner.start({
      argv: ["sh", "-c", script],
      cwd: directory,
      env: { PATH },
      stdout: { kind: "file", path: stdout },
      stderr: { kind: "file", path: stderr },
      graceMs: 50,
      label: "test",
      ...changes,
    });
    meanwhile?.(running);
    const exit = await running.ended;
    const read = (path: string) => (statSync(path, { throwIfNoEntry: false }) ? readFileSync(path, "utf8") : "");
    return { exit, pid: running.pid, stdout: read(stdout), stderr: read(stderr) };
  } finally {
    await runner.close();
  }
}

test("what a successful process leaves in the background is ended before it counts as ended", async () => {
  const { exit, pid } = await run("sleep 100 & (sleep 100 & sleep 100) & exit 0");
  assert.deepEqual(exit, { kind: "exited", exitCode: 0 });
  assert.ok(!processGroup(pid).hasLive());
});

// Goal: patience for what a shell does not wait for. Method: the last writer starts only after the leader has gone.
test("a late last stage of a pipe may still write its lines", async () => {
  const { stdout } = await run("(sleep 0.03; echo late) & echo early; exit 0");
  assert.equal(stdout, "early\nlate\n");
});

test("ten megabytes on each stream arrive whole, with one of them listened to", async () => {
  let heardBytes = 0;
  const path = join(directory, "big");
  const { exit, stderr } = await run("head -c 10000000 /dev/zero & head -c 10000000 /dev/zero >&2; wait", {
    stdout: { kind: "tee", path, onBytes: (bytes) => void (heardBytes += bytes.byteLength) },
  });
  assert.equal(exit.kind, "exited");
  assert.deepEqual([heardBytes, statSync(path).size, stderr.length], [10_000_000, 10_000_000, 10_000_000]);
});

test("standard input is /dev/null itself, and both streams can be opened again by name", async () => {
  const { exit, stdout, stderr } = await run("test -c /dev/stdin && echo a >>/dev/stdout && echo b >>/dev/stderr");
  assert.deepEqual([exit, stdout, stderr], [{ kind: "exited", exitCode: 0 }, "a\n", "b\n"]);
});

test("a bash child does not take itself for a remote shell and read ~/.bashrc", async () => {
  writeFileSync(join(directory, ".bashrc"), "echo READ\n");
  const { stdout } = await run("", { argv: ["bash", "-c", "echo body"], env: { PATH, HOME: directory } });
  assert.equal(stdout, "body\n");
});

test("the environment is the given one and the run's token, byte for byte", async () => {
  const env = { PATH, ODD: "a'b\"c\n$d\\ ü", EMPTY: "", "with.dot": "1" };
  const { stdout } = await run("", { argv: ["env", "-0"], env });
  const got = Object.fromEntries(
    stdout
      .split("\0")
      .filter((line) => line !== "")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  assert.deepEqual(got, { ...env, KAHN_PROCESS: "direct-test/1." });
});

test("a program, a directory or a log file that is not there is named", async () => {
  const messages = [
    [await run("", { argv: ["no-such-program"] }), /test: the program "no-such-program" was not found/],
    [await run("", { argv: [directory] }), /cannot be started \(EACCES\)/],
    [await run("", { argv: [] }), /program "" /],
    [await run("a\0b"), /\(EINVAL\)/],
    [await run("", { cwd: join(directory, "none") }), /the working directory .*none does not exist/],
    [await run("", { stdout: { kind: "file", path: join(directory, "none/log") } }), /its log .*none\/log cannot be/],
  ] as const;
  for (const [{ exit }, pattern] of messages) {
    assert.ok(exit.kind === "not-started");
    assert.match(exit.message, pattern);
  }
});

// Goal: a stopped group can be ended gracefully. Method: the process stops itself and would tidy up on TERM.
test("a stopped process still gets to heed TERM", async () => {
  const { exit } = await run("trap 'exit 9' TERM; kill -STOP $$; exit 1", { graceMs: 60_000 }, (running) => {
    const whenStopped = () => {
      const stat = readFileSync(`/proc/${running.pid}/stat`, "latin1");
      if (stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")) running.end("term");
      else setTimeout(whenStopped, 2);
    };
    if (isLinux) whenStopped();
    else setTimeout(() => running.end("term"), 200);
  });
  assert.deepEqual(exit, { kind: "exited", exitCode: 9 });
});

// Goal: a pipe held open by somebody who has left the group cannot hang the end. Method: setsid takes a writer away.
test.runIf(isLinux)("a process that left the group keeps nothing waiting", async () => {
  let heard = "";
  const path = join(directory, "escaped");
  const stdout = { kind: "tee", path, onBytes: (bytes: Uint8Array) => void (heard += Buffer.from(bytes)) } as const;
  const { exit } = await run("setsid sleep 100 & echo $!", { stdout });
  assert.equal(exit.kind, "exited");
  // It lives still, so it did leave.
  process.kill(Number(heard), "SIGKILL");
});

test("an interactive process stays in our group, so that the terminal is its own, and can be ended", async () => {
  const runner = makeRunner();
  const path = join(directory, "interactive");
  const running = runner.start({
    argv: [
      "sh",
      "-c",
      "trap '' TERM; (trap '' TERM; sleep 100) & ps -o pgid= -p $$; ps -o pgid= -p $PPID; wait; sleep 100",
    ],
    cwd: directory,
    env: { PATH },
    stdout: { kind: "file", path },
    stderr: { kind: "inherit" },
    interactive: true,
    graceMs: 50,
    label: "interactive",
  });
  while (readFileSync(path, "utf8").split("\n").length < 3) await new Promise((resolve) => setTimeout(resolve, 2));
  running.end("term");
  assert.deepEqual(await running.ended, { kind: "signalled", signal: "SIGKILL" });
  await runner.close();
  const [own, ours] = readFileSync(path, "utf8").trim().split(/\s+/);
  assert.equal(own, ours);
});

// Goal: whoever ends the group of a nested Kahn reaches its processes; and it still ends each of them with its children.
test.runIf(isLinux)(
  "with shared groups a process stays in our group, reads nothing, and ends with its children",
  async () => {
    const runner = makeRunner("shared");
    const path = join(directory, "shared");
    const running = runner.start({
      argv: ["sh", "-c", "(trap '' TERM; sleep 100) & ps -o pgid= -p $$; ps -o pgid= -p $PPID; cat; echo $!"],
      cwd: directory,
      env: { PATH },
      stdout: { kind: "file", path },
      stderr: { kind: "inherit" },
      interactive: false,
      graceMs: 50,
      label: "shared",
    });
    assert.deepEqual(await running.ended, { kind: "exited", exitCode: 0 });
    await runner.close();
    const [own, ours, child] = readFileSync(path, "utf8").trim().split(/\s+/);
    assert.equal(own, ours);
    assert.equal(isAlive(Number(child)), false);
  },
);
