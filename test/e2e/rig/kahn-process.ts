/**
 * The built command line as a child process.
 *
 * Owns:      the environment that Kahn is started in, its output, and its end: no child outlives its test.
 * Invariant: nothing of the developer's own environment but PATH reaches Kahn, so that a test sees the same everywhere.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const BUILT = join(ROOT, "packages/kahn/dist/kahn.mjs");

/** Longest wait for a condition; only a broken build ever waits that long. */
const PATIENCE_MS = 30_000;

let built: string | undefined;

/** The command line under test: the repository's own build, or what `KAHN_E2E_BIN` names. */
export function kahnBinary(): string {
  if (built !== undefined) return built;
  const binary = process.env.KAHN_E2E_BIN ?? BUILT;
  // Does nothing when the build is up to date, as it is after `npm test` has set up.
  if (binary === BUILT) execFileSync(process.execPath, [join(ROOT, "tools/build.mjs")], { stdio: "pipe" });
  if (!existsSync(binary)) throw new Error(`${binary} is not there`);
  built = binary;
  return binary;
}

/** How a Kahn ended. */
export interface Outcome {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and with what a Kahn is started. */
export interface StartOptions {
  /** Absolute. */
  readonly cwd: string;
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Makes Kahn the leader of a process group, as a shell with job control does; for `signalGroup`. */
  readonly ownGroup?: boolean;
  /** Runs as this user; only root can ask for it. */
  readonly uid?: number;
}

/** A Kahn that runs. */
export class KahnProcess {
  /** Settles when it has exited and its output is read. */
  readonly ended: Promise<Outcome>;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #ownGroup: boolean;

  constructor(args: readonly string[], { cwd, home, env = {}, ownGroup = false, uid }: StartOptions) {
    this.#ownGroup = ownGroup;
    const child = spawn(process.execPath, [kahnBinary(), ...args], {
      cwd,
      env: { PATH: process.env.PATH, HOME: home, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: ownGroup,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode, signal) =>
        resolve({ exitCode, signal, stdout: this.stdout, stderr: this.stderr }),
      );
    });
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await this.ended;
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Waits until it has printed a text, on either stream. */
  printed(text: string): Promise<void> {
    return until(`kahn prints "${text}"`, () => this.stdout.includes(text) || this.stderr.includes(text));
  }

  /** Sends a signal to Kahn alone, as `kill` would. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Sends a signal to Kahn's whole group, as a terminal does. No effect once Kahn has exited. */
  signalGroup(name: NodeJS.Signals): void {
    if (!this.#ownGroup) throw new Error("not started with `ownGroup`");
    if (this.#child.exitCode === null && this.#child.signalCode === null) process.kill(-this.pid, name);
  }

  /** Resolves at the moment when the output holds what is looked for, or when Kahn has ended. */
  async output(holds: (stdout: string) => boolean): Promise<void> {
    let ended = false;
    const end = this.ended.finally(() => {
      ended = true;
    });
    while (!ended && !holds(this.stdout)) await Promise.race([once(this.#child.stdout!, "data"), end]);
  }
}

/** Waits until a condition holds; what never becomes true fails the test by its name. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > giveUpAtMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
