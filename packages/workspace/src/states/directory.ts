/**
 * One directory of the work tree: its known names with their rows, and its listing if that was read.
 *
 * Owns:      names and their order.
 * Invariant: names are in walk order: by UTF-8 bytes, directories compared as if they ended in `/`. Walking down in
 *            this order visits whole paths in their order. A name that is added later stands last; in a directory that
 *            is listed it is one that is not there, or the listing is read again before anyone walks over it.
 */
import type { FileStat } from "@kahn/core";
import { compareUtf8 } from "@kahn/core";

/** The stat under which a directory's names are all known. */
export interface Listing {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
  readonly dev: number;
  readonly settled: boolean;
}

/** Names still lying in the index file's text: rows `first` to `first + count - 1`. */
export interface StoredNames {
  readonly text: string;
  /** Where each row's name ends in the text; it starts where the one before ends. */
  readonly ends: Uint32Array;
  readonly first: number;
  readonly count: number;
}

/** Up to so many names are searched one by one: making a map costs more. */
const SMALL = 12;

/** A directory. */
export class Directory {
  /** Relative to the workspace (empty: the workspace itself), or absolute when it lies outside. */
  readonly path: string;
  /** Set when all names are known, as of this stat. */
  listing: Listing | undefined;
  /** The moment in which the listing was last compared with the disk. */
  seenAt = 0;
  /** Identity of the ignore rules by which the verdicts of its names were made; 0 for none. */
  rules = 0;
  /** The names as they lie in the index file, for as long as they are still these. */
  #stored: StoredNames | undefined;
  #isMaterial: boolean;
  #names: string[] = [];
  #ids: number[] = [];
  #positions: Map<string, number> | undefined;
  /** Position after the name that was found last. */
  #next = 0;

  constructor(path: string, stored?: StoredNames) {
    this.path = path;
    this.#stored = stored;
    this.#isMaterial = stored === undefined;
  }

  /** Set while the names and their rows are exactly those of the index file. */
  get stored(): StoredNames | undefined {
    return this.#stored;
  }

  get names(): readonly string[] {
    if (!this.#isMaterial) this.#materialize(this.#stored!);
    return this.#names;
  }

  /** The row of each name, in the same order. */
  get ids(): readonly number[] {
    if (!this.#isMaterial) this.#materialize(this.#stored!);
    return this.#ids;
  }

  /** The path of a name in it, in the form of `path`. */
  pathOf(name: string): string {
    return this.path === "" || this.path === "/" ? this.path + name : `${this.path}/${name}`;
  }

  /** The row of a name, if it has one. */
  find(name: string): number | undefined {
    const names = this.names;
    // Whoever asks for many names mostly asks in their order.
    const next = this.#next;
    if (names[next] === name) {
      this.#next = next + 1;
      return this.#ids[next]!;
    }
    return this.#search(names, name);
  }

  #search(names: readonly string[], name: string): number | undefined {
    if (names.length <= SMALL) {
      const position = names.indexOf(name);
      if (position !== -1) this.#next = position + 1;
      return position === -1 ? undefined : this.#ids[position]!;
    }
    this.#positions ??= new Map(names.map((each, index) => [each, index]));
    const position = this.#positions.get(name);
    if (position !== undefined) this.#next = position + 1;
    return position === undefined ? undefined : this.#ids[position]!;
  }

  /** Adds a name that is not in it, for a listing that is not (or no longer) complete. */
  append(name: string, id: number): void {
    const { length } = this.names;
    this.#stored = undefined;
    this.#positions?.set(name, length);
    this.#names.push(name);
    this.#ids.push(id);
  }

  /** Replaces all names at once; they must be in walk order. */
  replace(names: string[], ids: number[]): void {
    if (ids.length === this.ids.length && ids.every((id, index) => id === this.#ids[index])) return;
    this.#stored = undefined;
    this.#isMaterial = true;
    this.#names = names;
    this.#ids = ids;
    this.#positions = undefined;
  }

  /** True when the stat is the one under which the names were read, and can be trusted. */
  isListedUnder(stat: FileStat): boolean {
    const { listing } = this;
    return (
      listing?.settled === true &&
      listing.mtimeMs === stat.mtimeMs &&
      listing.ctimeMs === stat.ctimeMs &&
      listing.ino === stat.ino &&
      listing.dev === stat.dev
    );
  }

  /** Trusts no listing of a directory that changed at `sinceMs` or later, before it is read again. */
  unsettleSince(sinceMs: number): void {
    const { listing } = this;
    if (listing === undefined || Math.max(listing.mtimeMs, listing.ctimeMs) < sinceMs) return;
    this.listing = { ...listing, settled: false };
  }

  #materialize({ text, ends, first, count }: StoredNames): void {
    this.#isMaterial = true;
    const names = new Array<string>(count);
    const ids = new Array<number>(count);
    let start = first === 0 ? 0 : ends[first - 1]!;
    for (let index = 0; index < count; index++) {
      const end = ends[first + index]!;
      names[index] = text.slice(start, end);
      ids[index] = first + index;
      start = end;
    }
    this.#names = names;
    this.#ids = ids;
  }
}

/** Orders names for `replace`. */
export function inWalkOrder<T extends { readonly name: string; readonly kind: string }>(entries: T[]): T[] {
  const keyOf = (entry: T) => (entry.kind === "directory" ? `${entry.name}/` : entry.name);
  return entries.sort((left, right) => compareUtf8(keyOf(left), keyOf(right)));
}
