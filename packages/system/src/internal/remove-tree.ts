/**
 * Removes a tree, whatever its permissions, names and depth, without ever leaving it through a symlink: not through one
 * either that takes a directory's place meanwhile.
 *
 * Method: each directory is held open while it is emptied, and its entries are named from there (on Linux). What has no
 *         name for us (not UTF-8) gets one; what lies so deep that its path would be too long for the kernel is first
 *         moved up. Commands make such trees by mistake, and on purpose: what cannot be removed stays for ever.
 */
import { chmodSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import { FileSystemError } from "@kahn/core";
import { lstatOrAbsent } from "./file-stat.ts";
import { openHeld } from "./held-directory.ts";
import { errnoOf, guarded, guardedOrAbsent } from "./refusal.ts";

/** How often a directory into which somebody still writes is emptied before ENOTEMPTY is passed on. */
const ROUNDS_MAX = 3;
/** Below this many levels, or bytes of a path, a directory is moved up: the kernel takes 4095 bytes, our stack is finite. */
const LEVELS_MAX = 256;
const PATH_MAX_BYTES = 3500;
const TURN_MS = 5;
/** What Node makes of bytes that are not UTF-8. */
const REPLACED = "\ufffd";

/** Removes what is at `path`; no effect when there is nothing. */
export function removeTree(path: string): void {
  const steps = removal(path);
  while (steps.next().done !== true);
}

/** The same, while others get their turns: a tree may be of any size. */
export async function removeTreeInTurns(path: string): Promise<void> {
  const steps = removal(path);
  for (;;) {
    const endMs = performance.now() + TURN_MS;
    do {
      if (steps.next().done === true) return;
    } while (performance.now() < endMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Removes step by step: yields after each entry. */
export function* removal(path: string): Generator<void> {
  const kind = lstatOrAbsent(path)?.kind;
  if (kind === "directory") yield* new Removal(path).run();
  else if (kind !== undefined) guardedOrAbsent("remove", path, () => unlinkSync(path));
}

/** Runs a call that needs a directory to be writable. */
type Unlocked = <T>(call: () => T) => T;

/** Where the work is: a directory, how deep it is, and how a call is run that needs its parent to be writable. */
interface Place {
  readonly path: string;
  readonly level: number;
  readonly inParent: Unlocked;
}

/** A directory that is held. */
interface Here {
  /** Of the directory itself, for as long as it is held. */
  readonly at: string;
  readonly level: number;
  /** Runs calls in it. */
  readonly within: Unlocked;
}

/** The removal of one tree. */
class Removal {
  readonly #root: string;
  readonly #movedUp: string[] = [];
  /** The root, as it is held. */
  #top = "";
  #names = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** The parent of the root is left as it is. */
  *run(): Generator<void> {
    try {
      yield* this.#remove({ path: this.#root, level: 0, inParent: (call) => call() });
    } catch (error) {
      // The path of a held directory tells nobody where it is.
      if (!(error instanceof FileSystemError) || error.path === this.#root) throw error;
      throw new FileSystemError(error.code, error.operation, `${this.#root}/…`, { cause: error });
    }
  }

  *#remove({ path, level, inParent }: Place): Generator<void> {
    for (let round = 1; ; round++) {
      const held = guardedOrAbsent("open", path, () => inParent(() => openHeld(path)));
      // Gone, or something else meanwhile, which is for the next round of the directory above.
      if (held === undefined) return;
      try {
        const here = unlocking(held.path);
        if (level === 0) this.#top = held.path;
        // A directory that may be read but not searched hides what is in its children.
        yield* this.#empty({ at: held.path, level, within: (call) => inParent(() => here(call)) });
        if (level === 0) yield* this.#removeMovedUp(here);
      } finally {
        held.close();
      }
      try {
        guardedOrAbsent("rmdir", path, () => inParent(() => rmdirSync(path)));
        return;
      } catch (error) {
        const code = errnoOf(error);
        if (round === ROUNDS_MAX || (code !== "ENOTEMPTY" && code !== "EEXIST")) throw error;
      }
    }
  }

  *#empty({ at, level, within }: Here): Generator<void> {
    const list = () =>
      guardedOrAbsent("readdir", at, () => within(() => readdirSync(at, { withFileTypes: true }))) ?? [];
    let entries = list();
    if (entries.some(({ name }) => name.includes(REPLACED)) && this.#nameAll(at, within)) entries = list();
    for (const entry of entries) {
      const child = `${at}/${entry.name}`;
      if (!entry.isDirectory()) guardedOrAbsent("remove", child, () => within(() => unlinkSync(child)));
      else if (level >= LEVELS_MAX || isLong(child)) this.#moveUp(child, within);
      else yield* this.#remove({ path: child, level: level + 1, inParent: within });
      yield;
    }
  }

  /** Gives names to what has none that we could say. */
  #nameAll(path: string, here: Unlocked): boolean {
    let isNamed = false;
    for (const name of here(() => readdirSync(path, { encoding: "buffer" }))) {
      if (!name.toString().includes(REPLACED)) continue;
      const from = Buffer.concat([Buffer.from(`${path}/`), name]);
      this.#rename(path, (to) => here(() => renameSync(from, to)));
      isNamed = true;
    }
    return isNamed;
  }

  #moveUp(path: string, here: Unlocked): void {
    const move = (to: string) => here(() => renameSync(path, to));
    try {
      this.#movedUp.push(this.#rename(this.#top, move));
    } catch (error) {
      if (errnoOf(error) !== "EACCES") throw error;
      // A directory that changes its parent is written itself.
      const held = openHeld(path);
      if (held !== undefined) chmodSync(held.path, 0o700);
      held?.close();
      this.#movedUp.push(this.#rename(this.#top, move));
    }
  }

  *#removeMovedUp(here: Unlocked): Generator<void> {
    for (let path = this.#movedUp.pop(); path !== undefined; path = this.#movedUp.pop()) {
      yield* this.#remove({ path, level: 1, inParent: here });
    }
  }

  /** Renames to a name in `folder` that nothing has; answers with it. */
  #rename(folder: string, rename: (to: string) => void): string {
    for (;;) {
      const to = `${folder}/.kahn-removed-${++this.#names}`;
      if (lstatOrAbsent(to) !== undefined) continue;
      guarded("rename", to, () => rename(to));
      return to;
    }
  }
}

function unlocking(path: string): Unlocked {
  return (call) => {
    try {
      return call();
    } catch (error) {
      if (errnoOf(error) !== "EACCES") throw error;
      // Some tools leave read-only directories behind.
      chmodSync(path, 0o700);
      return call();
    }
  };
}

/** No character of a string has more than three bytes. */
function isLong(path: string): boolean {
  return path.length * 3 > PATH_MAX_BYTES && Buffer.byteLength(path) > PATH_MAX_BYTES;
}
