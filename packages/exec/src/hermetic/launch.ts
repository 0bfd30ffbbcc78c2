/**
 * How a command is started: what stands between the process runner and the command itself.
 *
 *     sh LAUNCHER → [bwrap] → env → the command
 *
 * The shell opens what bubblewrap reads and writes by number, and says how much processor time was used. `env` takes away
 * the variables that those on the way have set (the runner's mark, `PWD`) and seeks the program along the command's own
 * PATH; a program that cannot be run gives 126 or 127 and a line on stderr, as everywhere.
 */
import type { FileSystem, ProcessExit, ProcessMark, ProcessSpec, Property } from "@kahn/core";
import type { CheckedCommand } from "./command-check.ts";
import type { ResourceUse } from "./hermetic-action.ts";

/**
 * $1 gets the times; $2 holds the arguments of bubblewrap and $3 gets its status, both empty without a sandbox. The shell's
 * own words ("Segmentation fault") must not get among those of the command, hence the inner parentheses. No variable is set: it might be one of the
 * command's own.
 */
const LAUNCHER = `exec 5>"$1" 6>&2 2>/dev/null
if [ -n "$2" ]; then exec 3<"$2" 4>"$3"; fi
shift 3
(exec "$@" 2>&6 5>&- 6>&-)
set -- "$?"
times >&5
exit "$1"`;

/** What shells, bubblewrap and the process runner put into an environment. */
const FOREIGN = ["KAHN_PROCESS", "PWD", "OLDPWD", "SHLVL", "_"];

/** Where a launch leaves its traces. Absolute paths. */
export interface LaunchFiles {
  readonly times: string;
  readonly arguments: string;
  readonly status: string;
}

/** What to start. */
export interface LaunchSpec {
  /** So that what leaves its group is found. */
  readonly mark?: ProcessMark | undefined;
  readonly command: Pick<CheckedCommand, "arguments" | "environment">;
  readonly files: LaunchFiles;
  /** Absolute path of bubblewrap, whose arguments are in `files.arguments`; `undefined` for none. */
  readonly sandbox: string | undefined;
  /** Absolute directory to stand in. */
  readonly cwd: string;
}

/** The process that runs a command. */
export function launch({ command, files, sandbox, cwd, mark }: LaunchSpec): Pick<ProcessSpec, "argv" | "env" | "cwd"> {
  const inner = [...bareEnvironment(command.environment), ...program(command.arguments)];
  const around = sandbox === undefined ? [] : [sandbox, "--args", "3", "--json-status-fd", "4", "--"];
  const told = sandbox === undefined ? ["", ""] : [files.arguments, files.status];
  return {
    argv: ["/bin/sh", "-c", marked(LAUNCHER, mark), "kahn", files.times, ...told, ...around, ...inner],
    // In a sandbox the variables are set inside.
    env: sandbox === undefined ? variables(command.environment) : {},
    cwd,
  };
}

/** $1 and $2: named pipes for standard input and output; $3 as above. */
const WORKER_LAUNCHER = `if [ -n "$3" ]; then exec 3<"$3"; fi
exec <"$1" >"$2"
shift 3
exec "$@"`;

/** What to start as a persistent worker. */
export interface WorkerLaunchSpec extends Omit<LaunchSpec, "files"> {
  /** Absolute paths of named pipes, and of the arguments of bubblewrap. */
  readonly files: { readonly toProcess: string; readonly fromProcess: string; readonly arguments: string };
}

/** The process of a persistent worker. */
export function launchWorker(spec: WorkerLaunchSpec): Pick<ProcessSpec, "argv" | "env" | "cwd"> {
  const { command, files, sandbox, cwd, mark } = spec;
  const inner = [...bareEnvironment(command.environment), ...program(command.arguments)];
  const around = sandbox === undefined ? [] : [sandbox, "--args", "3", "--"];
  const told = [files.toProcess, files.fromProcess, sandbox === undefined ? "" : files.arguments];
  return {
    argv: ["/bin/sh", "-c", marked(WORKER_LAUNCHER, mark), "kahn", ...told, ...around, ...inner],
    env: sandbox === undefined ? variables(command.environment) : {},
    cwd,
  };
}

function marked(script: string, mark: ProcessMark | undefined): string {
  return mark === undefined ? script : `${mark.shell}\n${script}`;
}

function variables(environment: readonly Property[]): Record<string, string> {
  return Object.fromEntries(environment.map(({ name, value }) => [name, value]));
}

/** `env` with what makes the environment exactly the one asked for. */
function bareEnvironment(environment: readonly Property[]): string[] {
  const given = new Map(environment.map(({ name, value }) => [name, value]));
  const absent = FOREIGN.filter((name) => !given.has(name)).flatMap((name) => ["-u", name]);
  const present = FOREIGN.filter((name) => given.has(name)).map((name) => `${name}=${given.get(name)}`);
  return ["/usr/bin/env", ...absent, "--", ...present];
}

/** `env` takes a program whose name has an equals sign for a variable; `nice` does not. */
function program(argv: readonly string[]): readonly string[] {
  return argv[0]?.includes("=") === true ? ["/usr/bin/nice", "-n", "0", "--", ...argv] : argv;
}

/** The times that the launcher wrote; nothing where it was killed before. */
export function readUse(fs: FileSystem, files: LaunchFiles): ResourceUse {
  const text = Buffer.from(fs.readFile(files.times) ?? new Uint8Array()).toString();
  // The second line is that of the children: `0m0.12s 0m0.01s`; some shells write a comma.
  const match = /\n(\d+)m(\d+)[.,](\d+)s (\d+)m(\d+)[.,](\d+)s/.exec(text);
  if (match === null) return {};
  const [, userMin, userSec, userPart, systemMin, systemSec, systemPart] = match;
  const ms = (minutes = "0", seconds = "0", part = "0") =>
    Math.round((Number(minutes) * 60 + Number(`${seconds}.${part}`)) * 1000);
  return { userMs: ms(userMin, userSec, userPart), systemMs: ms(systemMin, systemSec, systemPart) };
}

/** True when the sandbox ended without having run the command to its end. */
export function sandboxFailed(fs: FileSystem, files: LaunchFiles): boolean {
  const status = Buffer.from(fs.readFile(files.status) ?? new Uint8Array()).toString();
  return !status.includes('"exit-code"');
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  ...{ SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGTRAP: 5, SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9 },
  ...{ SIGSEGV: 11, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15, SIGXCPU: 24, SIGXFSZ: 25, SIGSYS: 31 },
};

/** The exit code that a shell would show. */
export function exitCodeOf(exit: Exclude<ProcessExit, { kind: "not-started" }>): number {
  return exit.kind === "exited" ? exit.exitCode : 128 + (SIGNAL_NUMBERS[exit.signal] ?? 0);
}
