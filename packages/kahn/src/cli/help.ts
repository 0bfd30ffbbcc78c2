/** Help texts. */
import { optionsHelp } from "./arguments.ts";
import type { Command } from "./command.ts";
import { COMMANDS } from "./command-table.ts";

/** `kahn --help`. */
export function generalHelp(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
  return `Kahn runs graphs of work, and nothing twice.

Usage: kahn COMMAND [OPTIONS]

Commands:
${lines}
Start here:
  kahn run build test   run these tasks in every package that has them
  kahn init             declare inputs and outputs, so that results are cached
  kahn why web#build    see why a task would run

kahn COMMAND --help says more. kahn --version prints the version.
`;
}

/** `kahn COMMAND --help`. */
export function commandHelp(command: Command): string {
  const width = Math.max(0, ...command.examples.map(([line]) => line.length));
  const examples = command.examples.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}\n`).join("");
  const options = command.options.length === 0 ? "" : `\nOptions:\n${optionsHelp(command.options)}`;
  return `Usage: kahn ${command.usage}\n\n${command.description.trim()}\n${options}${examples === "" ? "" : `\nExamples:\n${examples}`}`;
}
