/**
 * Making a directory with its parents.
 *
 * Note: Node's own `recursive` never returns for a directory in which nothing can be made although it is there (`/proc`):
 *       it makes the parent, finds it, and tries again for ever.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "./refusal.ts";

/** Others may remove parents while they are made; so often they are made again. */
const ROUNDS_MAX = 8;

/** Makes a directory and its parents; no effect when it exists. @throws what Node throws. */
export function makeDirectories(path: string): void {
  for (let round = 1; ; round++) {
    // Looked at first: a refusal costs far more than a look, and nearly always it is there.
    if (isDirectory(path)) return;
    try {
      mkdirSync(path);
      return;
    } catch (error) {
      const code = errnoOf(error);
      // Somebody else was faster.
      if (code === "EEXIST" && isDirectory(path)) return;
      const parent = dirname(path);
      if (code !== "ENOENT" || parent === path || round === ROUNDS_MAX) throw error;
      makeDirectories(parent);
    }
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
