/** Where things are kept: the one list of paths inside `.kahn`. */
import type { FileSystem, Git } from "@kahn/core";

/** Absolute paths. `state` is data; `cache` may be deleted at any time at the cost of time only. */
export interface Locations {
  readonly root: string;
  /** Per work tree. */
  readonly state: string;
  readonly fileIndex: string;
  readonly model: string;
  readonly history: string;
  readonly memo: string;
  readonly runs: string;
  readonly values: string;
  readonly streams: string;
  /** Shared by all work trees of a repository. */
  readonly cache: string;
}

/** What the place of the cache depends on. */
export interface CachePlace {
  /** `KAHN_CACHE_DIR`. */
  readonly fromEnvironment: string | undefined;
  /** `cache.dir` of the configuration, relative to the root. */
  readonly fromConfiguration: string | undefined;
}

/** What finding the places takes. */
export interface LocationPorts {
  readonly fs: FileSystem;
  readonly git: Git;
}

/** The paths of a workspace. */
export function locationsOf(root: string, place: CachePlace, ports: LocationPorts): Locations {
  const state = `${root}/.kahn/state`;
  return {
    root,
    state,
    fileIndex: `${state}/files.index`,
    model: `${state}/model.json`,
    history: `${state}/history.json`,
    memo: `${state}/results.memo`,
    runs: `${state}/runs`,
    values: `${state}/values`,
    streams: `${state}/streams`,
    cache: cacheDirectory(root, place, ports),
  };
}

function cacheDirectory(root: string, place: CachePlace, ports: LocationPorts): string {
  const chosen = place.fromEnvironment ?? place.fromConfiguration;
  if (chosen !== undefined && chosen !== "") return chosen.startsWith("/") ? chosen : `${root}/${chosen}`;
  return `${mainRoot(root, ports)}/.kahn/cache`;
}

/** The same folder in the main work tree: a result computed in one work tree is a hit in every other. */
function mainRoot(root: string, { fs, git }: LocationPorts): string {
  // Only a linked work tree has a *file* `.git`; in every other case git need not be started.
  if (gitEntryKind(root, fs) !== "file") return root;
  const own = git.workTreeRoot(root);
  const main = git.mainWorkTreeRoot(root);
  if (own === undefined || main === undefined) return root;
  return root === own ? main : `${main}${root.slice(own.length)}`;
}

function gitEntryKind(root: string, fs: FileSystem): string | undefined {
  for (let directory = root; ; directory = directory.slice(0, directory.lastIndexOf("/"))) {
    const stat = fs.lstat(`${directory}/.git`);
    if (stat !== undefined || directory === "") return stat?.kind;
  }
}

/** Makes `.kahn` with a `.gitignore` of its own, so that nobody has to edit the repository's. */
export function makeStateDirectory(fs: FileSystem, { root, state }: Pick<Locations, "root" | "state">): void {
  fs.makeDirectory(state);
  if (fs.lstat(`${root}/.kahn/.gitignore`) === undefined) fs.writeFile(`${root}/.kahn/.gitignore`, "*\n");
}
