import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ProcessSpec } from "@kahn/core";
import { processRunnerContract } from "@kahn/testing/contract";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, test } from "vitest";
import { nodeClock } from "./clock.ts";
import { nodeFileSystem } from "./file-system.ts";
import { processGroup } from "./internal/process-set.ts";
import { spawnerRunner } from "./spawner-runner.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";

let directory: string;
let program: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-spawner-")));
  program = join(directory, "spawner.mjs");
  const entry = fileURLToPath(new URL("./spawner-main.ts", import.meta.url));
  buildSync({ entryPoints: [entry], bundle: true, platform: "node", format: "esm", outfile: program });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function makeRunner(token = "spawner-test") {
  const command = [process.execPath, program];
  return spawnerRunner({ clock: nodeClock(), guardian: { token, graceMs: 300 }, command });
}

function spec(script: string, changes: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    argv: ["sh", "-c", script],
    cwd: directory,
    env: { PATH },
    stdout: { kind: "file", path: join(directory, "stdout") },
    stderr: { kind: "file", path: join(directory, "stderr") },
    graceMs: 50,
    label: "test",
    ...changes,
  };
}

const cases = processRunnerContract(() => {
  const runner = makeRunner();
  return {
    runner,
    fs: nodeFileSystem(),
    root: mkdtempSync(join(directory, "case-")),
    path: PATH,
    pass: async () => {},
    isQuiet: (pid) => !processGroup(pid).hasLive(),
    cleanup: () => runner.close(),
  };
});
for (const { name, run } of cases) test(`spawner: ${name}`, run);

test("closing without a process starts nothing and waits for nothing", async () => {
  await makeRunner().close();
});

test("an interactive process is started directly, in our own group", async () => {
  const runner = makeRunner();
  const running = runner.start(spec("ps -o ppid= -p $$", { interactive: true }));
  assert.ok(running.pid > 0);
  assert.deepEqual(await running.ended, { kind: "exited", exitCode: 0 });
  assert.equal(Number(readFileSync(join(directory, "stdout"), "utf8")), process.pid);
  await runner.close();
});

test("a spawner that cannot be started starts nothing, and says so", async () => {
  const guardian = { token: "spawner-test", graceMs: 300 };
  const runner = spawnerRunner({ clock: nodeClock(), guardian, command: [join(directory, "no-such-program")] });
  const exit = await runner.start(spec("exit 0")).ended;
  assert.ok(exit.kind === "not-started" && exit.code === "EPIPE");
  assert.match(exit.message, /test: the process that starts processes/);
  await runner.close();
});

// Goal: the loss of the spawner costs the processes it had started, and nothing else. Method: it is killed while one
// runs; that one ends and is gone, and the next is started by another spawner.
test.runIf(process.platform === "linux")(
  "a spawner that is killed is replaced, and what it had started is ended",
  async () => {
    const runner = makeRunner("spawner-lost");
    const started = withResolvers();
    const stdout = { kind: "tee", path: join(directory, "lost"), onBytes: () => started.resolve() } as const;
    const running = runner.start(spec("trap '' TERM; echo ready; while :; do sleep 0.05; done", { stdout }));
    await started.promise;
    while (running.pid === 0) await new Promise((resolve) => setImmediate(resolve));
    const spawner = readdirSync("/proc").find((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return readFileSync(`/proc/${name}/cmdline`, "latin1").includes(`${program}\0{"token":"spawner-lost"`);
      } catch {
        return false; // It ended between the listing and the look.
      }
    });
    process.kill(Number(spawner), "SIGKILL");
    assert.deepEqual(await running.ended, { kind: "signalled", signal: "SIGKILL" });
    assert.ok(!processGroup(running.pid).hasLive());
    assert.deepEqual(await runner.start(spec("exit 4")).ended, { kind: "exited", exitCode: 4 });
    await runner.close();
  },
);

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
