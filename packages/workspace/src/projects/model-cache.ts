/**
 * Keeps the model of a workspace between starts.
 *
 * Owns:      one file per workspace: the packed model and the stats of every path that it rests on.
 * Invariant: `load` answers only when each of those paths is as it was, and was settled when it was read: absent ones
 *            are still absent, files have their stat, listed folders their subfolders. In any doubt there is no answer.
 * Never:     fails a run: a cache that cannot be read or written costs time only.
 */
import type { FileStat, FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import { fileSystemClockMs, timestampGranularityMs } from "@kahn/system";
import type { WorkspaceModel } from "../model.ts";
import type { SourceReader } from "../source-reader.ts";
import { folderNames } from "../source-reader.ts";
import type { FileTime } from "../states/trust.ts";
import { isSettled } from "../states/trust.ts";
import type { PackedModel } from "./model-encoding.ts";
import { packModel, unpackModel } from "./model-encoding.ts";

/** Where the model is kept. */
export interface ModelCacheOptions {
  readonly fs: FileSystem;
  /** Absolute path of the file. Its folder may be missing. */
  readonly file: string;
  /** Whatever else the model depends on: Kahn's version, the number of processors. */
  readonly stamp: string;
}

/** The stored file. */
interface StoredModel {
  readonly stamp: string;
  /** Absolute paths; those below the root are stored without it, with a `/` in front. */
  readonly paths: readonly string[];
  /** Four numbers for each path (see `signature`). */
  readonly signatures: readonly number[];
  /** Names of the subfolders of each listed folder, by index into `paths`. */
  readonly folders: Readonly<Record<number, string>>;
  readonly packed: PackedModel;
}

/** Bumped when the stored form changes. */
const FORMAT = 2;
const ABSENT: readonly number[] = [0, 0, 0, 0];
/** Equal to no file's signature: the path was too young to be trusted. */
const UNTRUSTED: readonly number[] = [-1, -1, -1, -1];

/** One workspace's stored model. */
export class ModelCache {
  readonly #fs: FileSystem;
  readonly #file: string;
  readonly #stamp: string;

  constructor(options: ModelCacheOptions) {
    this.#fs = options.fs;
    this.#file = options.file;
    this.#stamp = `${FORMAT} ${options.stamp}`;
  }

  /** The stored model of the workspace at `root`, if it is still what its files say. */
  load(root: string): WorkspaceModel | undefined {
    const stored = this.#read();
    if (stored === undefined || stored.stamp !== this.#stamp || stored.packed.model.root !== root) return undefined;
    const paths = stored.paths.map((path) => absolutePath(root, path));
    const stats = this.#fs.statMany(paths);
    const isCurrent = paths.every((path, index) => {
      if (isSame(stats[index], stored.signatures, index * 4)) return true;
      const folders = stored.folders[index];
      // Making `dist` touches a folder's time; what matters of a listed folder is which folders are in it.
      return folders !== undefined && folderNames(this.#fs.readDirectory(path) ?? []).join("/") === folders;
    });
    return isCurrent ? unpackModel(stored.packed) : undefined;
  }

  /** The time to pass to `save`: by the file system's clock, before anything is read. */
  begin(): FileTime | undefined {
    const folder = this.#file.slice(0, this.#file.lastIndexOf("/"));
    return this.#quietly(() => {
      this.#fs.makeDirectory(folder);
      const granularityMs = timestampGranularityMs(this.#fs, folder);
      const nowMs = fileSystemClockMs(this.#fs, folder);
      return { nowMs, granularityMs, dev: this.#fs.lstat(folder)?.dev ?? -1 };
    });
  }

  /** Stores a model that was read through `reader` after `begin`. */
  save(model: WorkspaceModel, reader: SourceReader, begun: FileTime | undefined): void {
    if (begun === undefined) return;
    const evidence = [...reader.evidence];
    const folders: Record<number, string> = {};
    const signatures = evidence.flatMap(([path, stat], index) => {
      const names = reader.listedFolders(path);
      if (names !== undefined) folders[index] = names.join("/");
      return stat === undefined || isSettled(stat, begun) ? signature(stat) : UNTRUSTED;
    });
    const stored: StoredModel = {
      stamp: this.#stamp,
      paths: evidence.map(([path]) => storedPath(model.root, path)),
      signatures,
      folders,
      packed: packModel(model),
    };
    this.#quietly(() => {
      // Written whole and renamed: another Kahn may be reading. One that began at the same moment is refused here.
      const draft = `${this.#file}.${begun.nowMs}.tmp`;
      this.#fs.writeFile(draft, JSON.stringify(stored), { exclusive: true });
      this.#fs.rename(draft, this.#file);
    });
  }

  #read(): StoredModel | undefined {
    const bytes = this.#quietly(() => this.#fs.readFile(this.#file));
    if (bytes === undefined) return undefined;
    try {
      // `null` is JSON too; everything else that is not ours has not our stamp.
      return (JSON.parse(new TextDecoder().decode(bytes)) as StoredModel | null) ?? undefined;
    } catch {
      // Torn by a crash of the system: read everything again.
      return undefined;
    }
  }

  #quietly<Value>(action: () => Value): Value | undefined {
    try {
      return action();
    } catch (error) {
      if (error instanceof FileSystemError) return undefined;
      throw error;
    }
  }
}

function signature(stat: FileStat | undefined): readonly number[] {
  if (stat === undefined) return ABSENT;
  // A folder's size and ctime say nothing that its mtime does not.
  if (stat.kind === "directory") return [stat.mtimeMs, 0, 0, stat.ino];
  return [stat.mtimeMs, stat.ctimeMs, stat.sizeBytes, stat.ino];
}

/** Compares with the signature that starts at an index, without making one: this runs for every path. */
function isSame(stat: FileStat | undefined, then: readonly number[], at: number): boolean {
  if (stat === undefined) return then[at] === 0 && then[at + 3] === 0;
  if (stat.mtimeMs !== then[at] || stat.ino !== then[at + 3]) return false;
  return stat.kind === "directory" || (stat.ctimeMs === then[at + 1] && stat.sizeBytes === then[at + 2]);
}

function storedPath(root: string, path: string): string {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}

function absolutePath(root: string, path: string): string {
  return path.startsWith("/") ? path : `${root}/${path}`;
}
