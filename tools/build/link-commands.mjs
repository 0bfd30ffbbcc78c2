/**
 * Kahn's commands in this repository's node_modules/.bin, for `npx kahn` in examples. npm makes such links while it
 * installs, and leaves out those whose built file is not there yet; then `npx kahn` would ask the registry for one.
 */
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { KAHN, ROOT } from "../repository.mjs";

/** Makes the links that npm has not. */
export function linkCommands() {
  const directory = join(ROOT, "node_modules/.bin");
  if (!existsSync(join(ROOT, "node_modules"))) return;
  mkdirSync(directory, { recursive: true });
  /** @type {{ bin: Record<string, string> }} */
  const { bin } = JSON.parse(readFileSync(join(KAHN, "package.json"), "utf8"));
  for (const [name, file] of Object.entries(bin)) {
    const link = join(directory, name);
    // A link whose target is gone does not exist for one of the two questions.
    if (existsSync(link)) continue;
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
    symlinkSync(`../../packages/kahn/${file}`, link);
  }
}
