/** Removes a tree, whatever its permissions, without ever leaving it through a symlink. */
import { chmodSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { lstatOrAbsent } from "./file-stat.ts";
import { errnoOf, guardedOrAbsent } from "./refusal.ts";

/** How often a directory into which somebody still writes is emptied before ENOTEMPTY is passed on. */
const ROUNDS_MAX = 3;

/** Removes what is at `path`; no effect when there is nothing. */
export function removeTree(path: string): void {
  const kind = lstatOrAbsent(path)?.kind;
  if (kind === "directory") removeDirectory(path, (call) => call());
  else if (kind !== undefined) guardedOrAbsent("remove", path, () => unlinkSync(path));
}

/** Runs a call that needs a directory to be writable. */
type Unlocked = <T>(call: () => T) => T;

/** `inParent` runs the removal of the directory itself; the parent of the tree's root is left as it is. */
function removeDirectory(path: string, inParent: Unlocked): void {
  const here: Unlocked = (call) => {
    try {
      return call();
    } catch (error) {
      if (errnoOf(error) !== "EACCES") throw error;
      // Some tools leave read-only directories behind.
      chmodSync(path, 0o700);
      return call();
    }
  };
  for (let round = 1; ; round++) {
    // A directory that may be read but not searched hides what is in its children.
    emptyDirectory(path, (call) => inParent(() => here(call)));
    try {
      guardedOrAbsent("rmdir", path, () => inParent(() => rmdirSync(path)));
      return;
    } catch (error) {
      const code = errnoOf(error);
      if (round === ROUNDS_MAX || (code !== "ENOTEMPTY" && code !== "EEXIST")) throw error;
    }
  }
}

function emptyDirectory(path: string, here: Unlocked): void {
  const entries = guardedOrAbsent("readdir", path, () => here(() => readdirSync(path, { withFileTypes: true }))) ?? [];
  for (const entry of entries) {
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory()) removeDirectory(child, here);
    else guardedOrAbsent("remove", child, () => here(() => unlinkSync(child)));
  }
}
