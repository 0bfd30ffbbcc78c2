/**
 * A folder with graphs, and the command line in this very process: no build, no child. A graph's file imports `kahn/flow`
 * from the sources.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bufferSink } from "@kahn/report";
import { onTestFinished } from "vitest";
import { type Host, libraryHost } from "../../cli/host.ts";
import { main } from "../../cli/main.ts";
import type { Prompt } from "../../cli/prompt.ts";

/** Where a graph's file imports `kahn/flow` from. */
export const FLOW = new URL("../../flow.ts", import.meta.url).pathname;

/** What a command gave. */
export interface Told {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Somebody at a terminal: gives the answers in turn, and leaves when there are no more. */
export interface Person {
  readonly answers: readonly string[];
}

/** A folder of files, removed when its test has ended. */
export class FlowFolder {
  readonly directory: string;
  readonly #signalled = new Set<(name: string) => void>();

  constructor(files: Readonly<Record<string, string>>) {
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-flow-cli-")));
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }));
    // So that the file is imported as it is: who has a Kahn installed needs no other reader.
    this.write("node_modules/kahn/package.json", '{ "name": "kahn", "exports": { "./flow": "./package.json" } }');
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.directory, path)), { recursive: true });
    writeFileSync(join(this.directory, path), text.replaceAll('"kahn/flow"', JSON.stringify(FLOW)));
  }

  /** Runs one command line of `kahn flow`; words with blanks in them are given as a list. */
  async flow(line: string | readonly string[], person?: Person): Promise<Told> {
    const [stdout, stderr] = [bufferSink(), bufferSink()];
    const host = { ...hostOf(this.directory, { stdout, stderr, person }), onSignal: this.#onSignal };
    const exitCode = await main(["flow", ...(typeof line === "string" ? line.split(" ") : line)], host);
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  }

  /** A Ctrl-C for every command that runs. */
  interrupt(): void {
    for (const signalled of this.#signalled) signalled("SIGINT");
  }

  readonly #onSignal = (signalled: (name: string) => void) => {
    this.#signalled.add(signalled);
    return () => void this.#signalled.delete(signalled);
  };
}

interface HostParts {
  readonly stdout: Host["stdout"];
  readonly stderr: Host["stderr"];
  readonly person: Person | undefined;
}

function hostOf(directory: string, { stdout, stderr, person }: HostParts): Host {
  const answers = [...(person?.answers ?? [])];
  return {
    ...libraryHost(directory),
    env: { ...libraryHost(directory).env, USER: "ann" },
    stdout,
    stderr,
    canAsk: person !== undefined,
    readInput: async () => "",
    async ask(question): Promise<Prompt> {
      stdout.write(`${question}\n`);
      return { answer: Promise.resolve(answers.shift()), above: (text) => stdout.write(text), dismiss: () => {} };
    },
    watchForeignCode: () => () => {},
    keepOutput: () => {},
    // A test's process goes on; `followRun` only hands on what this gives.
    exit: (code) => Promise.resolve(code) as Promise<never>,
  };
}
