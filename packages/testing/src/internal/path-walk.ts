/**
 * From a path to a place in the tree, the way a kernel walks: component by component, through symlinks, `.` and `..`.
 *
 * Never: creates or changes anything.
 */
import type { DirectoryInode, Inode } from "./inode.ts";

/** As many symlinks as Linux follows in one walk. */
const LINKS_MAX = 40;

/** Where a path leads: a name in a directory, and what is there. The root's own name is empty. */
export interface Place {
  readonly parent: DirectoryInode;
  readonly name: string;
  readonly node: Inode | undefined;
  /** The path without symlinks, `.` and `..`. */
  readonly realPath: string;
}

/** What a walk needs to know. */
export interface Walk {
  readonly root: DirectoryInode;
  readonly path: string;
  /** Whether a symlink in the last place is followed. */
  readonly follow: boolean;
  /** False when the walker may not search this directory. */
  readonly maySearch: (directory: DirectoryInode) => boolean;
}

/** The place, or the errno name (ENOENT, ENOTDIR, EACCES, ELOOP) of what stopped the walk before its last name. */
export function walk({ root, path, follow, maySearch }: Walk): Place | string {
  const pending = componentsOf(path);
  let stack: { readonly node: DirectoryInode; readonly name: string }[] = [{ node: root, name: "" }];
  let links = 0;
  while (pending.length > 0) {
    const name = pending.pop()!;
    const directory = stack[stack.length - 1]!.node;
    if (!maySearch(directory)) return "EACCES";
    if (name === "..") {
      if (stack.length > 1) stack.pop();
      continue;
    }
    const node = directory.entries.get(name);
    const last = pending.length === 0;
    if (node?.kind === "symlink" && (!last || follow)) {
      if (++links > LINKS_MAX) return "ELOOP";
      if (node.target.startsWith("/")) stack = [stack[0]!];
      pending.push(...componentsOf(node.target));
      continue;
    }
    if (last) return { parent: directory, name, node, realPath: `${pathOf(stack)}/${name}` };
    if (node === undefined) return "ENOENT";
    if (node.kind !== "directory") return "ENOTDIR";
    stack.push({ node, name });
  }
  const top = stack[stack.length - 1]!;
  const parent = (stack[stack.length - 2] ?? top).node;
  return { parent, name: top.name, node: top.node, realPath: pathOf(stack) || "/" };
}

/** The components, last first. */
function componentsOf(path: string): string[] {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .reverse();
}

function pathOf(stack: readonly { readonly name: string }[]): string {
  return stack
    .slice(1)
    .map((each) => `/${each.name}`)
    .join("");
}
