/**
 * Checks a command that anybody may have sent, and puts its paths into one form.
 *
 * Invariant: a path that comes out is relative to the input root, has no `.`, `..` or empty segment, and does not
 *            start with `/`; the empty path is the input root.
 */
import { posix } from "node:path";
import { err, ok, type Problem, type Property, problem, type Result } from "@kahn/core";
import type { HermeticCommand } from "./hermetic-action.ts";
import { PATH_MAX } from "./internal/tree-paths.ts";

/** An output that is to be looked for. */
export interface WantedOutput {
  /** As the client wrote it: what the result names. */
  readonly path: string;
  /** Relative to the input root. */
  readonly place: string;
  /** Which kind an older client declared. */
  readonly declared: "any" | "file" | "directory";
}

/** A command with its paths in one form. */
export interface CheckedCommand {
  readonly arguments: readonly string[];
  readonly environment: readonly Property[];
  readonly workingDirectory: string;
  readonly outputs: readonly WantedOutput[];
  readonly wantsMtime: boolean;
  readonly wantsMode: boolean;
  readonly wantsDirectories: boolean;
}

type Refused = Problem<"command-invalid">;

/** Declared outputs: each is sought by itself. Who makes more declares their directory. */
const OUTPUTS_MAX = 50_000;

/** What the runner needs of a command, or what is wrong with it. */
export function checkCommand(command: HermeticCommand): Result<CheckedCommand, Refused> {
  if (command.arguments.length === 0) return refuse("has no arguments, so there is nothing to run");
  if (command.arguments[0] === "") return refuse("has an empty program name");
  for (const text of command.arguments) if (text.includes("\0")) return refuse("has an argument with a NUL byte");
  const environment = checkEnvironment(command.environment);
  if (!environment.ok) return environment;
  const workingDirectory = placeOf("", command.workingDirectory);
  if (workingDirectory === undefined) {
    return refuse(`has the working directory ${shown(command.workingDirectory)}, outside of its input root`);
  }
  const outputs = checkOutputs(command, workingDirectory);
  if (!outputs.ok) return outputs;
  const properties = new Set(command.outputNodeProperties ?? []);
  const unknown = [...properties].find((name) => name !== "mtime" && name !== "unix_mode");
  if (unknown !== undefined) return refuse(`asks for the unknown node property ${JSON.stringify(unknown)}`);
  return ok({
    arguments: command.arguments,
    environment: environment.value,
    workingDirectory,
    outputs: outputs.value,
    wantsMtime: properties.has("mtime"),
    wantsMode: properties.has("unix_mode"),
    wantsDirectories: command.wantsDirectories ?? false,
  });
}

function checkEnvironment(environment: readonly Property[]): Result<readonly Property[], Refused> {
  const names = new Set<string>();
  for (const { name, value } of environment) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      return refuse(`has the variable ${JSON.stringify(name)}, which no environment can hold`);
    }
    if (names.has(name)) return refuse(`sets the variable ${name} twice`);
    names.add(name);
  }
  return ok(environment);
}

function checkOutputs(command: HermeticCommand, directory: string): Result<WantedOutput[], Refused> {
  const declared =
    command.outputPaths.length > 0
      ? command.outputPaths.map((path) => ({ path, declared: "any" as const }))
      : [
          ...(command.outputFiles ?? []).map((path) => ({ path, declared: "file" as const })),
          ...(command.outputDirectories ?? []).map((path) => ({ path, declared: "directory" as const })),
        ];
  if (declared.length > OUTPUTS_MAX) return refuse(`declares ${declared.length} outputs, more than ${OUTPUTS_MAX}`);
  const outputs = new Map<string, WantedOutput>();
  for (const each of declared) {
    const place = placeOf(directory, each.path);
    // The whole working directory may be an output; a file cannot be.
    if (place === undefined || (place === directory && each.declared === "file")) {
      return refuse(`has the output ${shown(each.path)}, which is not below its input root`);
    }
    const known = outputs.get(each.path);
    if (known !== undefined && known.declared !== each.declared) {
      return refuse(`declares the output ${shown(each.path)} as a file and as a directory`);
    }
    outputs.set(each.path, { ...each, place });
  }
  return ok([...outputs.values()]);
}

/** `path` below `directory` and seen from the input root; `undefined` when it leaves that. */
function placeOf(directory: string, path: string): string | undefined {
  if (path.startsWith("/") || path.includes("\0") || path.length > PATH_MAX) return undefined;
  const place = posix.join(directory, path).replace(/\/$/, "");
  if (place === ".." || place.startsWith("../")) return undefined;
  return place === "." ? "" : place;
}

function shown(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}

function refuse(what: string): { readonly ok: false; readonly problem: Refused } {
  return err(
    problem("command-invalid", `the command ${what}`, { next: "Correct the rule or tool that made this action." }),
  );
}
