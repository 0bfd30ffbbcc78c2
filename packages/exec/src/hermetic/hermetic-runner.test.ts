// Outcomes of the runner over memory and scripted processes. What only real processes show: hermetic-processes.test.ts.
import { digestOf } from "@kahn/core";
import { settled } from "@kahn/testing";
import { expect, test } from "vitest";
import { command, completed, listTree, memoryRig, storeTree, textOf } from "./hermetic.fixture.ts";
import type { HermeticCommand, HermeticPhase } from "./hermetic-action.ts";
import { hermeticRunner } from "./hermetic-runner.ts";

const EMPTY = digestOf("");

function request(rest: Partial<HermeticCommand> = {}) {
  return { command: command(["make"], rest), inputRoot: EMPTY, label: "act" };
}

test("inputs are there with their modes, outputs come back, and nothing is left behind", async () => {
  const { fs, blobs, processes, runner } = memoryRig();
  const inputRoot = await storeTree(blobs, {
    "src/a.txt": "A",
    "src/run.sh": "R",
    "src/link": ["a.txt"],
    "src/empty": null,
  });
  let seen: unknown;
  processes.script("act", (spec) => {
    const at = (path: string) => fs.lstat(`${spec.cwd}/${path}`);
    seen = [
      at("a.txt")?.mode,
      at("run.sh")?.mode,
      fs.readLink(`${spec.cwd}/link`),
      at("empty")?.kind,
      at("../out")?.kind,
    ];
    return { files: { "../out/o": "made from A" }, stdout: "hi" };
  });
  const phases: HermeticPhase[] = [];
  const outcome = await runner.run(
    { ...request({ workingDirectory: "src", outputPaths: ["../out/o", "../gone"] }), inputRoot },
    { phase: (phase) => phases.push(phase) },
  );
  const { result, sandbox } = completed(outcome);
  expect(seen).toEqual([0o644, 0o755, "a.txt", "directory", "directory"]);
  expect(sandbox).toBe("none");
  expect(result.outputFiles).toEqual([{ path: "../out/o", digest: digestOf("made from A"), executable: false }]);
  expect(await textOf(blobs, digestOf("made from A"))).toBe("made from A");
  expect(Buffer.from(result.stdoutRaw ?? []).toString()).toBe("hi");
  expect(result.exitCode).toBe(0);
  expect(phases).toEqual(["fetching-inputs", "executing", "storing-outputs"]);
  expect(fs.readDirectory("/x/runs")).toEqual([]);
});

test("D6: nothing runs while blobs lack, and all of them are named", async () => {
  const { blobs, processes, runner } = memoryRig();
  const inputRoot = await storeTree(blobs, { a: "1", "d/b": "2", "d/c": "3" });
  blobs.evict(digestOf("1"));
  blobs.evict(digestOf("3"));
  const outcome = await runner.run({ ...request(), inputRoot });
  expect(outcome).toEqual({ kind: "missing-blobs", digests: [digestOf("1"), digestOf("3")].sort() });
  await blobs.write(digestOf("1"), Buffer.from("1"));
  expect(await runner.run({ ...request(), inputRoot })).toEqual({ kind: "missing-blobs", digests: [digestOf("3")] });
  expect(processes.started).toEqual([]);
});

test("a corrupt input is one that lacks", async () => {
  const { blobs, runner } = memoryRig();
  const inputRoot = await storeTree(blobs, { a: "1" });
  blobs.corrupt(digestOf("1"));
  expect(await runner.run({ ...request(), inputRoot })).toEqual({ kind: "missing-blobs", digests: [digestOf("1")] });
});

test("D8: a timeout is an outcome of its own, with what was printed until then, whatever exit follows it", async () => {
  for (const onTerm of ["dies", 0, "ignores"] as const) {
    const { clock, processes, runner, fs } = memoryRig();
    processes.script("act", { stdout: "half", hangs: true, onTerm });
    const running = runner.run({ ...request(), timeoutMs: 500 });
    await processes.nextStart();
    clock.advance(499);
    await settled();
    expect(processes.alive.length).toBe(1);
    clock.advance(1);
    clock.runAll();
    const outcome = await running;
    expect(outcome).toMatchObject({ kind: "timed-out", problem: { code: "action-timed-out" } });
    if (outcome.kind === "timed-out") expect(Buffer.from(outcome.streams.stdoutRaw ?? []).toString()).toBe("half");
    expect(processes.alive).toEqual([]);
    expect(fs.readDirectory("/x/runs")).toEqual([]);
  }
});

// Goal: nobody fills the disk of a machine that many share. Method: a command that would go on writing and heeds no TERM;
// its inputs, which it did not write, are larger than what it may take.
test("a run that takes more of the disk than it may is ended, with what was printed until then; inputs do not count", async () => {
  const { blobs, clock, processes, runner, fs } = memoryRig({ diskMaxBytes: 100_000 });
  fs.setCapacity(10_000_000);
  const inputRoot = await storeTree(blobs, { large: "x".repeat(200_000) });
  processes.script("act", { stdout: "half", hangs: true, onTerm: "ignores" });
  const running = runner.run({ ...request(), inputRoot });
  await processes.nextStart();
  const write = async (sizeBytes: number) => {
    fs.writeFile("/x/runs/1/root/made", Buffer.alloc(sizeBytes));
    clock.advance(1000);
    await settled();
  };
  await write(90_000);
  expect(processes.alive.length).toBe(1);
  await write(120_000);
  const outcome = await running;
  expect(outcome).toMatchObject({
    kind: "invalid",
    problem: { code: "action-disk-limit", message: /act.*100000 bytes/ },
  });
  if (outcome.kind === "invalid") expect(Buffer.from(outcome.streams?.stdoutRaw ?? []).toString()).toBe("half");
  expect([processes.alive, fs.readDirectory("/x/runs")]).toEqual([[], []]);
});

test("the timeout counts from the command's start, not from that of staging", async () => {
  const { blobs, clock, processes, runner } = memoryRig();
  const files = Object.fromEntries(Array.from({ length: 1500 }, (_, index) => [`f${index}`, `${index}`]));
  const inputRoot = await storeTree(blobs, files);
  const running = runner.run({ ...request(), inputRoot, timeoutMs: 100 });
  await settled();
  // Staging so many files lets others have their turn.
  expect(processes.started).toEqual([]);
  clock.advance(1000);
  await processes.nextStart();
  clock.advance(99);
  processes.started[0]?.exit(3);
  expect(completed(await running).result.exitCode).toBe(3);
});

test("an abort before, while and after the command runs", async () => {
  const early = new AbortController();
  early.abort();
  const { processes, runner, fs } = memoryRig();
  expect(await runner.run(request(), {}, early.signal)).toEqual({ kind: "cancelled" });
  expect(processes.started).toEqual([]);
  const abort = new AbortController();
  processes.script("act", { stdout: "some", hangs: true });
  const running = runner.run(request(), {}, abort.signal);
  await processes.nextStart();
  await settled();
  abort.abort();
  const outcome = await running;
  expect(outcome.kind).toBe("cancelled");
  if (outcome.kind === "cancelled") expect(Buffer.from(outcome.streams?.stdoutRaw ?? []).toString()).toBe("some");
  processes.script("act", {});
  const late = new AbortController();
  expect((await runner.run(request(), {}, late.signal)).kind).toBe("completed");
  late.abort();
  expect(fs.readDirectory("/x/runs")).toEqual([]);
});

test("the working directory must be one of the input tree", async () => {
  const { blobs, runner } = memoryRig();
  const inputRoot = await storeTree(blobs, { "d/f": "1", l: ["d"], out: ["/etc"], up: ["../.."] });
  const run = async (workingDirectory: string) => await runner.run({ ...request({ workingDirectory }), inputRoot });
  for (const good of ["", "d", "l", "./d/"]) expect((await run(good)).kind, good).toBe("completed");
  for (const bad of ["e", "d/f", "out", "up"]) {
    expect(await run(bad), bad).toMatchObject({ kind: "invalid", problem: { code: "working-directory-missing" } });
  }
});

test("an output whose parents are a file, or lead out of the root, is refused before anything is made", async () => {
  const { blobs, runner, processes } = memoryRig();
  const inputRoot = await storeTree(blobs, { f: "1", out: ["/etc"], up: ["../../.."], "d/in": "2", l: ["d/e"] });
  const run = async (path: string) => await runner.run({ ...request({ outputPaths: [path] }), inputRoot });
  for (const bad of ["f/o", "out/o", "up/x/o"]) {
    expect(await run(bad), bad).toMatchObject({ kind: "invalid", problem: { code: "output-path-blocked" } });
  }
  expect(processes.started).toEqual([]);
  processes.script("act", { files: { "l/o": "through a link" } });
  expect(completed(await run("l/o")).result.outputFiles).toMatchObject([{ path: "l/o" }]);
});

test("D12: symlinks are outputs themselves; dangling ones are kept, and what they lead to is told", async () => {
  const { blobs, fs, processes, runner } = memoryRig();
  const inputRoot = await storeTree(blobs, { "in/f": "1" });
  const links = { toFile: "o", toDirectory: "in", toInput: "in/f", dangling: "nowhere", away: "/etc", up: "../.." };
  processes.script("act", ({ cwd }) => {
    for (const [name, target] of Object.entries(links)) fs.symlink(target, `${cwd}/${name}`);
    return { files: { o: "1" } };
  });
  const running = runner.run({ ...request({ outputPaths: Object.keys(links) }), inputRoot });
  const { result } = completed(await running);
  expect(result.outputSymlinks).toEqual([
    { path: "away", target: "/etc", leadsTo: "nothing" },
    { path: "dangling", target: "nowhere", leadsTo: "nothing" },
    { path: "toDirectory", target: "in", leadsTo: "directory" },
    { path: "toFile", target: "o", leadsTo: "file" },
    { path: "toInput", target: "in/f", leadsTo: "file" },
    { path: "up", target: "../..", leadsTo: "nothing" },
  ]);
});

test("an output directory is a tree, with empty directories and symlinks", async () => {
  const { blobs, fs, processes, runner } = memoryRig();
  processes.script("act", (spec) => {
    fs.makeDirectory(`${spec.cwd}/d/empty`);
    fs.symlink("a/f", `${spec.cwd}/d/l`);
    return { files: { "d/a/f": "1", "d/b/f": "1" } };
  });
  const { result } = completed(await runner.run(request({ outputDirectories: ["d"], wantsDirectories: true })));
  const [directory] = result.outputDirectories;
  if (directory === undefined) throw new Error("no directory");
  expect(await listTree(blobs, directory.tree)).toEqual(["a/", "a/f: 1", "b/", "b/f: 1", "empty/", "l -> a/f"]);
  const stored = await blobs.findMissing([directory.tree, directory.rootDirectory]);
  expect(stored).toEqual({ ok: true, value: [] });
});

test("a type clash on the older fields is a problem of its own; output_paths takes what comes", async () => {
  const { fs, processes, runner } = memoryRig();
  processes.script("act", (spec) => {
    fs.makeDirectory(`${spec.cwd}/d`);
    return { files: { f: "1" } };
  });
  const clash = { kind: "invalid", problem: { code: "output-type-clash" } };
  expect(await runner.run(request({ outputFiles: ["d"] }))).toMatchObject(clash);
  expect(await runner.run(request({ outputDirectories: ["f"] }))).toMatchObject(clash);
  const { result } = completed(await runner.run(request({ outputPaths: ["d", "f"] })));
  expect([result.outputFiles.length, result.outputDirectories.length]).toEqual([1, 1]);
});

test("node properties are given when asked for", async () => {
  const { processes, runner } = memoryRig();
  processes.script("act", { files: { f: "1" } });
  const outputNodeProperties = ["mtime", "unix_mode"];
  const { result } = completed(await runner.run(request({ outputPaths: ["f"], outputNodeProperties })));
  expect(result.outputFiles[0]?.properties).toEqual({ mtimeMs: expect.any(Number), unixMode: 0o644 });
});

test("a signal is an exit code as a shell shows it, and a failed command's outputs are kept", async () => {
  const { processes, runner } = memoryRig();
  processes.script("act", { exit: "SIGSEGV", files: { o: "core" } });
  const { result } = completed(await runner.run(request({ outputPaths: ["o"] })));
  expect(result.exitCode).toBe(139);
  expect(result.outputFiles.length).toBe(1);
});

test("large streams are blobs, small ones travel inside", async () => {
  const { blobs, processes, runner } = memoryRig({ inlineMaxBytes: 10 });
  processes.script("act", { stdout: "0123456789", stderr: "0123456789+" });
  const { result } = completed(await runner.run(request()));
  expect(Buffer.from(result.stdoutRaw ?? []).toString()).toBe("0123456789");
  expect(result.stderrRaw).toBeUndefined();
  expect(await textOf(blobs, result.stderr ?? EMPTY)).toBe("0123456789+");
});

test("output is heard as it comes, by whoever listens", async () => {
  const { processes, runner } = memoryRig();
  const heard: string[] = [];
  const running = runner.run(request(), {
    output: (stream, bytes) => heard.push(`${stream}: ${Buffer.from(bytes).toString()}`),
  });
  const process = await processes.nextStart();
  process.write("stdout", "one");
  process.write("stderr", "two");
  expect(heard).toEqual(["stdout: one", "stderr: two"]);
  process.exit();
  expect(Buffer.from(completed(await running).result.stdoutRaw ?? []).toString()).toBe("one");
});

test("what a killed runner left is removed by the next one", () => {
  const { fs, options } = memoryRig();
  fs.makeDirectory("/x/runs/7/root");
  fs.writeFile("/x/runs/7/root/f", "left");
  fs.makeDirectory("/x/trees/3");
  hermeticRunner(options);
  expect([fs.readDirectory("/x/runs"), fs.readDirectory("/x/trees")]).toEqual([[], []]);
});

test("a store that refuses is our problem, not the action's", async () => {
  const { blobs, processes, runner } = memoryRig();
  processes.script("act", () => {
    blobs.failWith({ code: "store-full", severity: "error", message: "no space" });
    return { files: { o: "1" } };
  });
  const outcome = await runner.run(request({ outputPaths: ["o"] }));
  expect(outcome).toMatchObject({ kind: "errored", problem: { code: "store-full" } });
});

test("a sandbox that is not there refuses the run, or is announced to be lacking, as the policy says", async () => {
  const required = memoryRig({ sandbox: { mode: "required" } });
  expect(await required.runner.run(request())).toMatchObject({
    kind: "errored",
    problem: { code: "sandbox-unavailable" },
  });
  expect(required.processes.started).toEqual([]);
  const preferred = memoryRig({ sandbox: { mode: "preferred" } });
  expect(await preferred.runner.sandbox()).toMatchObject({ level: "none", lowered: { code: "sandbox-lowered" } });
  expect(completed(await preferred.runner.run(request())).sandbox).toBe("none");
});
