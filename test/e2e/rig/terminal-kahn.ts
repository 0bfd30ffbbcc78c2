/**
 * The built command line in a pseudo terminal, typed at.
 *
 * Owns:      the terminal and what it shows; no child outlives its test.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { kahnBinary, until } from "./kahn-process.ts";
import type { Workspace } from "./workspace.ts";

const PYTHON = spawnSync("python3", ["-c", "import os, pty; os.waitstatus_to_exitcode"]);

/** Why there can be no terminal here; `undefined` when there can. */
export const NO_TERMINAL = PYTHON.status === 0 ? undefined : "needs python3 (3.9) to make a terminal";

const CONTROL = /\u001b\[[0-9;]*[A-Za-z]/g;

/** A Kahn in a terminal. */
export class TerminalKahn {
  shown = "";
  readonly exitCode: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(
    workspace: Pick<Workspace, "directory" | "home">,
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ) {
    let raw = "";
    const script = join(import.meta.dirname, "../../crash/rig/terminal.py");
    const child = spawn("python3", [script, process.execPath, kahnBinary(), ...args], {
      cwd: workspace.directory,
      env: { PATH: process.env.PATH, HOME: workspace.home, TERM: "xterm", NO_COLOR: "1", USER: "ann", ...more },
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      raw += text;
      // As a person sees it: without what moves the cursor.
      this.shown = raw.replace(CONTROL, "");
    });
    this.#child = child;
    this.exitCode = new Promise((resolve) => child.once("close", resolve));
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await this.exitCode;
    });
  }

  /** Types a line and the return key. */
  types(text: string): void {
    this.#child.stdin!.write(`type ${text}\n`);
  }

  /** Types without the return key. */
  keys(text: string): void {
    this.#child.stdin!.write(`keys ${text}\n`);
  }

  does(what: "int" | "close"): void {
    this.#child.stdin!.write(`${what}\n`);
  }

  /** Waits until the terminal shows a text, also one from before. */
  async shows(text: string): Promise<void> {
    try {
      await until(`the terminal shows "${text}"`, () => this.shown.includes(text));
    } catch (cause) {
      throw new Error(`"${text}" is not in what the terminal shows:\n${this.shown}`, { cause });
    }
  }
}
