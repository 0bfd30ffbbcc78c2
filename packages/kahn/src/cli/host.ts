/**
 * The host: everything that Kahn takes from the process it runs in.
 *
 * Owns:      the only reading of `process.argv`, `process.env` and the terminal; all other code is given a `Host`.
 */
import { closeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isatty } from "node:tty";
import { problem } from "@kahn/core";
import { painter, problemText, type TextSink } from "@kahn/report";
import { type CodeWatcher, divertOutput, watchForeignCode } from "./foreign-code.ts";
import type { Prompt } from "./prompt.ts";

/** A command that did its work but could not tell. */
const EXIT_LOST = 2;

/** What a command may know of its surroundings. */
export interface Host {
  readonly env: Readonly<Record<string, string>>;
  /** Absolute, with `/`. */
  readonly directory: string;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly pid: number;
  /** `linux-x64` and the like. */
  readonly platform: string;
  readonly nodePath: string;
  /** For example `v22.11.0`. */
  readonly nodeVersion: string;
  readonly processorCount: number;
  /** Calls `signalled` for each INT, TERM and HUP; the answer stops that. */
  onSignal(signalled: (name: string) => void): () => void;
  /** Everything on standard input, as text. */
  readInput(): Promise<string>;
  /** Whether somebody can be asked: input and output are a terminal. */
  readonly canAsk: boolean;
  /** Asks for a line. */
  ask(question: string): Promise<Prompt>;
  /** Tells what code that is not ours does to the process; the answer stops that. */
  watchForeignCode(watcher: CodeWatcher): () => void;
  /** From now on only what Kahn itself writes goes to standard output; what other code prints goes to standard error. */
  keepOutput(): void;
  /** Ends the process once what was printed is out: code that is not ours may keep it from ending by itself. */
  exit(code: number): Promise<never>;
}

/** What a workspace's session needs of its host. */
export type SessionHost = ProcessFacts & Pick<Host, "directory" | "stdout" | "stderr" | "onSignal">;

type ProcessFacts = Pick<Host, "env" | "pid" | "platform" | "nodePath" | "nodeVersion" | "processorCount">;

/**
 * The host for a program that uses Kahn: its environment, but neither its terminal nor its signals.
 *
 * @param directory absolute.
 */
export function libraryHost(directory: string): SessionHost {
  const sink: TextSink = { write: () => {}, isTerminal: false, colour: false, columns: () => 80 };
  return {
    ...processFacts(),
    directory,
    stdout: sink,
    stderr: sink,
    onSignal: () => () => {},
  };
}

/** The host that this process runs on. */
export function processHost(): Host {
  surviveLostTerminal();
  const facts = processFacts();
  const { env } = facts;
  const output = { write: (text: string, done?: () => void) => process.stdout.write(text, done) };
  let stopWatching = () => {};
  const exit = async (code: number) => {
    stopWatching();
    process.exitCode = code;
    const errors = new Promise<void>((done) => void process.stderr.write("", () => done()));
    await Promise.all([new Promise<void>((done) => void output.write("", () => done())), errors]);
    return process.exit();
  };
  return {
    ...facts,
    directory: process.cwd(),
    stdout: { ...streamSink(process.stdout, env), write: (text) => void output.write(text) },
    stderr: streamSink(process.stderr, env),
    onSignal(signalled) {
      const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
      for (const name of names) process.on(name, signalled);
      return () => {
        for (const name of names) process.off(name, signalled);
      };
    },
    async readInput() {
      const parts: Buffer[] = [];
      for await (const part of process.stdin) parts.push(part as Buffer);
      return Buffer.concat(parts).toString("utf8");
    },
    canAsk: process.stdin.isTTY === true && process.stdout.isTTY === true && facts.env.TERM !== "dumb",
    async ask(question) {
      const { openPrompt } = await import("./prompt.ts");
      return openPrompt(question, process.stdin, process.stdout);
    },
    watchForeignCode(watcher) {
      stopWatching = watchForeignCode(watcher, exit);
      return stopWatching;
    },
    keepOutput() {
      const write = divertOutput(process.stdout);
      output.write = (text, done) => write(text, done);
    },
    exit,
  };
}

function processFacts(): ProcessFacts {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  return {
    env,
    pid: process.pid,
    platform: `${process.platform}-${process.arch}`,
    nodePath: process.execPath,
    nodeVersion: process.version,
    processorCount: availableParallelism(),
  };
}

/**
 * Node puts the terminal's settings back when it exits, and aborts (with a core file) when the terminal is gone by then.
 * Descriptors that are closed it leaves alone.
 */
function surviveLostTerminal(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on("exit", () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
}

function streamSink(stream: NodeJS.WriteStream, env: Readonly<Record<string, string>>): TextSink {
  const isTerminal = stream.isTTY === true && env.TERM !== "dumb";
  let isLost = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // A reader that went away (`kahn ls | head`: EPIPE) or a terminal that was closed (EIO) is no error of ours.
    if (error.code === "EPIPE" || (error.code === "EIO" && stream.isTTY === true) || isLost) return;
    isLost = true;
    reportLost(error);
  });
  return {
    write: (text) => void stream.write(text),
    isTerminal,
    colour: wantsColour(isTerminal, env),
    columns: () => stream.columns || 80,
  };
}

/**
 * Output that could not be written, on a full disk for example, ends nothing: what is being done is worth more than the
 * words about it. But who reads the output must not take it for whole, so the exit code tells.
 */
function reportLost(error: NodeJS.ErrnoException): void {
  const why = problem("output-lost", `what Kahn prints could not be written (${error.code ?? error.message})`, {
    next: "Free some space where it goes, or send it elsewhere.",
  });
  // Standard error may be what was lost; then nobody can be told.
  process.stderr.write(problemText(why, painter(false)));
  process.on("exit", () => {
    if (process.exitCode === 0) process.exitCode = EXIT_LOST;
  });
}

/** `NO_COLOR` wins, then `FORCE_COLOR`, then whether it is a terminal. Source: no-color.org. */
function wantsColour(isTerminal: boolean, env: Readonly<Record<string, string>>): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return isTerminal;
}
