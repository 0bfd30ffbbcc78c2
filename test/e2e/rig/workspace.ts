/**
 * A workspace in a temporary folder: real files, real git, and the built Kahn run in it.
 *
 * Owns:      the folder, which is removed when its test has ended, and reading a run's `--json` lines.
 */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { RunEvent } from "@kahn/core";
import { type Recorder, recorder } from "@kahn/testing";
import { onTestFinished } from "vitest";
import { KahnProcess, kahnBinary, type Outcome } from "./kahn-process.ts";

/** Files by path; an object is written as JSON. */
export type Files = Readonly<Record<string, string | object>>;

/** A finished `kahn run --json`. */
export interface RunReport extends Outcome {
  readonly log: Recorder;
  /** The last line, whose members are the counts. */
  readonly finished: Readonly<Record<string, unknown>>;
}

/** Where and with what a command is started in a workspace. */
export interface CommandOptions {
  /** Relative to the workspace. */
  readonly in?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** See `StartOptions`. */
  readonly ownGroup?: boolean;
  /** See `StartOptions`. */
  readonly uid?: number;
}

/** A workspace on disk. */
export class Workspace {
  readonly directory: string;
  readonly home: string;

  constructor(files: Files = {}) {
    const base = mkdtempSync(join(tmpdir(), "kahn-e2e-"));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    // A folder of its own: a package manager's files further up must not make it part of another workspace.
    this.directory = join(base, "work");
    this.home = join(base, "home");
    mkdirSync(this.directory);
    mkdirSync(this.home);
    for (const [path, content] of Object.entries(files)) this.write(path, content);
  }

  path(path: string): string {
    return join(this.directory, path);
  }

  write(path: string, content: string | object, mode = 0o644): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`);
    chmodSync(this.path(path), mode);
  }

  append(path: string, text: string): void {
    appendFileSync(this.path(path), text);
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  remove(path: string): void {
    rmSync(this.path(path), { recursive: true });
  }

  /** Lines of a file; none when it is absent. */
  lines(path: string): string[] {
    return this.exists(path) ? this.read(path).split("\n").slice(0, -1) : [];
  }

  /** Everything below a folder: kind, mode and content by path. */
  tree(path: string): Record<string, string> {
    const found: Record<string, string> = {};
    const walk = (folder: string): void => {
      for (const name of readdirSync(this.path(folder)).sort()) {
        const at = `${folder}/${name}`;
        const stat = lstatSync(this.path(at));
        if (stat.isSymbolicLink()) found[at] = `-> ${readlinkSync(this.path(at))}`;
        else if (stat.isDirectory()) {
          found[at] = "/";
          walk(at);
        } else found[at] = `${(stat.mode & 0o777).toString(8)} ${readFileSync(this.path(at), "base64")}`;
      }
    };
    walk(path);
    return found;
  }

  /** All files below a folder whose bytes contain a text. */
  filesWith(folder: string, text: string): string[] {
    return readdirSync(this.path(folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => readFileSync(file).includes(text));
  }

  git(...args: readonly string[]): string {
    const identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "gc.auto=0"];
    return execFileSync("git", [...identity, ...args], { cwd: this.directory, encoding: "utf8", stdio: "pipe" });
  }

  /** Makes the folder a git repository with everything in one commit. */
  commitAll(): void {
    this.git("init", "-q", "-b", "main");
    this.git("add", "-A");
    this.git("commit", "-qm", "all");
  }

  /** Puts the Kahn under test where scripts find it, as an installed one would be. */
  installKahn(): void {
    this.write("node_modules/.bin/kahn", `#!/bin/sh\nexec '${process.execPath}' '${kahnBinary()}' "$@"\n`, 0o755);
  }

  start(args: readonly string[], { in: folder = "", ...rest }: CommandOptions = {}): KahnProcess {
    return new KahnProcess(args, { cwd: this.path(folder), home: this.home, ...rest });
  }

  /** Runs a command line to its end. */
  kahn(args: string | readonly string[], options: CommandOptions = {}): Promise<Outcome> {
    return this.start(typeof args === "string" ? args.split(" ") : args, options).ended;
  }

  /** `kahn run … --json`, read. */
  async run(args: string | readonly string[], options: CommandOptions = {}): Promise<RunReport> {
    const words = typeof args === "string" ? args.split(" ") : args;
    return readReport(await this.kahn(["run", "--json", ...words], options));
  }
}

/** Reads the lines of a `--json` run; a line that is no JSON fails the test. */
export function readReport(outcome: Outcome): RunReport {
  const log = recorder();
  let finished: Record<string, unknown> = {};
  for (const line of outcome.stdout.split("\n").filter((each) => each !== "")) {
    const event = JSON.parse(line) as RunEvent;
    log.event(event);
    if (event.kind === "run.finished") finished = event as unknown as Record<string, unknown>;
  }
  if (finished.kind === undefined) throw new Error(`no run.finished: ${outcome.stdout}${outcome.stderr}`);
  return { ...outcome, log, finished };
}

/** The root package.json of a workspace with `packages/*`. */
export const ROOT_MANIFEST = { name: "root", private: true, workspaces: ["packages/*"] };

/** A package's package.json. */
export function manifest(name: string, scripts: object, dependencies: readonly string[] = []): object {
  return { name, version: "1.0.0", scripts, dependencies: Object.fromEntries(dependencies.map((each) => [each, "*"])) };
}

/** Why nodes had to run: every reason as `code name (detail)`, by label. */
export function reasonsOf({ log }: RunReport): Record<string, string[]> {
  const reasons: Record<string, string[]> = {};
  for (const event of log.ofKind("node.missed")) {
    const shown = event.reasons.map(({ code, name, detail }) =>
      [code, name, detail === undefined ? undefined : `(${detail})`].filter((part) => part !== undefined).join(" "),
    );
    (reasons[log.labelOf(event.node)] ??= []).push(...shown);
  }
  return reasons;
}
