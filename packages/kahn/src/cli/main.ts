/**
 * The command line: finds the command, reads its arguments, runs it.
 *
 * Owns:      the exit code, and the last word on bugs: nothing else catches an `InvariantError`.
 */
import { closestName, FileSystemError, type Problem, ProblemError, problem } from "@kahn/core";
import { VERSION } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import { type CommandEntry, type CommandGroup, EXIT, refuse } from "./command.ts";
import { COMMANDS } from "./command-table.ts";
import { commandHelp, generalHelp, groupHelp } from "./help.ts";
import { type Host, processHost } from "./host.ts";

/** Runs one command line. @returns the exit code. */
export async function main(argv: readonly string[], host: Host = processHost()): Promise<number> {
  try {
    return await dispatch(argv, host);
  } catch (cause) {
    if (cause instanceof ProblemError) return refuse(host, cause.problems);
    if (cause instanceof FileSystemError) return refuse(host, [fileSystemProblem(cause)]);
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    host.stderr.write(`kahn ${VERSION} met a bug of its own; nothing that was recorded is lost.\n${text}\n`);
    return EXIT.internal;
  }
}

async function dispatch(argv: readonly string[], host: Host): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    host.stdout.write(generalHelp());
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  if (name === "--version" || name === "-V") {
    host.stdout.write(`${VERSION}\n`);
    return EXIT.done;
  }
  const words = name === "help" ? [...rest, "--help"] : argv;
  const entry = COMMANDS.find((each) => each.name === words[0]);
  if (entry === undefined) return refuse(host, [unknownCommand(words[0]!)]);
  return perform(entry, words.slice(1), host);
}

async function perform(entry: CommandEntry, words: readonly string[], host: Host): Promise<number> {
  const command = await entry.load();
  if ("commands" in command) return performOne(command, words, host);
  const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
  if (own.includes("--help") || own.includes("-h")) {
    host.stdout.write(commandHelp(command));
    return EXIT.done;
  }
  const given = parseArguments(command, words);
  return given.ok ? command.run(host, given.value) : refuse(host, [given.problem]);
}

/** The command of a group that the next word names. */
async function performOne(group: CommandGroup, words: readonly string[], host: Host): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || name === "--help" || name === "-h") {
    host.stdout.write(groupHelp(group));
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  const entry = group.commands.find((each) => each.name === name);
  if (entry !== undefined) return perform(entry, rest, host);
  const names = group.commands.map((each) => each.name);
  const suggestion = closestName(name, names);
  return refuse(host, [
    problem("arguments-count", `kahn ${group.usage.split(" ")[0]} has no "${name}"`, {
      next: suggestion === undefined ? `One of: ${names.join(", ")}.` : `Did you mean ${suggestion}?`,
    }),
  ]);
}

/** A refusal that nothing below had words for; a file of Kahn's own, since those of tasks and of the cache are named there. */
function fileSystemProblem({ code, operation, path }: FileSystemError): Problem {
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return problem("file-system-refused", `could not ${operation} ${path} (${code})`, {
    next: isFull ? "Free some space and run it again." : "Give this user the right to do that, or check the disk.",
  });
}

function unknownCommand(name: string) {
  const suggestion = closestName(
    name,
    COMMANDS.map((each) => each.name),
  );
  return problem("command-unknown", `kahn has no command "${name}"`, {
    next:
      suggestion === undefined
        ? `To run a task: kahn run ${name}. All commands: kahn --help.`
        : `Did you mean kahn ${suggestion}?`,
  });
}
