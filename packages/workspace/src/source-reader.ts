/**
 * Reads the files that make a workspace, and remembers what it saw.
 *
 * Owns:      the evidence of a load: each path's stat from before it was read, the paths that were absent, and the
 *            folders that were listed.
 * Invariant: a model made from this reader is current as long as every recorded path has the recorded stat.
 */
import type { DirectoryEntry, FileStat, FileSystem } from "@kahn/core";

/** Every path that a load looked at, with what `lstat` said before; `undefined`: it was absent. Absolute paths. */
export type Evidence = ReadonlyMap<string, FileStat | undefined>;

/** A file system that keeps a record. Each file is read at most once. */
export class SourceReader {
  readonly #fs: FileSystem;
  readonly #seen = new Map<string, FileStat | undefined>();
  readonly #texts = new Map<string, string | undefined>();
  readonly #listings = new Map<string, readonly DirectoryEntry[]>();

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** What was looked at so far. */
  get evidence(): Evidence {
    return this.#seen;
  }

  /** Absolute paths of the files that were there and were read, in the order of reading. */
  get filesRead(): readonly string[] {
    return [...this.#texts].filter(([, text]) => text !== undefined).map(([path]) => path);
  }

  /** A file's text without its byte order mark; `undefined` when there is no such file, or a folder. */
  readText(path: string): string | undefined {
    if (this.#texts.has(path)) return this.#texts.get(path);
    const isReadable = this.#look(path) === "present" && this.#seen.get(path)?.kind !== "directory";
    const text = isReadable ? this.#decode(path) : undefined;
    this.#texts.set(path, text);
    return text;
  }

  /** True when there is something at the path, of any kind. */
  exists(path: string): boolean {
    return this.#look(path) === "present";
  }

  /** Names in a folder, sorted; empty when there is no such folder. */
  list(path: string): readonly DirectoryEntry[] {
    const known = this.#listings.get(path);
    if (known !== undefined) return known;
    this.#look(path);
    const entries = this.#fs.readDirectory(path) ?? [];
    entries.sort((left, right) => (left.name < right.name ? -1 : 1));
    this.#listings.set(path, entries);
    return entries;
  }

  /** `folderNames` of a folder that was listed; `undefined` when it was not. */
  listedFolders(path: string): string[] | undefined {
    const entries = this.#listings.get(path);
    return entries === undefined ? undefined : folderNames(entries);
  }

  #look(path: string): "present" | "absent" {
    if (!this.#seen.has(path)) {
      const stat = this.#fs.lstat(path);
      this.#seen.set(path, stat);
      // A link's own stat does not tell of changes behind it.
      const target = stat?.kind === "symlink" ? this.#fs.realPath(path) : undefined;
      if (target !== undefined && target !== path) this.#look(target);
    }
    return this.#seen.get(path) === undefined ? "absent" : "present";
  }

  #decode(path: string): string | undefined {
    const bytes = this.#fs.readFile(path);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }
}

/**
 * The folders of a listing that may lead to projects, sorted: neither `node_modules` nor hidden ones. A link, which may
 * lead to a folder, ends in `@`.
 */
export function folderNames(entries: readonly DirectoryEntry[]): string[] {
  return entries
    .filter(
      ({ name, kind }) => (kind === "directory" || kind === "symlink") && name !== "node_modules" && name[0] !== ".",
    )
    .map(({ name, kind }) => (kind === "symlink" ? `${name}@` : name))
    .sort();
}
