import assert from "node:assert/strict";
import type { ProcessSpec } from "@kahn/core";
import { InvariantError } from "@kahn/core";
import { test } from "vitest";
import type { FakeProcessRunnerOptions } from "./fake-process-runner.ts";
import { fakeProcessRunner } from "./fake-process-runner.ts";
import { memoryFileSystem } from "./memory-file-system.ts";
import { settled, virtualClock } from "./virtual-clock.ts";

function bench(options: Partial<FakeProcessRunnerOptions> = {}) {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, files: { "/w/": "" } });
  const runner = fakeProcessRunner({ clock, fs, ...options });
  const start = (label: string, more: Partial<ProcessSpec> = {}) =>
    runner.start({
      argv: ["sh", "-c", label],
      cwd: "/w",
      env: {},
      stdout: { kind: "inherit" },
      stderr: { kind: "inherit" },
      graceMs: 100,
      label,
      ...more,
    });
  return { clock, fs, runner, start };
}

test("a scripted process lives in virtual time: output, steps, files, end", async () => {
  const { clock, fs, runner, start } = bench({
    scripts: {
      build: {
        stdout: "building\n",
        steps: [{ afterMs: 10, run: (process) => process.writeFile("/w/input", "edited meanwhile") }],
        files: { "dist/out": "made" },
        durationMs: 30,
        exit: 2,
      },
    },
  });
  const running = start("build");
  await settled();
  assert.equal(runner.started[0]!.inherited, "building\n");
  clock.advance(10);
  assert.deepEqual(fs.snapshot("/w"), { input: "edited meanwhile" });
  assert.deepEqual(
    runner.alive.map(({ spec }) => spec.label),
    ["build"],
  );
  clock.advance(20);
  assert.deepEqual(await running.ended, { kind: "exited", exitCode: 2 });
  assert.deepEqual(fs.snapshot("/w"), { "dist/out": "made", input: "edited meanwhile" });
  assert.deepEqual(runner.alive, []);
});

test("a process that is held lives until the test ends it", async () => {
  const { runner, start } = bench();
  const starting = runner.nextStart("b");
  const other = start("a");
  const running = start("b", { env: { NAME: "value" } });
  const held = await starting;
  assert.deepEqual(await other.ended, { kind: "exited", exitCode: 0 });
  await settled();
  assert.equal(held.isRunning, true);
  assert.deepEqual([held.spec.env, held.spec.cwd], [{ NAME: "value" }, "/w"]);
  held.write("stdout", "by hand");
  held.exit(4);
  held.exit(5);
  assert.deepEqual(await running.ended, { kind: "exited", exitCode: 4 });
  assert.equal(held.inherited, "by hand");
});

test("starts are handed out in order, each once, whether asked for before or after", async () => {
  const { runner, start } = bench({ otherwise: "held" });
  start("a");
  start("a");
  const [first, second] = [await runner.nextStart("a"), await runner.nextStart()];
  const third = runner.nextStart("a");
  start("b");
  start("a");
  assert.deepEqual(runner.started.indexOf(first), 0);
  assert.deepEqual(runner.started.indexOf(second), 1);
  assert.deepEqual(runner.started.indexOf(await third), 3);
  assert.deepEqual(runner.startedLabels, ["a", "a", "b", "a"]);
  assert.equal(runner.aliveMax, 4);
  await runner.close();
  assert.equal(runner.alive.length, 0);
  assert.throws(() => start("late"), InvariantError);
});

test("a script may depend on how often its label was started, and argv may name it", async () => {
  const { runner, start } = bench({
    scripts: { flaky: (_, nth) => ({ exit: nth < 3 ? 1 : 0 }), "sh -c other": { exit: 9 } },
  });
  const exits = [];
  for (const label of ["flaky", "flaky", "flaky", "other"]) exits.push(await start(label).ended);
  assert.deepEqual(
    exits.map((exit) => (exit.kind === "exited" ? exit.exitCode : exit.kind)),
    [1, 1, 0, 9],
  );
  runner.script("other", { exit: "SIGSEGV" });
  assert.deepEqual(await start("other").ended, { kind: "signalled", signal: "SIGSEGV" });
});

test("a stubborn grandchild delays the end until KILL, and the leader's exit is kept", async () => {
  const { clock, runner, start } = bench({ scripts: { t: { durationMs: 5, exit: 3, grandchild: "needs-kill" } } });
  const running = start("t");
  clock.advance(5);
  await settled();
  const [process] = runner.started;
  assert.deepEqual([process!.isRunning, process!.isQuiet, runner.alive.length], [false, false, 1]);
  clock.advance(99);
  assert.equal(process!.isQuiet, false);
  clock.advance(1);
  assert.deepEqual(await running.ended, { kind: "exited", exitCode: 3 });
  assert.deepEqual(process!.signals, ["SIGTERM", "SIGKILL"]);
  assert.equal(clock.pendingTimers, 0);
});

test("the timer of the grace does not outlive the process", async () => {
  const { clock, start } = bench({ otherwise: { hangs: true } });
  const running = start("t");
  running.end("term");
  assert.deepEqual(await running.ended, { kind: "signalled", signal: "SIGTERM" });
  assert.equal(clock.pendingTimers, 0);
});
