/**
 * What is known of the work tree's files and directories, and the means to bring it up to date.
 *
 * Owns:      the file-state index while a run lasts: which names were looked at when, and what they hold.
 * Never:     follows a symlink; believes a stat that cannot be trusted (see trust.ts).
 * Invariant: within one *moment* a name is looked at once. A moment lasts until something may have changed the tree:
 *            after the first command of the process each resolution is a moment of its own.
 *
 * Paths of rows are relative to the workspace, or absolute outside of it.
 */
import type {
  FileStat,
  FileStates,
  FileSystem,
  HashOutcome,
  InputEntry,
  KnownFile,
  NativeDigestFunction,
} from "@kahn/core";
import { Directory, inWalkOrder } from "./directory.ts";
import type { EntryKind, EntryTable } from "./entry-table.ts";
import type { FileStatesOptions } from "./file-states-options.ts";
import type { IndexContents } from "./index-file.ts";
import { writeIndex } from "./index-store.ts";
import { TreeClock } from "./tree-clock.ts";
import { nameOf, parentOf, TreePaths } from "./tree-paths.ts";
import { type FileTime, isSettled } from "./trust.ts";

/** Why a file has no digest. */
export type FileTrouble = Extract<HashOutcome, { kind: "unreadable" | "unstable" }>;

/** The states of one work tree. Made by `openFileStates`; one owner per process. */
export class WorkTreeStates implements FileStates {
  readonly #fs: FileSystem;
  readonly #treeClock: TreeClock;
  readonly #paths: TreePaths;
  readonly #indexPath: string;
  readonly #bootId: string;
  readonly #fn: NativeDigestFunction;
  readonly #table: EntryTable;
  readonly #directories: Map<string, Directory>;
  readonly #notes: Map<string, unknown>;
  /** Of the last path that was looked up: paths mostly come folder by folder. */
  #lastDirectory: Directory | undefined;
  #moment = 1;
  #revision = 1;
  #isDisturbed = false;
  #isChanged = false;
  /** Row → moment in which it was last looked at. */
  #seenAt: Uint32Array;
  /** Row → its input entry, as long as its content stays. */
  readonly #inputs: (InputEntry | undefined)[];
  readonly #targets = new Map<number, string>();
  readonly #troubles = new Map<number, FileTrouble>();

  constructor(options: FileStatesOptions, contents: IndexContents) {
    this.#fs = options.fs;
    this.#paths = new TreePaths(options.workspaceRoot);
    this.#indexPath = options.indexPath;
    this.#bootId = options.bootId ?? "";
    this.#fn = contents.fn;
    this.#table = contents.table;
    this.#directories = contents.directories;
    this.#notes = contents.notes;
    this.#treeClock = new TreeClock(options, parentOf(options.indexPath), contents.granularityMs);
    this.#seenAt = new Uint32Array(contents.table.size + 1024);
    this.#inputs = new Array<InputEntry | undefined>(contents.table.size).fill(undefined);
  }

  /** Rows by number, for reading kinds and verdicts. */
  get table(): EntryTable {
    return this.#table;
  }

  /** Number of the present moment. */
  get moment(): number {
    return this.#moment;
  }

  /** Changes with the moment and whenever files were made or removed within it: what was derived before may be stale. */
  get revision(): number {
    return this.#revision;
  }

  /** A command is about to run, or others may write: from now on what was seen holds for one resolution only. */
  disturb(): void {
    this.#isDisturbed = true;
  }

  /** Starts a resolution. What was seen before still holds, unless something may have changed it. */
  beginResolution(): void {
    if (this.#isDisturbed) this.beginAgain();
  }

  /** Starts anew: everything is looked at again. */
  beginAgain(): void {
    this.#moment++;
    this.#revision++;
  }

  /** The row of a path, made when there is none. */
  rowOf(path: string): number {
    const slash = path.lastIndexOf("/");
    const last = this.#lastDirectory;
    const isSame = last !== undefined && slash === last.path.length && slash > 0 && path.startsWith(last.path);
    const directory = isSame ? last : this.#directory(parentOf(path));
    this.#lastDirectory = directory;
    const name = path.slice(slash + 1);
    const known = directory.find(name);
    if (known !== undefined) return known;
    const id = this.#add("unknown");
    directory.append(name, id);
    return id;
  }

  /** The directory at a path with all of its names; `undefined` when there is none. @throws FileSystemError */
  list(path: string): Directory | undefined {
    const known = this.#directories.get(path);
    if (known !== undefined && known.seenAt === this.#moment) return known.listing === undefined ? undefined : known;
    const stat = this.#fs.lstat(this.#paths.absolute(path));
    if (stat?.kind !== "directory") {
      if (known !== undefined) this.#unlist(known);
      return undefined;
    }
    const directory = known ?? this.#directory(path);
    if (!directory.isListedUnder(stat)) this.#readListing(directory, stat);
    directory.seenAt = this.#moment;
    return directory;
  }

  /** What a name is, without reading it: of a file that nobody has hashed, the kind alone is found out. */
  kindNow(id: number, path: string): EntryKind {
    const known = this.#table.kind(id);
    if (this.#seenAt[id] === this.#moment || known === "file") return known;
    const stat = this.#fs.lstat(this.#paths.absolute(path));
    if (stat !== undefined && (stat.kind === "file" || stat.kind === "symlink")) this.#table.setKind(id, stat.kind);
    else this.#accept(id, stat);
    return this.#table.kind(id);
  }

  /** Looks at rows that were not looked at in this moment, and hashes what changed. @param paths in the same order. */
  look(ids: readonly number[], paths: readonly string[]): void {
    const moment = this.#moment;
    const due: number[] = [];
    const duePaths: string[] = [];
    for (let index = 0; index < ids.length; index++) {
      if (this.#seenAt[ids[index]!] === moment) continue;
      due.push(ids[index]!);
      duePaths.push(this.#paths.absolute(paths[index]!));
    }
    if (due.length === 0) return;
    const stats = this.#fs.statMany(duePaths);
    const stale: number[] = [];
    const stalePaths: string[] = [];
    for (let index = 0; index < due.length; index++) {
      if (this.#accept(due[index]!, stats[index])) continue;
      stale.push(due[index]!);
      stalePaths.push(duePaths[index]!);
    }
    if (stale.length > 0) this.#hash(stale, stalePaths);
  }

  /** What a row that was looked at holds: an input, why it has none, or `undefined` if it is no file or link. */
  inputAt(id: number, path: string): InputEntry | FileTrouble | undefined {
    const known = this.#inputs[id];
    if (known !== undefined) return known;
    const trouble = this.#troubles.get(id);
    if (trouble !== undefined) return trouble;
    const kind = this.#table.kind(id);
    let entry: InputEntry;
    if (kind === "file") {
      entry = { kind, path, digest: this.#table.digest(id), executable: this.#table.isExecutable(id) };
    } else if (kind === "symlink") entry = { kind, path, target: this.#targets.get(id)! };
    else return undefined;
    return (this.#inputs[id] = entry);
  }

  /** A value that was kept with the index. */
  note(name: string): unknown {
    return this.#notes.get(name);
  }

  /** Keeps a JSON value with the index; `undefined` drops it. */
  setNote(name: string, value: unknown): void {
    if (value === undefined) this.#notes.delete(name);
    else this.#notes.set(name, value);
    this.#isChanged = true;
  }

  /** To be called when verdicts or rules were changed through `table` or a directory. */
  touch(): void {
    this.#isChanged = true;
  }

  // ——— the port ———

  digests(paths: readonly string[]): HashOutcome[] {
    const stats = this.#fs.statMany(paths);
    const outcomes = new Array<HashOutcome>(paths.length);
    const stale: number[] = [];
    const ids: number[] = [];
    for (let index = 0; index < paths.length; index++) {
      const stat = stats[index];
      const path = this.#paths.relative(paths[index]!);
      const id = this.rowOf(path);
      const isAccepted = this.#accept(id, stat);
      if (!isAccepted) {
        stale.push(index);
        ids.push(id);
      } else if (stat === undefined) outcomes[index] = { kind: "absent" };
      else if (stat.kind === "file") outcomes[index] = { kind: "file", digest: this.#table.digest(id), stat };
      else outcomes[index] = { kind: "not-a-file", stat };
      // Whoever asks about an output that is not there, or is a link, may be about to make it.
      if (!isAccepted || stat === undefined) this.#disbelieveAbove(path);
    }
    if (stale.length > 0) {
      const hashed = this.#hash(
        ids,
        stale.map((index) => paths[index]!),
      );
      for (let index = 0; index < stale.length; index++) {
        outcomes[stale[index]!] = hashed[index]!;
        this.#seenAt[ids[index]!] = 0;
      }
    }
    return outcomes;
  }

  remember(files: readonly KnownFile[]): void {
    for (const { path, digest, stat, linked } of files) {
      const relative = this.#paths.relative(path);
      const id = this.rowOf(relative);
      // Not settled: when its content became known, nobody asked the file system's clock. It is hashed once more.
      this.#table.setFile(id, { digest, stat, settled: false, linked });
      this.#forgetContent(id);
      this.#disbelieveAbove(relative);
    }
    if (files.length > 0) this.#isChanged = true;
  }

  forget(path: string): void {
    const relative = this.#paths.relative(path);
    const id = this.#directories.get(parentOf(relative))?.find(nameOf(relative));
    if (id !== undefined) {
      this.#table.setKind(id, "unknown");
      this.#forgetContent(id);
    }
    this.#disbelieveAbove(relative);
    this.#isChanged = true;
    if (!this.#directories.has(relative)) return;
    this.#lastDirectory = undefined;
    for (const each of [...this.#directories.keys()]) {
      if (each === relative || each.startsWith(`${relative}/`)) this.#directories.delete(each);
    }
  }

  save(): void {
    if (!this.#isChanged) return;
    const atMs = this.#bootId === "" ? Number.NEGATIVE_INFINITY : this.#treeClock.now().nowMs;
    const contents: IndexContents = {
      fn: this.#fn,
      table: this.#table,
      directories: this.#directories,
      notes: this.#notes,
      granularityMs: this.#treeClock.granularityMs,
      saved: { bootId: this.#bootId, atMs },
    };
    if (writeIndex(this.#fs, this.#indexPath, contents)) this.#isChanged = false;
  }

  // ——— within ———

  #directory(path: string): Directory {
    let directory = this.#directories.get(path);
    if (directory === undefined) {
      directory = new Directory(path);
      this.#directories.set(path, directory);
      // All above it exist too, so that whatever is below a path is found from that path.
      if (path !== "" && path !== "/") this.#directory(parentOf(path));
    }
    return directory;
  }

  /** True when the row now says what the stat says; false when the file has to be read. */
  #accept(id: number, stat: FileStat | undefined): boolean {
    if (stat === undefined || (stat.kind !== "file" && stat.kind !== "symlink")) {
      const kind: EntryKind = stat === undefined ? "absent" : (stat.kind as EntryKind);
      if (this.#table.kind(id) !== kind) {
        this.#table.setKind(id, kind);
        this.#forgetContent(id);
        this.#isChanged = true;
      }
    } else if (!this.#table.isCurrent(id, stat)) return false;
    this.#seenAt[id] = this.#moment;
    return true;
  }

  #hash(ids: readonly number[], absolutePaths: readonly string[]): HashOutcome[] {
    const readAt = this.#treeClock.now();
    const outcomes = this.#fs.hashMany(absolutePaths, this.#fn);
    for (let index = 0; index < ids.length; index++) {
      this.#take(ids[index]!, outcomes[index]!, readAt);
      this.#seenAt[ids[index]!] = this.#moment;
    }
    return outcomes;
  }

  #take(id: number, outcome: HashOutcome, readAt: FileTime): void {
    this.#forgetContent(id);
    switch (outcome.kind) {
      case "file": {
        const { digest, stat } = outcome;
        const linked = this.#table.isLinked(id) && stat.nlink > 1;
        this.#table.setFile(id, { digest, stat, settled: isSettled(stat, readAt, linked), linked });
        break;
      }
      case "symlink":
        this.#targets.set(id, outcome.target);
        // A target is read every time and not kept: there is nothing to save unless the name was something else.
        if (this.#table.kind(id) === "symlink") return;
        this.#table.setKind(id, "symlink");
        break;
      case "absent":
        this.#table.setKind(id, "absent");
        break;
      case "not-a-file":
        this.#table.setKind(id, outcome.stat.kind);
        break;
      case "unstable":
      case "unreadable":
        this.#table.setKind(id, "unknown");
        this.#troubles.set(id, outcome);
        break;
    }
    this.#isChanged = true;
  }

  #add(kind: EntryKind): number {
    const id = this.#table.add(kind);
    this.#inputs.push(undefined);
    if (id >= this.#seenAt.length) {
      const longer = new Uint32Array(Math.ceil(id * 1.5));
      longer.set(this.#seenAt);
      this.#seenAt = longer;
    }
    return id;
  }

  #forgetContent(id: number): void {
    this.#inputs[id] = undefined;
    this.#seenAt[id] = 0;
    this.#troubles.delete(id);
    this.#targets.delete(id);
  }

  /** Something was made or removed at a path: what its parents are and hold has to be looked at again. */
  #disbelieveAbove(path: string): void {
    this.#revision++;
    for (let at = path; at !== "" && at !== "/"; at = parentOf(at)) {
      const above = this.#directories.get(parentOf(at));
      const id = at === path ? undefined : above?.find(nameOf(at));
      if (id !== undefined) this.#seenAt[id] = 0;
      if (above !== undefined) above.seenAt = 0;
    }
  }

  #unlist(directory: Directory): void {
    directory.seenAt = this.#moment;
    if (directory.listing === undefined) return;
    directory.listing = undefined;
    this.#isChanged = true;
  }

  #readListing(directory: Directory, stat: FileStat): void {
    // The clock first: a name made after this stamp changes the directory's mtime to one that is not settled by it.
    const readAt = this.#treeClock.now();
    const entries = this.#fs.readDirectory(this.#paths.absolute(directory.path));
    if (entries === undefined) {
      this.#unlist(directory);
      return;
    }
    const names: string[] = [];
    const ids: number[] = [];
    for (const { name, kind } of inWalkOrder(entries)) {
      const known = directory.find(name);
      if (known !== undefined && this.#table.kind(known) !== kind) {
        this.#table.setKind(known, kind);
        this.#forgetContent(known);
      }
      names.push(name);
      ids.push(known ?? this.#add(kind));
    }
    directory.replace(names, ids);
    const { mtimeMs, ctimeMs, ino, dev } = stat;
    directory.listing = { mtimeMs, ctimeMs, ino, dev, settled: isSettled(stat, readAt) };
    this.#isChanged = true;
  }
}
