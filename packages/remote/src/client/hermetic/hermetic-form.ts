/**
 * A task's action in its hermetic form: everything it may read is in its input root, and nothing of this machine.
 *
 * Owns:      what belongs to the input root, and which variables a command gets elsewhere.
 * Invariant: no value of the form depends on where the workspace is.
 */
import { posix } from "node:path";
import type { FileSystem, InputEntry, Property, ResolvedAction } from "@kahn/core";
import { compareUtf8 } from "@kahn/core";
import { withProgramFolders } from "./program-path.ts";

/** Where programs are, on any machine. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Names and values of npm's own that are the same everywhere. */
const PORTABLE = /^npm_(lifecycle_event|lifecycle_script|package_name|package_version)$/;

/** The action with all that it may read: its own inputs and the outputs that it can reach. */
export function hermeticForm(resolved: ResolvedAction, reachable: readonly InputEntry[]): ResolvedAction {
  const { command } = resolved;
  const { workingDirectory } = command;
  const inputs = inputsOf([...reachable, ...resolved.inputs], workingDirectory);
  const words = withProgramFolders(command.arguments, inputs, workingDirectory);
  return {
    ...resolved,
    isolation: "hermetic",
    command: { ...command, arguments: words, environment: environmentOf(resolved) },
    inputs,
  };
}

/** Each path once, sorted; nothing below a file or symlink; the working directory is there. */
function inputsOf(entries: readonly InputEntry[], workingDirectory: string): InputEntry[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const isLeaf = (path: string) => {
    const kind = byPath.get(path)?.kind;
    return kind === "file" || kind === "symlink";
  };
  const kept = [...byPath.values()].filter(({ path }) => !ancestors(path).some(isLeaf));
  const directories = new Set(kept.flatMap(({ path }) => ancestors(path)));
  const inputs = kept.filter(({ kind, path }) => kind !== "directory" || !directories.has(path));
  if (workingDirectory !== "" && !directories.has(workingDirectory) && !byPath.has(workingDirectory)) {
    inputs.push({ kind: "directory", path: workingDirectory });
  }
  return inputs.sort((a, b) => compareUtf8(a.path, b.path));
}

function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) found.push(path.slice(0, at));
  return found;
}

function environmentOf({ command, run }: ResolvedAction): Property[] {
  const variables = new Map(command.environment.map(({ name, value }) => [name, value]));
  for (const [name, value] of Object.entries(run.env)) {
    if (PORTABLE.test(name) && !variables.has(name)) variables.set(name, value);
  }
  if (!variables.has("PATH")) variables.set("PATH", PATH);
  return [...variables].map(([name, value]) => ({ name, value })).sort((a, b) => compareUtf8(a.name, b.name));
}

/** More names than this are not looked for. */
const NAMES_MAX = 200;

/**
 * Files of the workspace that a failed command speaks of and did not have.
 *
 * @param text what it was to run, and what it said.
 */
export function unlistedInputs(fs: Pick<FileSystem, "lstat">, form: ResolvedAction, text: string): string[] {
  const { workspaceRoot } = form.outputs;
  const known = new Set(form.inputs.map(({ path }) => path));
  const names = new Set((text.match(/[\w@+.\-/]+/g) ?? []).slice(0, NAMES_MAX));
  const found = new Set<string>();
  for (const name of names) {
    const path = posix.join(form.command.workingDirectory, name.replace(/[.:]+$/, ""));
    if (name.startsWith("/") || path.startsWith("..") || known.has(path) || form.outputs.matches(path)) continue;
    if (fs.lstat(`${workspaceRoot}/${path}`)?.kind === "file") found.add(path);
  }
  return [...found].slice(0, 3);
}
