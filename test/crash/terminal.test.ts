/** Acceptance: Ctrl-C as a person types it, in a terminal, and a terminal that is closed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { kahnBinary, until } from "../e2e/rig/kahn-process.ts";
import { type CrashWorkspace, HANG, STUBBORN, scriptedWorkspace } from "./rig/crash-workspace.ts";
import { UNSUPPORTED } from "./rig/live-processes.ts";

const PYTHON = spawnSync("python3", ["-c", "import os, pty; os.waitstatus_to_exitcode"]);
const NO_TERMINAL = UNSUPPORTED ?? (PYTHON.status === 0 ? undefined : "needs python3 (3.9) to make a terminal");

beforeEach(({ skip }) => skip(NO_TERMINAL !== undefined, NO_TERMINAL));

/** A Kahn in a terminal. */
class TerminalKahn {
  shown = "";
  readonly exitCode: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(workspace: CrashWorkspace, args: readonly string[]) {
    const script = join(import.meta.dirname, "rig/terminal.py");
    const child = spawn("python3", [script, process.execPath, kahnBinary(), ...args], {
      cwd: workspace.directory,
      env: { PATH: process.env.PATH, HOME: workspace.home, TERM: "xterm" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.shown += text));
    this.#child = child;
    this.exitCode = new Promise((resolve) => child.once("close", resolve));
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await this.exitCode;
    });
  }

  does(what: "int" | "close"): void {
    this.#child.stdin!.write(`${what}\n`);
  }
}

test("Ctrl-C in a terminal, among tasks that ignore it: 130, nothing left, recorded", async () => {
  const workspace = scriptedWorkspace({ a: STUBBORN, b: STUBBORN }, { grace: "200ms" });
  const kahn = new TerminalKahn(workspace, ["run", "task", "--concurrency", "2"]);
  await workspace.started(["a", "b"]);
  kahn.does("int");
  expect(await kahn.exitCode, kahn.shown).toBe(130);
  expect(workspace.living()).toEqual([]);
  expect(workspace.runs()).toMatchObject([{ status: "cancelled" }]);
});

test("a second Ctrl-C in a terminal skips a grace of ten minutes", async () => {
  const workspace = scriptedWorkspace({ a: STUBBORN, b: STUBBORN }, { grace: "10m" });
  const kahn = new TerminalKahn(workspace, ["run", "task", "--json", "--concurrency", "2"]);
  await workspace.started(["a", "b"]);
  kahn.does("int");
  await until("Kahn has taken the first", () => kahn.shown.includes('"run.cancelling"'));
  expect(workspace.living().length).toBeGreaterThanOrEqual(9);
  kahn.does("int");
  expect(await kahn.exitCode, kahn.shown).toBe(130);
  expect(workspace.living()).toEqual([]);
  expect(workspace.runs()).toMatchObject([{ status: "cancelled" }]);
});

// Goal: a terminal that goes away ends the run as HUP does, although nothing can be shown any more.
test.each([
  ["HANG", HANG],
  ["STUBBORN", STUBBORN],
])("a closed terminal ends the run and everything in it, and the run is recorded (%s)", async (_, script) => {
  const workspace = scriptedWorkspace({ a: script, b: script }, { grace: "200ms" });
  const kahn = new TerminalKahn(workspace, ["run", "task", "--concurrency", "2"]);
  await workspace.started(["a", "b"]);
  kahn.does("close");
  expect(await kahn.exitCode, kahn.shown).toBe(130);
  await workspace.quiet();
  expect(workspace.runs()).toMatchObject([{ status: "cancelled" }]);
});
