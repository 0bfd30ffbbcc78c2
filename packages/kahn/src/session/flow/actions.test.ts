// Goal: actions of workflows are cached by their digest like any task, end when they are aborted, and say what failed.
// Method: real processes in small workspaces on disk; how often a command ran is what it wrote into a file.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { digestOf } from "@kahn/core";
import { isAlive } from "@kahn/system";
import { expect, onTestFinished, test } from "vitest";
import {
  type ActionOutcome,
  type ActionWork,
  action,
  type CommandWork,
  defineGraph,
  END,
  openFlow,
  state,
} from "../../flow.ts";
import { taskRunner } from "../../task-runner.ts";

type Files = Readonly<Record<string, string>>;

function workspace(files: Files = {}): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-flow-actions-")));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  write(directory, { "package.json": "{}", "kahn.jsonc": "{}", ...files });
  return directory;
}

function write(directory: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

/** A journal holds no functions. */
const plain = (outcome: ActionOutcome) => JSON.parse(JSON.stringify(outcome)) as ActionOutcome;

const S = state({ seen: state.value<ActionOutcome>() });

function graphOf(work: ActionWork, options: { readonly retry?: { readonly max: number } } = {}) {
  return defineGraph(S, {
    id: "one",
    version: "1",
    start: "act",
    maxSteps: 10,
    nodes: { act: action({ ...options, work, result: (outcome) => ({ set: { seen: plain(outcome) } }) }) },
    edges: [["act", END]],
  });
}

let runs = 0;
const newId = () => `r-${++runs}`;

type Command = Extract<ActionOutcome, { kind: "command" }>;

async function resultOf(directory: string, work: ActionWork, options = {}) {
  const flow = openFlow(join(directory, ".runs"));
  onTestFinished(() => flow.close());
  const run = await flow.start(graphOf(work, options), {}, { id: newId() });
  return run.result;
}

async function outcomeOf(directory: string, work: ActionWork): Promise<Command> {
  const result = await resultOf(directory, work);
  if (result.status !== "completed") throw new Error(JSON.stringify(result));
  return result.state.seen as Command;
}

const script = (text: string): CommandWork => ({ command: ["node", "-e", text] });
const lines = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n").length : 0);

/** Counts its executions outside of the workspace's inputs and outputs, and makes `out/name`. */
const BUILD = { command: ["node", "build.cjs"], inputs: ["build.cjs", "src/**"], outputs: ["out/**"] };
const BUILD_FILES: Files = {
  "build.cjs": `const fs = require("node:fs");
    fs.appendFileSync("executions", "x\\n");
    fs.mkdirSync("out", { recursive: true });
    fs.writeFileSync("out/name", fs.readFileSync("src/name", "utf8") + (process.env.MODE ?? ""));
    console.log("built"); console.error("carefully");`,
  "src/name": "kahn ",
};

test("a command runs once for one digest: its outputs and what it printed come back in every later run", async () => {
  const directory = workspace(BUILD_FILES);
  const first = await outcomeOf(directory, { ...BUILD, env: { MODE: "fast" } });
  expect(first).toMatchObject({ stdout: "built\n", stderr: "carefully\n", cached: false });
  expect(first.outputs).toStrictEqual([
    { path: "out/name", digest: digestOf("kahn fast"), sizeBytes: 9, executable: false },
  ]);
  rmSync(join(directory, "out"), { recursive: true });
  const second = await outcomeOf(directory, { ...BUILD, env: { MODE: "fast" } });
  expect(second).toStrictEqual({ ...first, cached: true });
  expect(readFileSync(join(directory, "out/name"), "utf8")).toBe("kahn fast");
  expect(lines(join(directory, "executions"))).toBe(1);
});

test("another input, variable or command is another digest; a command without inputs always runs", async () => {
  const directory = workspace(BUILD_FILES);
  const executed = async (work: CommandWork) => {
    const before = lines(join(directory, "executions"));
    await outcomeOf(directory, work);
    return lines(join(directory, "executions")) - before;
  };
  expect(await executed(BUILD)).toBe(1);
  expect(await executed(BUILD)).toBe(0);
  expect(await executed({ ...BUILD, env: { MODE: "slow" } })).toBe(1);
  expect(await executed({ ...BUILD, command: ["node", "./build.cjs"] })).toBe(1);
  write(directory, { "src/more": "" });
  expect(await executed(BUILD)).toBe(1);
  const unkept = { command: BUILD.command, outputs: BUILD.outputs };
  expect([await executed(unkept), await executed(unkept)]).toEqual([1, 1]);
  expect((await outcomeOf(directory, unkept)).outputs).toHaveLength(1);
});

test("one digest wherever it comes from: another checkout, a folder's own command, a declared task", async () => {
  const cache = workspace();
  const config = JSON.stringify({
    cache: { dir: `${cache}/shared` },
    tasks: { "//#build": { command: BUILD.command, inputs: BUILD.inputs, outputs: BUILD.outputs } },
  });
  const [first, second] = [workspace({ ...BUILD_FILES, "kahn.jsonc": config }), workspace()];
  cpSync(first, second, { recursive: true });
  const { action: digest, cached } = await outcomeOf(first, BUILD);
  expect(cached).toBe(false);
  expect(await outcomeOf(second, BUILD)).toMatchObject({ action: digest, cached: true });
  const task = await taskRunner().run(["build"], { workspaceRoot: second });
  expect(task).toMatchObject({ ok: true, value: { counts: { executed: 0, cached: 1 } } });
  expect(await outcomeOf(second, { tasks: ["build"] })).toMatchObject({ kind: "tasks", executed: 0, cached: 1 });
  expect([first, second].map((each) => lines(join(each, "executions")))).toEqual([1, 0]);
});

test("a command in a folder has that folder's globs, and its outputs' paths are those of the workspace", async () => {
  const directory = workspace();
  write(join(directory, "packages/app"), BUILD_FILES);
  const made = await outcomeOf(directory, { ...BUILD, cwd: "packages/app" });
  expect(made.outputs.map(({ path }) => path)).toEqual(["packages/app/out/name"]);
  expect(await outcomeOf(directory, { ...BUILD, cwd: "./packages/app/" })).toStrictEqual({ ...made, cached: true });
});

test("a command that fails names node, command, code and last words, and is tried again if its node says so", async () => {
  const directory = workspace();
  const fails = script("console.error('line 1'); console.error('no such thing'); process.exit(3)");
  const { error } = await resultOf(directory, fails);
  expect(error).toMatchObject({ class: "Retryable", code: "flow-command-failed", path: "act#1" });
  expect(error?.message).toMatch(/^act#1: `node -e .*` exited with code 3$/);
  expect(error?.facts).toContainEqual(["stderr", "line 1\nno such thing"]);
  const killed = await resultOf(directory, script("process.kill(process.pid, 'SIGKILL')"));
  expect(killed.error?.message).toContain("SIGKILL");
  const second = script(
    "const fs = require('node:fs'); fs.appendFileSync('tries', 'x\\n');" +
      "process.exit(fs.readFileSync('tries', 'utf8').length > 2 ? 0 : 1)",
  );
  expect((await resultOf(directory, second, { retry: { max: 2, delay: 1 } })).status).toBe("completed");
});

test("tasks that fail are named, with the last that each printed", async () => {
  const words =
    "for (let i = 1; i < 40; i++) console.log('line ' + i); console.error('no such thing'); process.exit(3)";
  const tasks = {
    "//#good": { command: ["node", "-e", "console.log('fine')"] },
    "//#bad": { command: ["node", "-e", words] },
    "//#late": { command: ["node", "-e", ""], dependsOn: ["bad"] },
  };
  const directory = workspace({ "kahn.jsonc": JSON.stringify({ tasks }) });
  const { error } = await resultOf(directory, { tasks: ["good", "late"] });
  expect(error).toMatchObject({ class: "Retryable", code: "flow-tasks-failed" });
  expect(error?.message).toMatch(/^act#1: good, late ended failed \(\/\/#bad\) in run /);
  expect(error?.facts?.[0]).toEqual(["failed", "//#bad exited with code 3"]);
  const [name, said] = error?.facts?.[1] ?? [];
  expect(name).toBe("it said");
  expect(said?.split("\n")).toHaveLength(20);
  expect(said).toContain("line 39");
  expect(said).toContain("no such thing");
});

test("what cannot be run at all is a problem that no retry mends", async () => {
  const directory = workspace();
  const errorOf = async (work: ActionWork) => (await resultOf(directory, work, { retry: { max: 3 } })).error;
  expect(await errorOf({ command: ["no-such-program"] })).toMatchObject({ code: "command-not-started", path: "act#1" });
  expect(await errorOf({ command: ["node"], cwd: "../else" })).toMatchObject({ code: "flow-command-invalid" });
  expect(await errorOf({ command: ["node"], inputs: ["../x"] })).toMatchObject({ code: "flow-command-invalid" });
  expect(await errorOf({ command: ["node"], inputs: ["a/**"], outputs: ["a/**"] })).toMatchObject({
    code: "input-is-output",
  });
  expect(await errorOf({ tasks: ["nothing"] })).toMatchObject({ code: "task-unknown" });
  expect(() => graphOf({ command: [] })).toThrow("has no command");
  write(directory, { "kahn.jsonc": "{ tasks: 1 }" });
  expect((await errorOf({ command: ["node"] }))?.class).toBe("Terminal");
});

test("cancelling a run ends its command with everything that it started", async () => {
  const directory = workspace();
  const inner = "setInterval(() => {}, 1000); console.log('up')";
  const outer = `const child = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(inner)}],
    { stdio: ["ignore", "inherit", "inherit"] });
    require("node:fs").writeFileSync("pids", process.pid + " " + child.pid);
    setInterval(() => {}, 1000);`;
  const flow = openFlow(join(directory, ".runs"));
  onTestFinished(() => flow.close());
  const run = await flow.start(graphOf(script(outer)), {}, { id: newId() });
  for await (const event of run.events({ data: true })) {
    if (event.type !== "node.data" || (event.data as { text?: string }).text?.includes("up") !== true) continue;
    void run.cancel({ by: "test" });
  }
  expect((await run.result).status).toBe("cancelled");
  for (const pid of readFileSync(join(directory, "pids"), "utf8").split(" ")) {
    expect(isAlive(Number(pid))).toBe(false);
  }
});
