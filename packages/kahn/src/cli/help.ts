/** Help texts. */
import { optionsHelp } from "./arguments.ts";
import type { Command, CommandEntry, CommandGroup } from "./command.ts";
import { COMMANDS } from "./command-table.ts";

/** `kahn --help`. */
export function generalHelp(): string {
  return `Kahn runs graphs of work, and nothing twice.

Usage: kahn COMMAND [OPTIONS]

Commands:
${commandLines(COMMANDS)}
Start here:
  kahn run build test   run these tasks in every package that has them
  kahn init             declare inputs and outputs, so that results are cached
  kahn why web#build    see why a task would run

Exit codes:
  0 done · 1 a task failed, or a check found something · 2 refused: usage or configuration · 3 a bug of Kahn
  4 a workflow waits for a decision · 130 cancelled

Variables:
  KAHN_CACHE_DIR      folder of the local cache, instead of .kahn/cache
  KAHN_REMOTE_URL     the server of the remote cache, instead of cache.remote.url of kahn.jsonc
  KAHN_REMOTE_TOKEN   the token it is shown
  NO_COLOR            anything: no colours; FORCE_COLOR: colours also into a file

kahn COMMAND --help says more. kahn --version prints the version.
`;
}

/** `kahn GROUP --help`. */
export function groupHelp({ usage, description, commands, examples }: CommandGroup): string {
  const parts = [`Usage: kahn ${usage}`, description.trim(), `Commands:\n${commandLines(commands)}`].join("\n\n");
  return `${parts}\nExamples:\n${exampleLines(examples)}\nkahn ${usage} --help says more.\n`;
}

function commandLines(commands: readonly CommandEntry[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
}

function exampleLines(examples: Command["examples"]): string {
  const width = Math.max(0, ...examples.map(([line]) => line.length));
  return examples.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}\n`).join("");
}

/** `kahn COMMAND --help`. */
export function commandHelp(command: Command): string {
  const examples = exampleLines(command.examples);
  const options = command.options.length === 0 ? "" : `\nOptions:\n${optionsHelp(command.options)}`;
  return `Usage: kahn ${command.usage}\n\n${command.description.trim()}\n${options}${examples === "" ? "" : `\nExamples:\n${examples}`}`;
}
