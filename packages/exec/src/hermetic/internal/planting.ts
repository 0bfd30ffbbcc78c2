/**
 * Planting: makes the files, symlinks and directories of input trees on disk.
 *
 * Never:  changes the mode of an inode that has another name; a blob comes as a copy, or as a link to the store's own
 *         read-only file in the variant that is wanted.
 */
import {
  type BlobStore,
  type Clock,
  type Digest,
  digestSizeBytes,
  type FileSystem,
  type MaterializeRequest,
  ok,
  type Result,
  type StoreProblem,
  sleep,
} from "@kahn/core";
import type { InputTree } from "../input-tree.ts";

/** What planting works with. */
export interface PlantingPorts {
  readonly fs: FileSystem;
  readonly blobs: BlobStore;
  readonly clock: Clock;
}

/** So many files are made before others get their turn: at 20 µs to 60 µs each, some 50 ms. */
const TURN_FILES = 1024;
/** A directory of a few names. */
const DIRECTORY_BYTES = 4096;

/** Things to be made, gathered and then made at once. */
export class Planting {
  readonly #directories: string[] = [];
  readonly #files: MaterializeRequest[] = [];
  readonly #symlinks: { readonly path: string; readonly target: string }[] = [];
  readonly #readOnly: { readonly path: string; readonly digest: Digest; readonly executable: boolean }[] = [];

  /** The copies without the right to write, as far as they were added. */
  get readOnly(): readonly { readonly path: string; readonly digest: Digest }[] {
    return this.#readOnly;
  }

  /** Sizes of all files, as far as they were added. */
  *sizes(): Iterable<number> {
    for (const { digest } of this.#files) yield digestSizeBytes(digest);
    for (const _ of this.#directories) yield DIRECTORY_BYTES;
  }

  /** A directory, whose parent is there or was added before. */
  directory(path: string): void {
    this.#directories.push(path);
  }

  /** A file that is a copy; `readOnly` takes the right to write from it. */
  file(
    file: { readonly path: string; readonly digest: Digest; readonly executable: boolean },
    readOnly: boolean,
  ): void {
    this.#files.push({ ...file, how: "copy" });
    if (readOnly) this.#readOnly.push(file);
  }

  /** A symlink; the target is kept as it stands. */
  symlink(path: string, target: string): void {
    this.#symlinks.push({ path, target });
  }

  /** Everything below `path`, which is there or was added before. */
  tree(tree: InputTree, path: string, how: "link" | "writable" | "read-only"): void {
    const open = [{ tree, path }];
    for (let top = open.pop(); top !== undefined; top = open.pop()) {
      for (const { name, digest, executable } of top.tree.directory.files) {
        const file = { path: `${top.path}/${name}`, digest, executable };
        if (how === "link") this.#files.push({ ...file, how });
        else this.file(file, how === "read-only");
      }
      for (const { name, target } of top.tree.directory.symlinks) this.symlink(`${top.path}/${name}`, target);
      for (const [name, child] of top.tree.children) {
        this.directory(`${top.path}/${name}`);
        open.push({ tree: child, path: `${top.path}/${name}` });
      }
    }
  }

  /** Makes everything. @returns the blobs that lack. @throws FileSystemError */
  async make({ fs, blobs, clock }: PlantingPorts): Promise<Result<Set<Digest>, StoreProblem>> {
    const missing = new Set<Digest>();
    for (const path of this.#directories) fs.makeDirectory(path);
    for (let from = 0; from < this.#files.length; from += TURN_FILES) {
      if (from > 0) await sleep(clock, 0);
      const turn = this.#files.slice(from, from + TURN_FILES);
      // The empty blob is always there, whether the store has it or not.
      const empty = turn.filter(({ digest }) => digestSizeBytes(digest) === 0);
      for (const { path, executable } of empty) fs.writeFile(path, "", { mode: executable ? 0o755 : 0o644 });
      const full = empty.length === 0 ? turn : turn.filter(({ digest }) => digestSizeBytes(digest) > 0);
      const made = await blobs.materialize(full);
      if (!made.ok) return made;
      // One that was corrupt has been set aside: it lacks now.
      full.forEach(({ digest }, index) => {
        if (made.value[index] !== "done") missing.add(digest);
      });
    }
    if (missing.size > 0) return ok(missing);
    for (const { path, target } of this.#symlinks) fs.symlink(target, path);
    for (const { path, executable } of this.#readOnly) fs.chmod(path, executable ? 0o555 : 0o444);
    return ok(missing);
  }
}
