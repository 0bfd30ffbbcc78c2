/**
 * The name `kahn` in this repository's node_modules/.bin, for `npx kahn` in examples. npm makes such a link while it
 * installs, and leaves it out because the built file is not there yet; then `npx kahn` would ask the registry for one.
 */
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../repository.mjs";

/** Makes the link, if npm has not. */
export function linkCommand() {
  const directory = join(ROOT, "node_modules/.bin");
  const link = join(directory, "kahn");
  // A link whose target is gone does not exist for one of the two questions.
  if (existsSync(link) || !existsSync(join(ROOT, "node_modules"))) return;
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
  mkdirSync(directory, { recursive: true });
  symlinkSync("../../packages/kahn/dist/kahn.mjs", link);
}
