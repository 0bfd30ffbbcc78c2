// Goal: acceptance "no process left", also of those that leave their group: a new session, a double fork, another
// working directory, no descriptor left. Method: real processes, each with a mark among its arguments.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { type RealRig, realRig, script, storeTree } from "./hermetic.fixture.ts";
import { hermeticRunner } from "./hermetic-runner.ts";

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const canSandbox = spawnSync("/usr/bin/bwrap", bwrap).status === 0;
const LEVELS = canSandbox ? (["required", "off"] as const) : (["off"] as const);
const isLinux = process.platform === "linux";

const rigs = new Map<string, RealRig>();
afterAll(async () => {
  for (const rig of rigs.values()) await rig.end();
});

function rigOf(mode: "required" | "off"): RealRig {
  const rig = rigs.get(mode) ?? realRig({ mode });
  rigs.set(mode, rig);
  return rig;
}

let marks = 0;
const newSeconds = () => `7${process.pid}.${++marks}`;

/** Live processes with this text among their arguments. */
function alive(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const state = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/.*\) /s, "")[0];
      return state !== "Z" && readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").includes(mark);
    } catch {
      return false; // It has ended while the list was read.
    }
  });
}

/** Three ways out of a group, the last one that of every daemon. */
const escapes = (seconds: string) =>
  [
    `setsid sleep ${seconds} &`,
    `(setsid sh -c 'trap "" TERM; sleep ${seconds}; sleep ${seconds}' &)`,
    `(cd /; setsid sh -c 'cd /; (sleep ${seconds} </dev/null >/dev/null 2>&1 &)' &) </dev/null >/dev/null 2>&1`,
  ].join("\n");

const count = (seconds: string) => `until [ "$(pgrep -xcf "sleep ${seconds}")" = 3 ]; do :; done; echo up`;

test.runIf(isLinux).each(LEVELS)("after a timeout nothing lives that left its group (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { f: "1" });
  const seconds = newSeconds();
  const command = script(`${escapes(seconds)}\n${count(seconds)}; sleep ${seconds}`);
  const outcome = await runner.run({ command, inputRoot, timeoutMs: 400, label: "escape" });
  expect(outcome.kind).toBe("timed-out");
  expect(alive(seconds)).toEqual([]);
});

test.runIf(isLinux).each(LEVELS)("after a cancel nothing lives that left its group (%s)", async (mode) => {
  const { blobs, runner } = rigOf(mode);
  const inputRoot = await storeTree(blobs, { f: "1" });
  const seconds = newSeconds();
  const abort = new AbortController();
  const command = script(`${escapes(seconds)}\n${count(seconds)}; sleep ${seconds}`);
  const request = { command, inputRoot, label: "escape" };
  const outcome = await runner.run(request, { output: () => abort.abort() }, abort.signal);
  expect(outcome.kind).toBe("cancelled");
  expect(alive(seconds)).toEqual([]);
});

test.runIf(isLinux).each(LEVELS)(
  "after a command that ends well nothing lives that left its group (%s)",
  async (mode) => {
    const { blobs, runner } = rigOf(mode);
    const inputRoot = await storeTree(blobs, { f: "1" });
    for (let round = 0; round < 3; round++) {
      const seconds = newSeconds();
      const command = script(`${escapes(seconds)}\n${count(seconds)}`);
      const outcome = await runner.run({ command, inputRoot, label: "escape" });
      expect(outcome.kind).toBe("completed");
      expect(alive(seconds)).toEqual([]);
    }
  },
);

// Goal: only what is meant is ended. Method: a neighbour's daemon lives on while another action's is ended.
test.runIf(isLinux)("another action's daemon, and anybody's process, lives on", async () => {
  const { blobs, runner } = rigOf("off");
  const inputRoot = await storeTree(blobs, { f: "1" });
  const [own, other] = [newSeconds(), newSeconds()];
  const stranger = spawn("sleep", [own], { detached: true, stdio: "ignore" });
  const abort = new AbortController();
  const waits = `(setsid sleep ${other} &); until pgrep -f "sleep ${other}"; do :; done; echo up; sleep 600`;
  let isUp = () => {};
  const up = new Promise<void>((resolve) => {
    isUp = resolve;
  });
  const running = runner.run(
    { command: script(waits), inputRoot, label: "neighbour" },
    { output: () => isUp() },
    abort.signal,
  );
  try {
    await up;
    await runner.run({ command: script("setsid sleep 600 & true"), inputRoot, label: "escape" });
    await runner.run({ command: script("setsid sleep 600 & sleep 600"), inputRoot, timeoutMs: 50, label: "escape" });
    expect(alive(own)).toEqual([String(stranger.pid)]);
    expect(alive(other).length).toBe(1);
  } finally {
    stranger.kill("SIGKILL");
    abort.abort();
    await running;
  }
});

test.runIf(isLinux)("a runner ends what the one before it left, and nothing else", async () => {
  const rig = realRig({ mode: "off" });
  const seconds = newSeconds();
  const stranger = spawn("sleep", [seconds], { detached: true, stdio: "ignore" });
  try {
    // What an unsandboxed action of a killed server looks like: it bears a mark, or only stands in the folder.
    const mark = rig.options.processes.newMark?.();
    const left = [
      spawn("sh", ["-c", `${mark?.shell}; exec sleep ${seconds}`], { cwd: "/", detached: true, stdio: "ignore" }),
      spawn("sleep", [seconds], { cwd: `${rig.directory}/x/runs`, detached: true, stdio: "ignore" }),
    ];
    while (alive(seconds).length < 3) await new Promise((resolve) => setImmediate(resolve));
    const gone = left.map((each) => new Promise((resolve) => each.once("exit", (_, signal) => resolve(signal))));
    hermeticRunner(rig.options);
    expect(await Promise.all(gone)).toEqual(["SIGKILL", "SIGKILL"]);
    expect(alive(seconds)).toEqual([String(stranger.pid)]);
    expect(readdirSync(`${rig.directory}/x/runs`)).toEqual([]);
  } finally {
    stranger.kill("SIGKILL");
    await rig.end();
  }
});

// Goal: a file that says nothing sensible does not mean everybody. Method: such a file, and a process that would be hit.
test.runIf(isLinux)("a mark that is none ends nobody", async () => {
  const rig = realRig({ mode: "off" });
  const stranger = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
  try {
    for (const text of ["", "0", "17", "NaN", "unlimited", "-1"]) {
      rig.fs.writeFile(`${rig.directory}/x/mark`, text);
      hermeticRunner(rig.options);
      expect(readFileSync(`/proc/${stranger.pid}/stat`, "latin1")).toContain(") S");
    }
  } finally {
    stranger.kill("SIGKILL");
    await rig.end();
  }
});
