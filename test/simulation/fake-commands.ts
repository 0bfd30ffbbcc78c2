/**
 * The simulated commands as fake processes: they read and write files, take their time, and misbehave as told.
 *
 * Owns:      what a process does at which moment of its life, and the note of everything it left behind.
 * Never:     asks the oracle: a command that finds something else than the oracle does what follows from that.
 */
import { type FileSystem, FileSystemError } from "@kahn/core";
import type { FakeProcessRunner, HeldProcess, ProcessScript } from "@kahn/testing";
import { type CommandResult, indexPath, type OutputTree, outputRoots, performCommand } from "./command.ts";
import { inputsOf } from "./oracle.ts";
import { folderOf, labelOf, type SimTask, type SimWorkspace, type Source } from "./sim-workspace.ts";

/** How one attempt goes. */
export type Mood = "good" | "fails" | "fails-midway" | "dies" | "hangs" | "does-not-start";

/** Paths that no recorded result accounts for, by task: what interrupted commands left. `any` after a power loss. */
export type Litter = Map<string, Set<string> | "any">;

/** What the processes of one run work with. */
export interface CommandWorld {
  readonly workspace: SimWorkspace;
  /** The file system without faults: those are Kahn's. */
  readonly fs: FileSystem;
  readonly root: string;
  readonly litter: Litter;
  /** Moods by task and attempt; `good` where nothing is said. */
  readonly moods: ReadonlyMap<string, readonly Mood[]>;
  readonly nowMs: () => number;
}

/** A service of each kind of probe answers this long after its start. */
export const ANSWERS_AFTER_MS = { log: 30, command: 150 } as const;

const READY_SUFFIX = " (ready?)";

/** The script of a process by its label and its number among those of the label, from 1. */
export function commandScript(
  world: CommandWorld,
  runner: () => FakeProcessRunner,
  label: string,
  nth: number,
): ProcessScript {
  if (label.endsWith(READY_SUFFIX)) {
    const service = runner().alive.find(({ spec }) => spec.label === label.slice(0, -READY_SUFFIX.length));
    return {
      exit: service !== undefined && world.nowMs() - service.startedAtMs >= ANSWERS_AFTER_MS.command ? 0 : 7,
      durationMs: 1,
    };
  }
  const task = world.workspace.tasks.find((each) => labelOf(each) === label)!;
  const trouble: ProcessScript = {
    onTerm: task.onTerm,
    ...(task.grandchild === undefined ? {} : { grandchild: task.grandchild }),
  };
  if (task.kind === "service") {
    return {
      ...trouble,
      hangs: true,
      steps: [{ afterMs: ANSWERS_AFTER_MS.log, run: (process) => process.write("stdout", "listening\n") }],
    };
  }
  const mood = world.moods.get(task.name)?.[nth - 1] ?? "good";
  if (mood === "does-not-start") return { notStarted: "ENOENT" };
  const life = new CommandLife(world, task, mood);
  return {
    ...trouble,
    hangs: true,
    steps: [
      { afterMs: task.readAtMs, run: (process) => refusable(process, () => life.read(process)) },
      { afterMs: task.durationMs, run: (process) => refusable(process, () => life.finish(process)) },
    ],
  };
}

/** A command whose file system call is refused says so and fails. */
function refusable(process: HeldProcess, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    process.write("stderr", `${error.message}\n`);
    process.exit(13);
  }
}

/** One attempt. */
class CommandLife {
  readonly #world: CommandWorld;
  readonly #task: SimTask;
  readonly #mood: Mood;
  #result: CommandResult | undefined;

  constructor(world: CommandWorld, task: SimTask, mood: Mood) {
    this.#world = world;
    this.#task = task;
    this.#mood = mood;
  }

  /** Reads everything, and writes the first half. */
  read(process: HeldProcess): void {
    if (this.#mood === "dies") process.die("SIGSEGV");
    else if (this.#mood === "fails") process.exit(1);
    else if (this.#mood !== "hangs") this.#begin(process);
  }

  /** Writes the rest and ends. */
  finish(process: HeldProcess): void {
    if (this.#result === undefined) return;
    const outputs = [...this.#result.outputs];
    this.#write(outputs.slice(outputs.length >> 1));
    process.write("stdout", this.#result.stdout);
    process.exit(0);
  }

  #begin(process: HeldProcess): void {
    const { fs, root } = this.#world;
    const dependencies = this.#dependencies();
    if (dependencies === undefined) {
      process.write("stderr", `${this.#task.name} misses outputs of what it reads\n`);
      process.exit(9);
      return;
    }
    const own = inputsOf(this.#task, readSources(fs, root, this.#task));
    const result = performCommand(this.#task, { own, dependencies });
    if (result.exitCode !== 0) {
      process.exit(result.exitCode);
      return;
    }
    this.#result = result;
    if (this.#task.cleans) this.#clean();
    const outputs = [...result.outputs];
    this.#write(outputs.slice(0, outputs.length >> 1));
    if (this.#mood === "fails-midway") process.exit(1);
  }

  #dependencies(): (readonly [string, OutputTree])[] | undefined {
    const { fs, root, workspace } = this.#world;
    const dependencies: (readonly [string, OutputTree])[] = [];
    for (const name of this.#task.reads) {
      const tree = readListed(fs, root, workspace.tasks.find((each) => each.name === name)!);
      if (tree === undefined) return undefined;
      dependencies.push([name, tree]);
    }
    return dependencies;
  }

  #clean(): void {
    const { fs, root, litter } = this.#world;
    for (const output of outputRoots(this.#task)) fs.removeTree(`${root}/${output}`);
    litter.set(this.#task.name, new Set());
  }

  #write(outputs: readonly (readonly [string, string])[]): void {
    const { fs, root, litter } = this.#world;
    const known = litter.get(this.#task.name);
    const left = known ?? new Set<string>();
    litter.set(this.#task.name, left);
    for (const [path, content] of outputs) {
      if (left !== "any") left.add(path);
      writeEntry(fs, `${root}/${path}`, content);
    }
  }
}

/** Writes one entry of an output tree, as a tool would: in place where there is a file already. */
export function writeEntry(fs: FileSystem, path: string, content: string): void {
  fs.makeDirectory(path.slice(0, path.lastIndexOf("/")));
  if (content === "/") fs.makeDirectory(path);
  else if (content.startsWith("-> ")) {
    fs.remove(path);
    fs.symlink(content.slice(3), path);
  } else {
    fs.writeFile(path, content.slice(5));
    fs.chmod(path, content.startsWith("exec ") ? 0o755 : 0o644);
  }
}

/** One entry as it is; `undefined` when there is none. A directory that is not empty is `(directory)`. */
export function readEntry(fs: FileSystem, path: string): string | undefined {
  const stat = fs.lstat(path);
  if (stat === undefined) return undefined;
  if (stat.kind === "symlink") return `-> ${fs.readLink(path)}`;
  if (stat.kind === "directory") return fs.readDirectory(path)?.length === 0 ? "/" : "(directory)";
  return `${(stat.mode & 0o111) === 0 ? "file" : "exec"} ${Buffer.from(fs.readFile(path) ?? []).toString()}`;
}

/** The outputs of a task as its index lists them. */
function readListed(fs: FileSystem, root: string, task: SimTask): OutputTree | undefined {
  const main = indexPath(task);
  const index = readEntry(fs, `${root}/${main}`);
  const list = index === undefined ? null : /^file (\[.*?\])/.exec(index);
  if (index === undefined || list === null) return undefined;
  const tree = new Map<string, string>();
  for (const path of JSON.parse(list[1]!) as string[]) {
    const entry = readEntry(fs, `${root}/${path}`);
    if (entry === undefined) return undefined;
    tree.set(path, entry);
  }
  return tree.set(main, index);
}

/** What a command finds below its project and the shared folder. */
function readSources(fs: FileSystem, root: string, task: SimTask): Map<string, Source> {
  const found = new Map<string, Source>();
  const visit = (path: string) => {
    for (const { name, kind } of fs.readDirectory(`${root}/${path}`) ?? []) {
      const below = `${path}/${name}`;
      const isOutput = name === "out" || name.endsWith(".out") || name.endsWith(".flag");
      if (isOutput && path === folderOf(task.project)) continue;
      if (kind === "directory") visit(below);
      else found.set(below, readSource(fs, `${root}/${below}`));
    }
  };
  visit(folderOf(task.project));
  visit("shared");
  return found;
}

function readSource(fs: FileSystem, path: string): Source {
  const entry = readEntry(fs, path);
  if (entry === undefined) throw new FileSystemError("ENOENT", "open", path);
  if (entry.startsWith("-> ")) return { kind: "symlink", target: entry.slice(3) };
  return { kind: "file", text: entry.slice(5), executable: entry.startsWith("exec ") };
}
