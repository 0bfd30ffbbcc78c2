/**
 * The folder that a worker works in: made to hold exactly the inputs of the next piece of work.
 *
 * Invariant: the worker lives, and may change its folder meanwhile: nothing is made, removed or looked at outside of
 *            it. Files are made where the worker is not, and renamed into directories that are held.
 * Method:    what is there already, and is the same file by inode, size and times, stays; everything else goes and is
 *            made anew. So the cost of a piece of work is that of its changed inputs, and a worker that writes an input
 *            or leaves files behind changes nothing for the next one.
 */
import {
  compareUtf8,
  type Digest,
  type FileStat,
  FileSystemError,
  type Result,
  type StoreProblem,
  sleep,
} from "@kahn/core";
import type { InputTree } from "../input-tree.ts";
import { HeldFolder, splitPlace } from "../internal/held-folder.ts";
import { Planting, type PlantingPorts } from "../internal/planting.ts";

type Entry =
  | { readonly kind: "file"; readonly digest: Digest; readonly executable: boolean }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "directory" };

/** Everything below a tree by path, parents before children. */
export function entriesOf(tree: InputTree): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  const open = [{ tree, prefix: "" }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { directory, children } = top.tree;
    for (const { name, digest, executable } of directory.files) {
      entries.set(top.prefix + name, { kind: "file", digest, executable });
    }
    for (const { name, target } of directory.symlinks) entries.set(top.prefix + name, { kind: "symlink", target });
    for (const [name, child] of children) {
      entries.set(top.prefix + name, { kind: "directory" });
      open.push({ tree: child, prefix: `${top.prefix}${name}/` });
    }
  }
  return entries;
}

/** The input files of a tree, sorted by path. */
export function inputFiles(tree: InputTree): { readonly path: string; readonly digest: Digest }[] {
  const files: { path: string; digest: Digest }[] = [];
  for (const [path, entry] of entriesOf(tree)) if (entry.kind === "file") files.push({ path, digest: entry.digest });
  return files.sort((a, b) => compareUtf8(a.path, b.path));
}

/** So many files are put into place before others get their turn. */
const TURN_FILES = 1024;

/** Where a folder is. Paths are absolute. */
export interface WorkPlace {
  /** The worker's; nothing that leads there is. */
  readonly root: string;
  /** The folder, relative to the root; made when it is not there. Empty for the root, which is. */
  readonly place: string;
  /** A folder that is not there, on the same file system, out of the worker's reach. */
  readonly fresh: string;
}

/** One folder. */
export class WorkFolder {
  readonly #ports: PlantingPorts;
  readonly #where: WorkPlace;
  readonly #known = new Map<string, { readonly entry: Entry; readonly stat: FileStat }>();

  constructor(ports: PlantingPorts, where: WorkPlace) {
    this.#ports = ports;
    this.#where = where;
  }

  /**
   * Makes the folder hold the tree, and empty directories at `directories`.
   *
   * @returns blobs that lack. @throws FileSystemError
   */
  async hold(tree: InputTree, directories: Iterable<string>): Promise<Result<Set<Digest>, StoreProblem>> {
    const { fs } = this.#ports;
    const { root, place, fresh } = this.#where;
    const wanted = entriesOf(tree);
    const held = new HeldFolder(fs, root);
    try {
      let above = "";
      for (const name of place === "" ? [] : place.split("/")) {
        above = above === "" ? name : `${above}/${name}`;
        held.make(above);
      }
      this.#removeOthers(held, wanted);
      const lacking = [...wanted].filter(([path, { kind }]) => kind !== "directory" && !this.#known.has(path));
      const made = await this.#makeFresh(lacking);
      if (!made.ok || made.value.size > 0) return made;
      for (const [path, { kind }] of wanted) if (kind === "directory") held.make(this.#placeOf(path));
      for (const path of directories) held.make(this.#placeOf(path));
      for (const [index, [path, entry]] of lacking.entries()) {
        if (index % TURN_FILES === TURN_FILES - 1) await sleep(this.#ports.clock, 0);
        this.#putIntoPlace(held, { path, entry, from: `${fresh}/${index}` });
      }
      return made;
    } finally {
      held.close();
      fs.removeTree(fresh);
    }
  }

  /** Makes entries by their number. */
  async #makeFresh(entries: readonly (readonly [string, Entry])[]): Promise<Result<Set<Digest>, StoreProblem>> {
    const { fresh } = this.#where;
    const planting = new Planting();
    if (entries.length > 0) planting.directory(fresh);
    for (const [index, [, entry]] of entries.entries()) {
      const path = `${fresh}/${index}`;
      if (entry.kind === "symlink") planting.symlink(path, entry.target);
      else if (entry.kind === "file") planting.file({ path, ...entry }, false);
    }
    return await planting.make(this.#ports);
  }

  #putIntoPlace(
    held: HeldFolder,
    { path, entry, from }: { readonly path: string; readonly entry: Entry; readonly from: string },
  ): void {
    const { fs } = this.#ports;
    const { parent, name } = splitPlace(this.#placeOf(path));
    const made = fs.lstat(from);
    const stat = held.within(parent, (directory) => {
      fs.rename(from, `${directory}/${name}`);
      return fs.lstat(`${directory}/${name}`);
    });
    if (stat?.ino !== made?.ino || stat === undefined) throw new FileSystemError("ESTALE", "rename", path);
    this.#known.set(path, { entry, stat });
  }

  #placeOf(path: string): string {
    const { place } = this.#where;
    if (place === "" || path === "") return place + path;
    return `${place}/${path}`;
  }

  /** Removes whatever is not wanted, or not as it was made. */
  #removeOthers(held: HeldFolder, wanted: ReadonlyMap<string, Entry>): void {
    const { fs } = this.#ports;
    const kept = new Set<string>();
    const open = [""];
    for (let prefix = open.pop(); prefix !== undefined; prefix = open.pop()) {
      const at = prefix;
      held.within(this.#placeOf(at.slice(0, -1)), (directory) => {
        for (const { name, kind } of fs.readDirectory(directory) ?? []) {
          const path = at + name;
          const entry = wanted.get(path);
          if (kind === "directory" && entry?.kind === "directory") open.push(`${path}/`);
          else if (this.#isAsMade(`${directory}/${name}`, path, entry)) kept.add(path);
          else fs.removeTree(`${directory}/${name}`);
        }
      });
    }
    for (const path of this.#known.keys()) if (!kept.has(path)) this.#known.delete(path);
  }

  #isAsMade(real: string, path: string, entry: Entry | undefined): boolean {
    const known = this.#known.get(path);
    if (known === undefined || entry === undefined || !sameEntry(known.entry, entry)) return false;
    const stat = this.#ports.fs.lstat(real);
    const { ino, sizeBytes, mode, mtimeMs, ctimeMs } = known.stat;
    return (
      stat !== undefined &&
      stat.ino === ino &&
      stat.sizeBytes === sizeBytes &&
      stat.mode === mode &&
      stat.mtimeMs === mtimeMs &&
      stat.ctimeMs === ctimeMs
    );
  }
}

function sameEntry(a: Entry, b: Entry): boolean {
  if (a.kind === "file") return b.kind === "file" && a.digest === b.digest && a.executable === b.executable;
  if (a.kind === "symlink") return b.kind === "symlink" && a.target === b.target;
  return b.kind === "directory";
}
