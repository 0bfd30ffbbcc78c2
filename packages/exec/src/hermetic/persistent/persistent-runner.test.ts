// Persistent workers with real processes: a small compiler in JavaScript that also runs by itself.
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock, FileSystem } from "@kahn/core";
import { nodeClock, nodeFileSystem, openFifoPair } from "@kahn/system";
import { afterEach, expect, test } from "vitest";
import { outputsDigest } from "../../output-tree.ts";
import { command, completed, type InputFiles, type RealRig, realRig, storeTree, textOf } from "../hermetic.fixture.ts";
import type { HermeticOutcome, SandboxPolicy } from "../hermetic-action.ts";
import { SYSTEM_PATHS } from "../sandbox.ts";
import type { PersistentRequest, PersistentRunner, PersistentRunnerOptions } from "./persistent-action.ts";
import { persistentRunner } from "./persistent-runner.ts";
import type { OpenWorkerPipes } from "./persistent-worker.ts";
import { jsonWorkerProtocol } from "./worker-protocol.ts";

/** Flags: `OUT IN` copies upper-cased; the others do what their name says. It says its process id and count of works. */
const TOOL = `
const fs = require("fs");
let works = 0;
function work(args, dir) {
  works++;
  const [what, from] = args;
  const at = (path) => (dir ? dir + "/" + path : path);
  if (what === "daemon") { require("child_process").spawn("/usr/bin/sleep", [from], { detached: true, stdio: "ignore", cwd: "/" }).unref(); return "begun"; }
  if (what.startsWith("shout")) fs.writeSync(2, what + " " + "x".repeat(100000) + "\\n");
  if (what === "shout-and-die") process.exit(3);
  if (what === "die") process.exit(3);
  if (what === "die-once") { if (works > 1 || process.env.LIVES) process.exit(3); }
  if (what === "litter") { fs.writeFileSync("litter", "x"); fs.appendFileSync(from, "spoilt"); return "littered"; }
  if (what === "list") { fs.writeFileSync(at("out/o"), fs.readdirSync(dir || ".").sort().join(" ")); return ""; }
  fs.writeFileSync(at("out/o"), fs.readFileSync(at(from), "utf8").toUpperCase());
  return "pid " + process.pid + " works " + works + " of " + args.length;
}
if (!process.argv.includes("--persistent_worker")) {
  const file = process.argv.find((arg) => arg.startsWith("@")).slice(1);
  work(fs.readFileSync(file, "utf8").trim().split("\\n"));
} else {
  let text = "";
  const held = new Map();
  const say = (response) => process.stdout.write(JSON.stringify(response) + "\\n");
  process.stdin.on("data", (bytes) => {
    text += bytes;
    for (let end = text.indexOf("\\n"); end >= 0; end = text.indexOf("\\n")) {
      const { arguments: args = [], requestId = 0, sandboxDir = "", cancel, inputs } = JSON.parse(text.slice(0, end));
      text = text.slice(end + 1);
      if (cancel) say({ requestId, wasCancelled: true });
      else if (args[0] === "hang") { if (args[1]) fs.writeFileSync(args[1], "x".repeat(200000)); held.set(requestId, true); }
      else if (args[0] === "garbage") process.stdout.write("Compiling...\\n");
      else if (args[0] === "inputs") say({ requestId, output: inputs.map((input) => input.path + "=" + Buffer.from(input.digest, "base64")).join(" ") });
      else if (args[0] === "meet") { held.set(requestId, sandboxDir); if (held.size === 3) for (const [id, dir] of held) say({ requestId: id, exitCode: 0, output: work(args.slice(1), dir) }); }
      else say({ requestId, exitCode: args[0].includes("fail") ? 7 : 0, output: args[0] === "fail" ? "no" : work(args, sandboxDir) });
    }
  });
}`;

const rigs: { readonly rig: RealRig; readonly runner: PersistentRunner }[] = [];
afterEach(async () => {
  for (const { rig, runner } of rigs.splice(0)) {
    await runner.close();
    await rig.end();
  }
});

const openPipes: OpenWorkerPipes = (options) => openFifoPair({ ...options, clock: nodeClock() });

function open(rest: Partial<PersistentRunnerOptions> = {}, sandbox: SandboxPolicy = { mode: "off" }) {
  const rig = realRig(sandbox);
  const options = { ...rig.options, root: `${rig.directory}/w`, openPipes, ...rest };
  const runner = persistentRunner(options);
  rigs.push({ rig, runner });
  const request = async (
    args: readonly string[],
    files: InputFiles = {},
    more: Partial<PersistentRequest> & { readonly env?: string; readonly tool?: string } = {},
  ): Promise<PersistentRequest> => {
    const inputs = { "tool.js": more.tool ?? TOOL, args: `${args.join("\n")}\n`, in: "content", ...files };
    const environment = [{ name: "PATH", value: dirname(process.execPath) }];
    if (more.env !== undefined) environment.push({ name: "X", value: more.env });
    return {
      command: command(["node", "tool.js", "@args"], { environment, outputPaths: ["out/o"] }),
      inputRoot: await storeTree(rig.blobs, inputs),
      worker: { protocol: jsonWorkerProtocol, toolInputs: ["tool.js"] },
      label: "work",
      ...more,
    };
  };
  return { rig, runner, request };
}

const said = (outcome: HermeticOutcome) => Buffer.from(completed(outcome).result.stderrRaw ?? []).toString();
const pidOf = (outcome: HermeticOutcome) => /pid (\d+)/.exec(said(outcome))?.[1];

test("100 actions are done by one process; another tool, environment or argument needs another one", async () => {
  const { rig, runner, request } = open();
  const pids = new Set<string | undefined>();
  for (let index = 0; index < 100; index++) {
    const outcome = await runner.run(await request(["out/o", "in"], { in: `text ${index}` }));
    pids.add(pidOf(outcome));
    expect(await textOf(rig.blobs, completed(outcome).result.outputFiles[0]!.digest)).toBe(`TEXT ${index}`);
    expect(said(outcome)).toContain(`works ${index + 1} of 2`);
  }
  expect(pids.size).toBe(1);
  pids.add(pidOf(await runner.run(await request(["out/o", "in"], {}, { tool: `${TOOL}\n// newer` }))));
  pids.add(pidOf(await runner.run(await request(["out/o", "in"], {}, { env: "other" }))));
  expect(pids.size).toBe(3);
});

test("outputs are those of the same command by itself", async () => {
  const { rig, runner, request } = open();
  const once = await request(["out/o", "in"], { in: "same" });
  const alone = completed(await rig.runner.run(once));
  const served = completed(await runner.run(once));
  expect(outputsDigest(served.result)).toBe(outputsDigest(alone.result));
  expect(served.result.exitCode).toBe(0);
});

test("what one piece of work leaves or spoils is gone for the next one", async () => {
  const { rig, runner, request } = open();
  const first = await runner.run(await request(["litter", "in"]));
  expect(said(first)).toBe("littered");
  const second = await runner.run(await request(["list"], { extra: "1" }));
  expect(await textOf(rig.blobs, completed(second).result.outputFiles[0]!.digest)).toBe("args extra in out tool.js");
  const third = completed(await runner.run(await request(["out/o", "in"])));
  expect(await textOf(rig.blobs, third.result.outputFiles[0]!.digest)).toBe("CONTENT");
});

test("a worker is told its inputs with their digests, and its failure is the action's", async () => {
  const { runner, request } = open();
  const told = said(await runner.run(await request(["inputs"], { "d/e": "" })));
  expect(told.split(" ").map((each) => each.split("=")[0])).toEqual(["args", "d/e", "in", "tool.js"]);
  expect(told).toContain("d/e=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const failed = await runner.run(await request(["fail"]));
  expect([completed(failed).result.exitCode, said(failed)]).toEqual([7, "no"]);
});

test("a worker that dies is replaced and the work done again, once", async () => {
  const { runner, request } = open();
  const first = await runner.run(await request(["out/o", "in"]));
  const second = await runner.run(await request(["die-once", "in"]));
  expect(pidOf(second)).not.toBe(pidOf(first));
  expect(said(second)).toContain("works 1");
  const outcome = await runner.run(await request(["die"]));
  expect(outcome).toMatchObject({ kind: "errored", problem: { code: "worker-died" } });
});

test("a worker that does not speak the protocol is ended, and the problem shows what it said", async () => {
  const { runner, request } = open();
  const outcome = await runner.run(await request(["garbage"]));
  expect(outcome).toMatchObject({ kind: "errored", problem: { code: "worker-protocol-failed" } });
  if (outcome.kind === "errored") expect(outcome.problem.message).toContain("Compiling...");
  expect((await runner.run(await request(["out/o", "in"]))).kind).toBe("completed");
});

test("a worker whose folder takes more of the disk than it may is ended with its work, and the next one begins anew", async () => {
  let isFilling = false;
  let free = 1e12;
  const fs = Object.assign(Object.create(nodeFileSystem()) as FileSystem, {
    freeBytes: () => {
      free -= 1e9;
      return free;
    },
  });
  const clock = nodeClock();
  const soon: Clock["setTimer"] = (ms, fire) => clock.setTimer(isFilling && ms === 1000 ? 1 : ms, fire);
  const hasty = { ...nodeClock(), setTimer: soon };
  const { runner, request } = open({ fs, clock: hasty, diskMaxBytes: 50_000 });
  isFilling = true;
  const outcome = await runner.run(await request(["hang", "full"]));
  isFilling = false;
  expect(outcome).toMatchObject({ kind: "invalid", problem: { code: "action-disk-limit" } });
  expect(completed(await runner.run(await request(["out/o", "in"]))).result.exitCode).toBe(0);
});

test("a timeout and an abort end the worker, or only the work where it heeds cancelling", async () => {
  const { runner, request } = open();
  const worker = { protocol: jsonWorkerProtocol, toolInputs: ["tool.js"], canCancel: true };
  const before = pidOf(await runner.run(await request(["out/o", "in"], {}, { worker })));
  const late = await runner.run(await request(["hang"], {}, { worker, timeoutMs: 20 }));
  expect(late).toMatchObject({ kind: "timed-out", problem: { code: "action-timed-out" } });
  expect(pidOf(await runner.run(await request(["out/o", "in"], {}, { worker })))).toBe(before);
  const abort = new AbortController();
  const phase = (name: string) => name === "executing" && queueMicrotask(() => abort.abort());
  const cancelled = await runner.run(await request(["hang"]), { phase }, abort.signal);
  expect(cancelled).toEqual({ kind: "cancelled" });
  expect(pidOf(await runner.run(await request(["out/o", "in"])))).not.toBe(before);
});

// Goal: three works at once in one process, each among its own files. Method: none is answered before all have come.
test("a multiplex worker has several pieces of work at once, each in a directory of its own", async () => {
  const { rig, runner, request } = open();
  const worker = { protocol: jsonWorkerProtocol, toolInputs: ["tool.js"], multiplex: 3 };
  const requests = await Promise.all(
    ["a", "b", "c"].map((text) => request(["meet", "out/o", "in"], { in: text }, { worker })),
  );
  const outcomes = await Promise.all(requests.map((each) => runner.run(each)));
  expect(new Set(outcomes.map(pidOf)).size).toBe(1);
  const texts = outcomes.map((each) => textOf(rig.blobs, completed(each).result.outputFiles[0]!.digest));
  expect(await Promise.all(texts)).toEqual(["A", "B", "C"]);
  expect(readdirSync(`${rig.directory}/w/1/root/__sandbox`)).toEqual([]);
});

test("a worker that has grown too large gets no more work", async () => {
  const { runner, request } = open({ memoryMaxBytes: 1_000_000 });
  const first = pidOf(await runner.run(await request(["out/o", "in"])));
  expect(pidOf(await runner.run(await request(["out/o", "in"])))).not.toBe(first);
});

test("blobs that lack are named, and a command without a flag file is refused", async () => {
  const { rig, runner, request } = open();
  const whole = await request(["out/o", "in"]);
  const bare = { ...whole, command: { ...whole.command, arguments: ["node", "tool.js"] } };
  expect(await runner.run(bare)).toMatchObject({ kind: "invalid", problem: { code: "command-invalid" } });
  const other = await request(["out/o", "in"], { in: "never stored here" });
  rig.fs.removeTree(`${rig.directory}/store/cas`);
  const outcome = await runner.run(other);
  expect(outcome.kind).toBe("missing-blobs");
});

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
test.skipIf(spawnSync("/usr/bin/bwrap", bwrap).status !== 0)("a worker in a sandbox works all the same", async () => {
  const readable = [...SYSTEM_PATHS, dirname(dirname(process.execPath))];
  const { rig, runner, request } = open({}, { mode: "required", readable });
  const pids = new Set<string | undefined>();
  for (const text of ["a", "b"]) {
    const outcome = await runner.run(await request(["out/o", "in"], { in: text }));
    pids.add(pidOf(outcome));
    expect(completed(outcome).sandbox).toBe("bubblewrap");
    expect(await textOf(rig.blobs, completed(outcome).result.outputFiles[0]!.digest)).toBe(text.toUpperCase());
  }
  expect(pids.size).toBe(1);
});

test.runIf(process.platform === "linux")("a daemon that a worker began ends with it", async () => {
  const { runner, request } = open();
  const seconds = `9${process.pid}.5`;
  expect(said(await runner.run(await request(["daemon", seconds])))).toBe("begun");
  const alive = () => spawnSync("pgrep", ["-xf", `/usr/bin/sleep ${seconds}`]).status === 0;
  expect(alive()).toBe(true);
  await runner.close();
  expect(alive()).toBe(false);
});

test("what a worker shouts stands in the log of what failed, and is forgotten with the next piece of work", async () => {
  const { rig, runner, request } = open();
  const logOf = (outcome: HermeticOutcome) => ("log" in outcome ? Buffer.from(outcome.log?.text ?? []).toString() : "");
  for (let round = 0; round < 3; round++) {
    const loud = await runner.run(await request(["shout", "in"]));
    expect([completed(loud).result.exitCode, logOf(loud)]).toEqual([0, ""]);
  }
  const [worker = ""] = readdirSync(`${rig.directory}/w`).filter((name) => name !== "mark");
  expect(statSync(`${rig.directory}/w/${worker}/stderr`).size).toBeLessThan(200_000);
  const failed = await runner.run(await request(["shout-and-fail", "in"]));
  expect(completed(failed).result.exitCode).toBe(7);
  expect(logOf(failed)).toMatch(/^x{60000,}\n$/);
  const died = await runner.run(await request(["shout-and-die", "in"]));
  expect(died.kind).toBe("errored");
  expect(logOf(died)).toMatch(/^x{60000,}\n$/);
});
