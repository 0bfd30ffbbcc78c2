/**
 * The command line: finds the command, reads its arguments, runs it.
 *
 * Owns:      the exit code, and the last word on bugs: nothing else catches an `InvariantError`.
 */
import { closestName, FileSystemError, type Problem, ProblemError, problem } from "@kahn/core";
import { VERSION } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import { EXIT, refuse } from "./command.ts";
import { COMMANDS } from "./command-table.ts";
import { commandHelp, generalHelp } from "./help.ts";
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
  const wanted = name === "help" ? rest[0]! : name;
  const entry = COMMANDS.find((each) => each.name === wanted);
  if (entry === undefined) return refuse(host, [unknownCommand(wanted)]);
  const command = await entry.load();
  const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (name === "help" || own.includes("--help") || own.includes("-h")) {
    host.stdout.write(commandHelp(command));
    return EXIT.done;
  }
  const given = parseArguments(command, rest);
  return given.ok ? command.run(host, given.value) : refuse(host, [given.problem]);
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
