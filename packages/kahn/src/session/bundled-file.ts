/** Files that the build puts beside the command line. */
import { dirname } from "node:path";
import type { FileSystem } from "@kahn/core";

/**
 * The path of a file of `dist`; `undefined` when this program was not built.
 *
 * @param from absolute path of a module: the command line itself, or one of its parts a folder below.
 */
export function bundledFile(fs: FileSystem, name: string, from: string): string | undefined {
  const here = dirname(from);
  return [dirname(here), here].map((folder) => `${folder}/${name}`).find((path) => fs.lstat(path) !== undefined);
}
