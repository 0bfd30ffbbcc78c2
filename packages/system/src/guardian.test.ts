import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, test } from "vitest";
import { startGuardian } from "./guardian.ts";
import { readProcessStat } from "./process-identity.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const CRASHES = Math.round(20 * SCALE);
const isLinux = process.platform === "linux";

let directory: string;
let host: string;
let spawner: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kahn-guardian-"));
  host = join(directory, "host.mjs");
  spawner = join(directory, "spawner.mjs");
  bundle("./fixtures/crash-host.ts", host);
  bundle("./spawner-main.ts", spawner);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function bundle(source: string, outfile: string): void {
  const entry = fileURLToPath(new URL(source, import.meta.url));
  buildSync({ entryPoints: [entry], bundle: true, platform: "node", format: "esm", outfile });
}

/** Bundles a host program that begins with a `runner` under the given guardian options. */
function bundleHost(name: string, text: string): string {
  const outfile = join(directory, name);
  const contents = `
    import { createServer } from "node:net";
    import { directRunner, nodeClock, startGuardian } from "./index.ts";
    const file = (name) => ({ kind: "file", path: ${JSON.stringify(directory)} + "/" + name });
    const start = (guardian, spec) => directRunner({ clock: nodeClock(), guardian: startGuardian(guardian) }).start({
      cwd: "/", env: { PATH: "/usr/bin:/bin" }, stderr: file("host.err"), graceMs: 100, label: "host", ...spec });
    ${text}`;
  const stdin = { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)) };
  buildSync({ stdin, bundle: true, platform: "node", format: "esm", outfile });
  return outfile;
}

/** Live processes whose environment or arguments hold the text, as `pid: arguments`. */
function liveBearers(text: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync("/proc")) {
    const state = /^\d+$/.test(name) ? readProcessStat(name)?.state : undefined;
    if (state === undefined || state === "Z" || state === "X") continue;
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, "latin1");
      if (args.includes(text) || readFileSync(`/proc/${name}/environ`, "latin1").includes(text)) {
        found.push(`${name}: ${args.replaceAll("\0", " ").slice(0, 60)}`);
      }
    } catch {
      // It ended between the listing and the look.
    }
  }
  return found;
}

/** Waits until nothing bears the text; gives up after far longer than any grace. */
async function quiet(text: string): Promise<void> {
  for (let tries = 0; liveBearers(text).length > 0; tries++) {
    if (tries === 500) {
      const left = liveBearers(text);
      for (const each of left) process.kill(Number.parseInt(each, 10), "SIGKILL");
      assert.fail(`still alive: ${left.join("; ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function startHost(token: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [host, token, directory, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout!, "data");
  return child;
}

const SHELLS = [
  ...new Set(
    ["/bin/sh", "/bin/dash", "/bin/bash"].filter((shell) => existsSync(shell)).map((shell) => realpathSync(shell)),
  ),
];

// Goal: no process survives Kahn, at whatever instant and however it is killed. Method: a host that starts and ends
// processes of all sorts without pause is killed after a random time, alone or with its whole group, and every third starts its
// processes through a spawner; each process is found by the run's token in its environment or arguments.
test.runIf(isLinux)(
  "after kill -9 of Kahn, alone or with its group, no process of the run is left",
  async () => {
    const crash = async (index: number) => {
      const token = `crash-${process.pid}-${Math.random().toString(36).slice(2)}`;
      const child = await startHost(token, [SHELLS[index % SHELLS.length]!, ...(index % 3 === 2 ? [spawner] : [])]);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 250));
      const gone = once(child, "exit");
      process.kill(index % 2 === 0 ? child.pid! : -child.pid!, "SIGKILL");
      await gone;
      await quiet(token);
    };
    // Four at a time: most of each is waiting for the grace.
    let next = 0;
    const lane = async () => {
      while (next < CRASHES) await crash(next++);
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
  },
  600_000,
);

// Goal: the window between the start of a process and its registration is closed. Method: announce, start the process
// with the token, and let go of the guardian without ever registering it.
test.runIf(isLinux)("a process that was announced but never registered is found by its token", async () => {
  for (const shell of SHELLS) {
    const token = `announced-${process.pid}-${Math.random().toString(36).slice(2)}`;
    const program = `
      import { spawn } from "node:child_process";
      const guardian = spawn(${JSON.stringify(shell)}, ["-c", process.argv[1], "kahn-guardian", "2", "${token}"],
        { detached: true, stdio: ["pipe", "ignore", "ignore"], env: { PATH: process.env.PATH } });
      guardian.stdin.write("? 12\\n");
      const options = { detached: true, stdio: "ignore", env: { PATH: process.env.PATH, KAHN_PROCESS: "${token}/12." } };
      spawn("sh", ["-c", "sleep 100 & trap '' TERM; sleep 100; sleep 100"], options);
      // Not announced: another run's process, whose number merely begins alike.
      const other = spawn("sleep", ["100"], { ...options, env: { PATH: process.env.PATH, KAHN_PROCESS: "${token}/1." } });
      process.stdout.write(String(other.pid), () => process.kill(process.pid, "SIGKILL"));
    `;
    const { GUARDIAN_SCRIPT } = await import("./internal/guardian-script.ts");
    const child = spawn(process.execPath, ["--input-type=module", "-e", program, GUARDIAN_SCRIPT], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [bytes] = (await once(child.stdout, "data")) as [Buffer];
    const other = Number(bytes.toString());
    try {
      await quiet(`${token}/12.`);
      await quiet(`kahn-guardian\0${2}\0${token}`);
      assert.deepEqual(
        liveBearers(token).map((each) => Number.parseInt(each, 10)),
        [other],
      );
    } finally {
      process.kill(other, "SIGKILL");
    }
  }
});

test("letting the guardian go ends nothing and frees the descriptor it held", async () => {
  const path = join(directory, "lock.sock");
  const server = createServer().listen(path);
  await once(server, "listening");
  const lockFd = (server as unknown as { _handle: { fd: number } })._handle.fd;
  const guardian = startGuardian({ token: "lock-test", graceMs: 5000, lockFd });
  const announced = guardian.announce();
  assert.ok(announced !== undefined);
  const child = spawn("sleep", ["100"], { detached: true, stdio: "ignore" });
  try {
    guardian.started(announced.number, child.pid!, true);
    await guardian.close();
    assert.equal(readProcessStat(child.pid!)?.state === "Z", false);
    assert.doesNotThrow(() => process.kill(child.pid!, 0));
  } finally {
    child.kill("SIGKILL");
    server.close();
  }
});

// Goal: the lock is not free before the processes are gone. Method: the host holds a listening socket, gives it to
// its guardian and is killed; whoever can listen in its place must find the TERM-ignoring process dead.
test.runIf(isLinux)("the lock that a guardian holds is released only after the last process", async () => {
  const token = `lock-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const name = `\0kahn-${token}`;
  const hostProgram = bundleHost(
    "lock-host.mjs",
    `const server = createServer().listen(${JSON.stringify(name)}, () => {
      const guardian = { token: "${token}", graceMs: 300, lockFd: server._handle.fd };
      const tee = { kind: "tee", path: file("lock.out").path, onBytes: () => process.stdout.write("ready") };
      start(guardian, { argv: ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], stdout: tee });
    });`,
  );
  const child = spawn(process.execPath, [hostProgram], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
  let refusals = 0;
  for (;;) {
    if (refusals === 1000) await quiet(`${token}/`);
    assert.ok(refusals < 1000, "the lock is never released");
    const server = createServer().listen(name);
    const outcome = await new Promise((resolve) => {
      server.once("listening", () => resolve("free"));
      server.once("error", () => resolve("held"));
    });
    if (outcome === "free") {
      assert.deepEqual(liveBearers(`${token}/`), []);
      server.close();
      break;
    }
    refusals++;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // The process ignores TERM, so the guardian held the lock through the grace.
  assert.ok(refusals > 0);
});

// Goal: an interactive process lives in Kahn's own group, which the guardian must not touch, and is ended all the same.
// Method: the host shares its group with the shell that waits for it and must live to say so.
test.runIf(isLinux)("an interactive process ends after the death of Kahn, and its neighbours do not", async () => {
  const token = `interactive-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const hostProgram = bundleHost(
    "interactive-host.mjs",
    `const running = start({ token: "${token}", graceMs: 200 }, { interactive: true, stdout: file("interactive.out"),
       argv: ["sh", "-c", "trap '' TERM; sleep 100 & while :; do sleep 0.1; done"] });
     process.stdout.write(String(running.pid));`,
  );
  const script = 'node=$1 host=$2; "$node" "$host"; exit 0';
  const child = spawn("sh", ["-c", script, "sh", process.execPath, hostProgram], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [bytes] = (await once(child.stdout, "data")) as [Buffer];
  const stat = readProcessStat(Number(bytes.toString()));
  assert.equal(stat?.groupId, child.pid);
  const hostPid = liveBearers(hostProgram)
    .map((each) => Number.parseInt(each, 10))
    .find((pid) => pid !== child.pid);
  assert.ok(hostPid !== undefined);
  const shellGone = once(child, "exit");
  process.kill(hostPid, "SIGKILL");
  // The shell in the same group sees its host end, and ends by itself, not by a signal.
  assert.deepEqual((await shellGone)[1], null);
  await quiet(`${token}/`);
});

test.runIf(isLinux)("a guardian that is killed is replaced, and the new one knows what is running", async () => {
  const token = `replaced-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const guardian = startGuardian({ token, graceMs: 100 });
  const announced = guardian.announce();
  assert.ok(announced !== undefined);
  guardian.started(announced.number, 2 ** 22 - 1, true);
  const pidOf = () => liveBearers(`kahn-guardian\0${1}\0${token}`).map((each) => Number.parseInt(each, 10))[0];
  const first = pidOf();
  assert.ok(first !== undefined);
  process.kill(first, "SIGKILL");
  let second = pidOf();
  while (second === undefined || second === first) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    second = pidOf();
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(second, signal);
  guardian.ended(announced.number);
  assert.equal(pidOf(), second);
  await guardian.close();
  await quiet(token);
});

test("a token that the guardian could not search for is refused", () => {
  assert.throws(() => startGuardian({ token: "a b", graceMs: 1 }), TypeError);
});
