/**
 * A simulated machine: one file system, one clock, one shared cache, a work tree, and the Kahn processes that come and
 * go on it.
 *
 * Owns:      opening and closing what a Kahn process has open, in the order in which the command line does it, and what
 *            is left of it when it dies.
 */
import { type DiskStore, gcIfDue, openDiskStore, openValueStore, type ProcessOwner, type ValueStore } from "@kahn/cas";
import {
  type FileSystem,
  FileSystemError,
  type JournalStore,
  type Problem,
  parseRunId,
  type RunEvent,
  type RunId,
} from "@kahn/core";
import type { ResultMemo, RunHistory } from "@kahn/exec";
import { fileJournalStore } from "@kahn/journal";
import {
  type MemoryFileSystem,
  memoryFileSystem,
  type SeededRandom,
  type VirtualClock,
  virtualClock,
} from "@kahn/testing";
import { openFileStates, type WorkTreeStates } from "@kahn/workspace";
import type { ExecUnderTest } from "./exec-under-test.ts";
import { type Litter, writeEntry } from "./fake-commands.ts";
import type { SimWorkspace, Source } from "./sim-workspace.ts";

/** The store that all work trees of the machine share. */
export const CACHE = "/cache";
export const NODE_PATH = "/usr/bin/node";

/** One work tree. */
export interface Checkout {
  readonly root: string;
  readonly litter: Litter;
}

/** Everything that lasts longer than a Kahn process. */
export class World {
  readonly exec: ExecUnderTest;
  readonly workspace: SimWorkspace;
  readonly random: SeededRandom;
  readonly clock: VirtualClock = virtualClock();
  readonly main: Checkout = { root: "/w", litter: new Map() };
  /** What the person's files are now. */
  readonly sources: Map<string, Source>;
  /** Grows with every change of a source, by path. */
  readonly versions = new Map<string, number>();
  /** Keys (of the oracle) of results that a journal calls stored, and that nothing has happened to. */
  readonly storedKeys = new Set<string>();
  /** During a run: what each changed source held since it began. */
  seenThisRun: Map<string, Set<string>> | undefined;
  fs: MemoryFileSystem;
  /** True once somebody damaged the store on purpose. */
  isStoreDamaged = false;
  /** True until all of that damage is found: what is stored meanwhile may rest on a blob that only its use shows. */
  isStoreDoubtful = false;
  /** True once the wall clock went back: run ids then do not tell which run was the last. */
  hasClockJumped = false;
  /** Everything that happened, one line each: equal for equal seeds. */
  readonly trace: string[] = [];
  #pid = 100;
  #boot = 1;

  constructor(exec: ExecUnderTest, workspace: SimWorkspace, random: SeededRandom) {
    this.exec = exec;
    this.workspace = workspace;
    this.random = random;
    this.sources = new Map(workspace.sources);
    const granularityMs = random.pick([1, 1, 4, 1000]);
    this.fs = memoryFileSystem({ clock: this.clock, granularityMs, writeBackMs: 35_000 });
    this.#makeSystem();
    this.writeSources(this.main.root);
    this.fs.settle();
  }

  /** Makes the sources of a work tree what they should be; touches only what is not. */
  writeSources(root: string): void {
    for (const [path, source] of this.sources) writeSource(this.fs, `${root}/${path}`, source);
  }

  /**
   * Changes, adds or (with `undefined`) removes one source of the main work tree. During a run nothing comes back that
   * was there before in the same run: an edit that is taken back is not seen by comparing contents, which is all that
   * is promised.
   */
  setSource(path: string, source: Source | undefined): void {
    const text = JSON.stringify(source) ?? "none";
    const before = JSON.stringify(this.sources.get(path)) ?? "none";
    if (text !== before) {
      const seen = this.seenThisRun?.get(path) ?? new Set([before]);
      if (this.seenThisRun !== undefined && seen.has(text)) return;
      this.seenThisRun?.set(path, seen.add(text));
      this.versions.set(path, (this.versions.get(path) ?? 0) + 1);
    }
    const absolute = `${this.main.root}/${path}`;
    if (source === undefined) {
      this.sources.delete(path);
      this.fs.remove(absolute);
    } else {
      this.sources.set(path, source);
      if (this.fs.lstat(absolute)?.kind === "symlink") this.fs.remove(absolute);
      writeSource(this.fs, absolute, source);
    }
  }

  /** A new process's identity. */
  startProcess(): ProcessOwner {
    return { pid: ++this.#pid, startedAt: String(this.#pid), bootId: `boot-${this.#boot}/ns`, host: "here" };
  }

  /** Kahn is dead, the machine is not. */
  killProcess(): void {
    this.fs = this.fs.killProcess();
    this.#pid++;
  }

  /** The machine loses power; the person gets the sources back from version control. */
  losePower(random: SeededRandom): void {
    this.fs = this.fs.crash(random);
    this.#boot++;
    this.storedKeys.clear();
    this.isStoreDamaged = true;
    this.isStoreDoubtful = true;
    for (const task of this.workspace.tasks) this.main.litter.set(task.name, "any");
    for (const folder of ["packages", "shared"]) this.#removeStrangers(`${this.main.root}/${folder}`);
    for (const path of this.sources.keys()) this.versions.set(path, (this.versions.get(path) ?? 0) + 1);
    this.writeSources(this.main.root);
    this.#makeSystem();
    this.fs.settle();
  }

  /** Opens what a Kahn process opens. @throws FileSystemError, or what a planted fault throws. */
  open(fs: FileSystem, checkout: Checkout): Session {
    return new Session(this, fs, checkout);
  }

  /** True for the process that lives now. */
  isAlive(owner: ProcessOwner): boolean {
    return owner.pid === this.#pid;
  }

  /** What every machine has. */
  #makeSystem(): void {
    this.fs.makeDirectory("/dev");
    writeEntry(this.fs, NODE_PATH, "exec node 20");
  }

  #removeStrangers(folder: string): void {
    for (const { name, kind } of this.fs.readDirectory(folder) ?? []) {
      const path = `${folder}/${name}`;
      const relative = path.slice(this.main.root.length + 1);
      const isOutput = name === "out" || name.endsWith(".out") || name.endsWith(".flag");
      if (isOutput) continue;
      if (kind === "directory") this.#removeStrangers(path);
      else if (!this.sources.has(relative)) this.fs.remove(path);
    }
  }
}

function writeSource(fs: FileSystem, path: string, source: Source): void {
  const wanted =
    source.kind === "symlink" ? `-> ${source.target}` : `${source.executable ? "exec" : "file"} ${source.text}`;
  const stat = fs.lstat(path);
  const current =
    stat?.kind === "symlink"
      ? `-> ${fs.readLink(path)}`
      : stat?.kind === "file"
        ? `${(stat.mode & 0o111) === 0 ? "file" : "exec"} ${Buffer.from(fs.readFile(path)!).toString()}`
        : undefined;
  if (current === wanted) return;
  if (stat !== undefined && (stat.kind !== "file" || source.kind !== "file")) fs.removeTree(path);
  writeEntry(fs, path, wanted);
}

/** What one Kahn process has open. */
export class Session {
  readonly states: WorkTreeStates;
  readonly store: DiskStore;
  readonly values: ValueStore;
  readonly history: RunHistory;
  readonly memo: ResultMemo;
  readonly journals: JournalStore;
  readonly checkout: Checkout;
  readonly fs: FileSystem;
  readonly stateFolder: string;
  /** Runs before this one that never finished. */
  readonly interrupted: readonly RunId[];
  readonly #world: World;

  /** See `World.open`. */
  constructor(world: World, fs: FileSystem, checkout: Checkout) {
    const { clock, random } = world;
    this.#world = world;
    this.fs = fs;
    this.checkout = checkout;
    this.stateFolder = `${checkout.root}/.kahn/state`;
    fs.makeDirectory(this.stateFolder);
    const owner = world.startProcess();
    this.states = openFileStates({
      fs,
      clock,
      indexPath: `${this.stateFolder}/files.index`,
      workspaceRoot: checkout.root,
      bootId: owner.bootId,
    });
    const opened = openDiskStore({
      fs,
      clock,
      random,
      root: CACHE,
      owner,
      livenessOf: (other) => (world.isAlive(other) ? "alive" : "dead"),
    });
    if (!opened.ok) throw new Refused(opened.problem);
    this.store = opened.value;
    this.values = openValueStore({ fs, clock, random, root: `${this.stateFolder}/values` });
    this.history = world.exec.openRunHistory(fs, `${this.stateFolder}/history.json`);
    this.memo = world.exec.openResultMemo(fs, `${this.stateFolder}/results.memo`);
    this.journals = fileJournalStore({ fs, directory: `${this.stateFolder}/runs` });
    this.interrupted = this.#foldInterrupted();
  }

  /** What the command line does after the last result. Refusals cost what they cost; nothing may follow from them. */
  async close(sync: boolean): Promise<void> {
    try {
      this.fs.removeTree(`${this.stateFolder}/streams`);
      this.states.save();
      this.memo.save();
      this.history.save();
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      this.#world.trace.push(`not saved: ${error.message}`);
    }
    await this.store.close({ sync });
    await gcIfDue(this.store);
  }

  /** The events that the journal of a run holds. */
  readRun(run: RunId): RunEvent[] {
    return readJournal(this.journals, run);
  }

  #foldInterrupted(): RunId[] {
    const { history, journals } = this;
    const runs = journals.list().flatMap((name) => parseRunId(name) ?? []);
    const interrupted: RunId[] = [];
    for (const run of runs.filter((each) => history.lastRun === undefined || each > history.lastRun)) {
      const events = this.readRun(run);
      if (events.at(-1)?.kind !== "run.finished") interrupted.push(run);
      history.fold(run, events);
    }
    return interrupted;
  }
}

/** The events of a journal; none when it cannot be read. */
export function readJournal(journals: JournalStore, run: RunId): RunEvent[] {
  const records = journals.peek(run);
  return records.ok ? Array.from(records.value, ({ body }) => body as unknown as RunEvent) : [];
}

/** A process that ends before it has begun, with a problem. */
export class Refused extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.message}`);
    this.problem = problem;
  }
}

/** Paths of all files and links at and below a path. */
export function filesBelow(fs: FileSystem, path: string): string[] {
  const kind = fs.lstat(path)?.kind;
  if (kind !== "directory") return kind === undefined ? [] : [path];
  return fs.readDirectory(path)!.flatMap(({ name }) => filesBelow(fs, `${path}/${name}`));
}
