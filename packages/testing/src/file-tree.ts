/**
 * Whole trees as plain objects, for setting up and for assertions. Work on any `FileSystem`, real ones included.
 *
 * Format: one member per file, keyed by its path relative to the root of the tree, its text as the value. A symlink's
 * value is `-> target`. A directory has a member only when it is empty: `"name/": ""`.
 */
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";

/** A tree of files as a plain object: see the head of this module for the format. */
export type FileTree = Readonly<Record<string, string>>;

/** Creates the files, links and empty directories of a tree below `root`, parents included. */
export function writeTree(fs: FileSystem, root: string, tree: FileTree): void {
  for (const [name, value] of Object.entries(tree)) {
    const path = join(root, name);
    if (name.endsWith("/")) {
      fs.makeDirectory(path);
      continue;
    }
    fs.makeDirectory(path.slice(0, path.lastIndexOf("/")) || "/");
    if (value.startsWith("-> ")) fs.symlink(value.slice(3), path);
    else fs.writeFile(path, value);
  }
}

/**
 * What is below `root`, sorted by path; empty when there is nothing. Text that is not UTF-8 is shown as
 * `base64:…`, a file that may not be read as `<EACCES>`.
 */
export function readTree(fs: FileSystem, root: string): Record<string, string> {
  const found: [name: string, value: string][] = [];
  const visit = (directory: string, prefix: string) => {
    for (const { name, kind } of fs.readDirectory(directory) ?? []) {
      const path = join(directory, name);
      if (kind === "directory") {
        const before = found.length;
        const refusal = refusalOf(() => visit(path, `${prefix}${name}/`));
        if (found.length === before) found.push([`${prefix}${name}/`, refusal ?? ""]);
      } else {
        let value = "<other>";
        const refusal = refusalOf(() => {
          if (kind === "symlink") value = `-> ${fs.readLink(path)}`;
          if (kind === "file") value = textOf(fs.readFile(path));
        });
        found.push([prefix + name, refusal ?? value]);
      }
    }
  };
  visit(root, "");
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is shown in place of what may not be read. */
function refusalOf(read: () => void): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    return `<${error.code}>`;
  }
}

function textOf(bytes: Uint8Array = new Uint8Array(0)): string {
  const text = Buffer.from(bytes).toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : `base64:${Buffer.from(bytes).toString("base64")}`;
}

function join(directory: string, name: string): string {
  return `${directory === "/" ? "" : directory}/${name}`.replace(/\/$/, "");
}
