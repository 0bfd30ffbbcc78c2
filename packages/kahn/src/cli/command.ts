/** What a command is. */
import type { Problem } from "@kahn/core";
import { painter, problemText } from "@kahn/report";
import type { ArgumentSpec, ParsedArguments } from "./arguments.ts";
import type { Host } from "./host.ts";

/** One command of the command line. */
export interface Command extends ArgumentSpec {
  /** Paragraphs of its help, below the usage. */
  readonly description: string;
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** @returns the exit code: 0 done, 1 a task failed, 2 usage or configuration, 130 cancelled. */
  run(host: Host, given: ParsedArguments): Promise<number>;
}

/** Several commands under one name: `kahn flow run`, `kahn flow list`. */
export interface CommandGroup {
  /** For example `flow COMMAND`. */
  readonly usage: string;
  /** Paragraphs of its help, below the usage. */
  readonly description: string;
  readonly commands: readonly CommandEntry[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

/** A command that is not loaded yet. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command | CommandGroup>;
}

/** Exit codes; the contract of the command line. */
export const EXIT = { done: 0, failed: 1, usage: 2, internal: 3, waiting: 4, cancelled: 130 } as const;

/** Prints problems to standard error and answers the exit code of a usage error. */
export function refuse(host: Pick<Host, "stderr">, problems: readonly Problem[]): number {
  const paint = painter(host.stderr.colour);
  for (const problem of problems) host.stderr.write(problemText(problem, paint));
  return EXIT.usage;
}
