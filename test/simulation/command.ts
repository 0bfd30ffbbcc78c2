/**
 * What a simulated command does, as a pure function of what it reads.
 *
 * Never:     knows where the readings come from: the fake processes read files, the oracle reads its own list of sources.
 */
import { createHash } from "node:crypto";
import { folderOf, type SimTask, type Source } from "./sim-workspace.ts";

/** Outputs by workspace-relative path: `file TEXT`, `exec TEXT`, `-> TARGET`, or `/` for an empty directory. */
export type OutputTree = ReadonlyMap<string, string>;

/** All that a command reads. */
export interface Reading {
  /** Own inputs, sorted by path. */
  readonly own: readonly (readonly [path: string, source: Source])[];
  readonly dependencies: readonly (readonly [task: string, outputs: OutputTree])[];
}

/** What comes of it. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly outputs: OutputTree;
}

/** An input with this in it makes a command fail. */
export const FAIL_MARK = "FAIL";

/** Runs the command. */
export function performCommand(task: SimTask, reading: Reading): CommandResult {
  const seen = reading.own.map(([path, source]) => [path, seenOf(task, source)] as const);
  const digest = sha(JSON.stringify([task.name, seen, reading.dependencies.map(([name, tree]) => [name, [...tree]])]));
  const failed = seen.some(([, content]) => content.includes(FAIL_MARK));
  const stdout = `${task.name} ${digest}\n${task.isChatty ? `${digest} `.repeat(90) : ""}`;
  return { exitCode: failed ? 3 : 0, stdout, outputs: failed ? new Map() : outputsOf(task, { seen, digest }) };
}

/** The output globs of a task, relative to its project. */
export function outputGlobs(task: SimTask): string[] | undefined {
  if (task.kind !== "command") return undefined;
  if (task.outputs === "none") return [];
  return task.outputs === "tree" ? [`out/${task.name}/**`] : [`${task.name}.out`, `${task.name}.flag`];
}

/** Literal roots of the outputs, workspace-relative. */
export function outputRoots(task: SimTask): string[] {
  const folder = folderOf(task.project);
  return (outputGlobs(task) ?? []).map((glob) => `${folder}/${glob.replace("/**", "")}`);
}

/** The file that lists the other outputs, for those who read them. */
export function indexPath(task: SimTask): string {
  return task.outputs === "tree" ? `${outputRoots(task)[0]}/index` : outputRoots(task)[0]!;
}

function outputsOf(
  task: SimTask,
  { seen, digest }: { readonly seen: readonly (readonly [string, string])[]; readonly digest: string },
): OutputTree {
  const tree = new Map<string, string>();
  if (task.outputs === "none") return tree;
  const number = Number.parseInt(digest.slice(0, 8), 16);
  if (task.outputs === "files") {
    const [main, flag] = outputRoots(task) as [string, string];
    // A tool that does not clean up leaves no file of an input that is not there any more.
    const flagged = task.cleans ? number % 3 : 1;
    if (flagged === 1) tree.set(flag, `exec ${digest}`);
    if (flagged === 2) tree.set(flag, `-> ${task.name}.out`);
    tree.set(main, `file ${JSON.stringify([...tree.keys()])} ${digest}`);
    return tree;
  }
  const root = outputRoots(task)[0]!;
  for (const [path, content] of seen) {
    const name = path.replaceAll("/", "_");
    tree.set(`${root}/js/${name}/code.js`, `${content.startsWith("exec") ? "exec" : "file"} ${content}`);
  }
  tree.set(`${root}/bundle.js`, `file ${digest}`);
  if (task.cleans) {
    const shape = number % 5;
    if (shape === 0) tree.set(`${root}/shape`, `file ${digest}`);
    if (shape === 1) tree.set(`${root}/shape`, "-> bundle.js");
    if (shape === 2) tree.set(`${root}/shape/inner`, `exec ${digest}`);
    if (shape === 3) tree.set(`${root}/shape`, "/");
    if (number % 3 === 0) tree.set(`${root}/deep/er/${number % 7}.bin`, `exec ${digest}`);
  }
  tree.set(`${root}/index`, `file ${JSON.stringify([...tree.keys()])}`);
  return tree;
}

function seenOf(task: SimTask, source: Source): string {
  if (source.kind === "symlink") return `-> ${source.target}`;
  const text = task.dropsComments ? source.text.split("//")[0]! : source.text;
  return `${source.executable ? "exec" : "file"} ${text}`;
}

function sha(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 40);
}
