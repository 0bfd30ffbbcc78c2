/**
 * Random workspaces: what the simulated tasks are and how they hang together.
 *
 * Owns:      the shape of a simulated task, and the drawing of one workspace from a seed.
 * Invariant: tasks refer to tasks before them only, so the first few tasks of a workspace are a workspace too: that is
 *            how a failure is made smaller.
 */
import type { MutexClaim, ReadyProbe, ResourceLimits } from "@kahn/core";
import type { SeededRandom } from "@kahn/testing";

/** A task of a simulated workspace. Names are unique in the workspace. */
export interface SimTask {
  readonly name: string;
  readonly project: string;
  readonly kind: "command" | "service" | "group";
  readonly requires: readonly string[];
  readonly after: readonly string[];
  readonly validates: readonly string[];
  /** Which files are its inputs; `default` is what a task that declares none gets. */
  readonly inputs: "src" | "src-without-skip" | "src-and-shared" | "default";
  /** Tasks whose outputs its command reads, directly required or reached through others. */
  readonly reads: readonly string[];
  /** True: what follows `//` in an input does not reach the output. */
  readonly dropsComments: boolean;
  readonly outputs: "none" | "tree" | "files";
  /** True: removes its old outputs first. Others rely on Kahn to remove those of inputs that are gone. */
  readonly cleans: boolean;
  readonly outputMode: "copy" | "link";
  readonly reach: "transitive" | "own";
  readonly cached: boolean;
  readonly retries: number;
  readonly timeoutMs: number | undefined;
  readonly readAtMs: number;
  readonly durationMs: number;
  /** What TERM does to it; a number is what it exits with. */
  readonly onTerm: "dies" | "ignores" | 0;
  readonly grandchild: "dies-on-term" | "needs-kill" | undefined;
  /** True: prints more than fits into a record. */
  readonly isChatty: boolean;
  readonly slots: number;
  readonly pools: readonly (readonly [pool: string, amount: number])[];
  readonly mutexes: readonly MutexClaim[];
  readonly tags: readonly string[];
  readonly ready: ReadyProbe | undefined;
}

/** A file or link that a person wrote. */
export type Source =
  | { readonly kind: "file"; readonly text: string; readonly executable: boolean }
  | { readonly kind: "symlink"; readonly target: string };

/** A simulated workspace. */
export interface SimWorkspace {
  readonly projects: readonly string[];
  readonly tasks: readonly SimTask[];
  readonly limits: ResourceLimits;
  /** By workspace-relative path. */
  readonly sources: ReadonlyMap<string, Source>;
  /** True: every command cleans up before it writes, so a run may be cut off anywhere. */
  readonly isRobust: boolean;
}

/** The label Kahn knows a task by. */
export function labelOf(task: Pick<SimTask, "project" | "name">): string {
  return `${task.project}#${task.name}`;
}

/** The folder of a project, workspace-relative. */
export function folderOf(project: string): string {
  return `packages/${project}`;
}

/** Where inputs that several projects share are, and the lock file. */
export const SHARED = "shared/";
export const LOCK_FILE = "package-lock.json";

/** Draws a workspace. @param tasksMax cuts it short; everything before the cut is the same for every value. */
export function randomWorkspace(random: SeededRandom, tasksMax: number): SimWorkspace {
  const isRobust = random.chance(0.75);
  const projects = Array.from({ length: random.int(1, 4) }, (_, index) => `p${index}`);
  const sources = randomSources(random.fork(), projects);
  const limits: ResourceLimits = {
    slots: random.int(1, 4),
    pools: { db: random.int(1, 2) },
    tagCaps: { heavy: random.int(1, 2) },
    io: random.pick([1, 2, 64]),
  };
  const count = random.int(1, 12);
  const tasks: SimTask[] = [];
  for (let index = 0; index < count; index++) {
    const draw = random.fork();
    if (index < tasksMax) tasks.push(randomTask(draw, { index, projects, tasks, isRobust, limits }));
  }
  return { projects, tasks, limits, sources, isRobust };
}

/** What a new task can refer to. */
interface TaskSetting {
  readonly index: number;
  readonly projects: readonly string[];
  readonly tasks: readonly SimTask[];
  readonly isRobust: boolean;
  readonly limits: ResourceLimits;
}

function randomTask(random: SeededRandom, { index, projects, tasks, isRobust, limits }: TaskSetting): SimTask {
  const kind = index > 0 && random.chance(0.12) ? random.pick(["service", "group"] as const) : "command";
  const commands = tasks.filter((task) => task.kind === "command");
  const requires = some(random, tasks, kind === "service" ? 0.2 : 0.35);
  const requiredNames = new Set(requires.map(({ name }) => name));
  const others = tasks.filter((task) => task.kind === "command" && !requiredNames.has(task.name));
  const after = random.chance(0.2) ? some(random, others, 0.3) : [];
  const reachable = reachOf(requires, tasks).filter((task) => task.outputs !== "none");
  const isCommand = kind === "command";
  const durationMs = random.int(2, 200);
  // Some read nothing of what they require: what lies below is then reached past them.
  const readsShare = random.pick([0, 0.3, 0.9]);
  const cached = isCommand && random.chance(0.88);
  return {
    name: `t${index}`,
    project: random.pick(projects),
    kind,
    requires: requires.map(({ name }) => name),
    after: after.map(({ name }) => name),
    validates: isCommand && random.chance(0.1) ? some(random, commands, 0.3).map(({ name }) => name) : [],
    inputs: isCommand
      ? random.pick(["src", "src", "src-without-skip", "src-and-shared", "default"] as const)
      : "default",
    reads: isCommand ? reachable.filter(() => random.chance(readsShare)).map(({ name }) => name) : [],
    dropsComments: random.chance(0.6),
    outputs: isCommand ? random.pick(["tree", "tree", "tree", "files", "none"] as const) : "none",
    // Of a task that is not cached Kahn keeps no record, so it has to clean up by itself.
    cleans: isRobust || !cached || random.chance(0.3),
    outputMode: random.chance(0.2) ? "link" : "copy",
    reach: isCommand && random.chance(0.15) ? "own" : "transitive",
    cached,
    retries: random.pick([0, 0, 1, 2]),
    timeoutMs: isCommand && random.chance(0.3) ? durationMs + random.int(520, 900) : undefined,
    readAtMs: random.int(0, durationMs - 1),
    durationMs,
    onTerm: random.pick(["dies", "dies", "ignores", 0] as const),
    grandchild: random.chance(0.15) ? random.pick(["dies-on-term", "needs-kill"] as const) : undefined,
    isChatty: random.chance(0.1),
    slots: kind === "service" ? 0 : random.chance(0.1) ? random.int(1, limits.slots) : 1,
    pools: isCommand && random.chance(0.15) ? [["db", random.int(1, limits.pools.db!)]] : [],
    mutexes:
      isCommand && random.chance(0.2) ? [{ name: "m", mode: random.pick(["shared", "exclusive"] as const) }] : [],
    tags: isCommand && random.chance(0.2) ? ["heavy"] : [],
    ready: kind === "service" ? randomProbe(random) : undefined,
  };
}

function randomProbe(random: SeededRandom): ReadyProbe | undefined {
  const kind = random.pick(["none", "log", "command"]);
  if (kind === "none") return undefined;
  return kind === "log" ? { log: "listening", timeoutMs: 10_000 } : { command: "curl", timeoutMs: 10_000 };
}

/** Tasks whose outputs can be reached from tasks that are required, through whatever lets through. */
export function reachOf(requires: readonly SimTask[], tasks: readonly SimTask[]): SimTask[] {
  const byName = new Map(tasks.map((task) => [task.name, task]));
  const found = new Set<SimTask>();
  const visit = (task: SimTask) => {
    if (found.has(task)) return;
    found.add(task);
    if (task.reach === "transitive") for (const name of task.requires) visit(byName.get(name)!);
  };
  for (const task of requires) visit(task);
  return tasks.filter((task) => found.has(task));
}

function some(random: SeededRandom, tasks: readonly SimTask[], share: number): SimTask[] {
  // Near ones are likelier, so that chains come about.
  const drawn = tasks.filter((_, index) => random.chance(index >= tasks.length - 2 ? share * 1.6 : share / 2));
  return drawn.slice(-4);
}

function randomSources(random: SeededRandom, projects: readonly string[]): Map<string, Source> {
  const sources = new Map<string, Source>([[LOCK_FILE, file("{ 1 }")]]);
  sources.set(`${SHARED}base.json`, file("base 1"));
  for (const project of projects) {
    for (const name of ["src/a.ts", "src/b.ts", "src/lib/c.ts", "src/skip/d.txt", "readme"]) {
      if (name === "src/a.ts" || random.chance(0.7)) {
        sources.set(
          `${folderOf(project)}/${name}`,
          file(`${name} ${random.int(10, 99)} // note ${random.int(10, 99)}`),
        );
      }
    }
    if (random.chance(0.3)) sources.set(`${folderOf(project)}/src/l.ts`, { kind: "symlink", target: "a.ts" });
  }
  return sources;
}

function file(text: string): Source {
  return { kind: "file", text, executable: false };
}
