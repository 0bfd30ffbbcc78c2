// Goal: actions of workflows are cached by their digest like any task, end when they are aborted, and say what failed.
// Method: real processes in small workspaces on disk; how often a command ran is what it wrote into a file.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  type ActionOutcome,
  type ActionWork,
  action,
  type CommandWork,
  defineGraph,
  END,
  type FlowRun,
  openFlow,
  type RunResult,
  state,
} from "../flow.ts";

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

const S = state({ seen: state.value<ActionOutcome>() });

function graphOf(work: ActionWork) {
  return defineGraph(S, {
    id: "one",
    version: "1",
    start: "act",
    maxSteps: 10,
    nodes: { act: action<{ seen: ActionOutcome }>({ work, result: (outcome) => ({ set: { seen: plain(outcome) } }) }) },
    edges: [["act", END]],
  });
}

/** Without what a journal cannot hold. */
const plain = (outcome: ActionOutcome) => JSON.parse(JSON.stringify(outcome)) as ActionOutcome;

type One = { readonly seen: ActionOutcome };

let runs = 0;

async function runOne(directory: string, work: ActionWork, during?: (run: FlowRun<One>) => void): Promise<RunResult> {
  const flow = openFlow(join(directory, ".runs"));
  const run = await flow.start(graphOf(work), {}, { id: `r-${++runs}` });
  during?.(run as FlowRun<One>);
  const result = await run.result;
  await flow.close();
  return result;
}

async function outcomeOf(directory: string, work: CommandWork): Promise<ActionOutcome & { kind: "command" }> {
  const result = await runOne(directory, work);
  if (result.status !== "completed") throw new Error(JSON.stringify(result.error ?? result.problem));
  return result.state.seen as ActionOutcome & { kind: "command" };
}

const lines = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n").length : 0);

/** Counts its executions outside of the workspace's inputs and outputs, and makes `out/name`. */
const BUILD: CommandWork = {
  command: ["node", "build.cjs"],
  inputs: ["build.cjs", "src/**"],
  outputs: ["out/**"],
  env: { MODE: "fast" },
};
const BUILD_FILES: Files = {
  "build.cjs": `const fs = require("node:fs");
    fs.appendFileSync("executions", "x\\n");
    fs.mkdirSync("out", { recursive: true });
    fs.writeFileSync("out/name", fs.readFileSync("src/name", "utf8") + process.env.MODE);
    console.log("built"); console.error("carefully");`,
  "src/name": "kahn ",
};

test("a command runs once for one digest: its outputs and what it printed come back in every later run", async () => {
  const directory = workspace(BUILD_FILES);
  const first = await outcomeOf(directory, BUILD);
  expect(first).toMatchObject({ stdout: "built\n", stderr: "carefully\n", cached: false });
  expect(first.outputs).toStrictEqual([
    { path: "out/name", digest: expect.stringMatching(/^sha256:/), sizeBytes: 9, executable: false },
  ]);
  rmSync(join(directory, "out"), { recursive: true });
  const second = await outcomeOf(directory, BUILD);
  expect(second).toStrictEqual({ ...first, cached: true });
  expect(readFileSync(join(directory, "out/name"), "utf8")).toBe("kahn fast");
  expect(lines(join(directory, "executions"))).toBe(1);
});
