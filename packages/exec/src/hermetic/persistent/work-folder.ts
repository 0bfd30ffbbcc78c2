/**
 * The folder that a worker works in: made to hold exactly the inputs of the next piece of work.
 *
 * Method:    what is there already, and is the same file by inode, size and times, stays; everything else goes and is
 *            made anew. So the cost of a piece of work is that of its changed inputs, and a worker that writes an input
 *            or leaves files behind changes nothing for the next one.
 */
import { compareUtf8, type Digest, type FileStat, type Result, type StoreProblem } from "@kahn/core";
import type { InputTree } from "../input-tree.ts";
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

/** One folder, absolute and there. */
export class WorkFolder {
  readonly #ports: PlantingPorts;
  readonly #path: string;
  readonly #known = new Map<string, { readonly entry: Entry; readonly stat: FileStat }>();

  constructor(ports: PlantingPorts, path: string) {
    this.#ports = ports;
    this.#path = path;
  }

  /**
   * Makes the folder hold the tree, and empty directories at `directories`.
   *
   * @returns blobs that lack. @throws FileSystemError
   */
  async hold(tree: InputTree, directories: Iterable<string>): Promise<Result<Set<Digest>, StoreProblem>> {
    const { fs } = this.#ports;
    const wanted = entriesOf(tree);
    this.#removeOthers(wanted);
    const planting = new Planting();
    const fresh: string[] = [];
    for (const [path, entry] of wanted) {
      const absolute = `${this.#path}/${path}`;
      if (entry.kind === "directory") planting.directory(absolute);
      else if (this.#known.has(path)) continue;
      else {
        fresh.push(path);
        if (entry.kind === "symlink") planting.symlink(absolute, entry.target);
        else planting.file({ path: absolute, ...entry }, false);
      }
    }
    for (const place of directories) planting.directory(place === "" ? this.#path : `${this.#path}/${place}`);
    const made = await planting.make(this.#ports);
    if (!made.ok || made.value.size > 0) return made;
    for (const path of fresh) {
      const stat = fs.lstat(`${this.#path}/${path}`);
      if (stat !== undefined) this.#known.set(path, { entry: wanted.get(path)!, stat });
    }
    return made;
  }

  /** Removes whatever is not wanted, or not as it was made. */
  #removeOthers(wanted: ReadonlyMap<string, Entry>): void {
    const { fs } = this.#ports;
    const kept = new Set<string>();
    const open = [""];
    for (let prefix = open.pop(); prefix !== undefined; prefix = open.pop()) {
      for (const { name, kind } of fs.readDirectory(`${this.#path}/${prefix}`) ?? []) {
        const path = prefix + name;
        const entry = wanted.get(path);
        if (kind === "directory" && entry?.kind === "directory") open.push(`${path}/`);
        else if (this.#isAsMade(path, entry)) kept.add(path);
        else fs.removeTree(`${this.#path}/${path}`);
      }
    }
    for (const path of this.#known.keys()) if (!kept.has(path)) this.#known.delete(path);
  }

  #isAsMade(path: string, entry: Entry | undefined): boolean {
    const known = this.#known.get(path);
    if (known === undefined || entry === undefined || !sameEntry(known.entry, entry)) return false;
    const stat = this.#ports.fs.lstat(`${this.#path}/${path}`);
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
