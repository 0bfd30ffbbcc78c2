/** Paths through an input tree, as the kernel would walk them: symlinks followed, as long as they stay inside. */
import type { Digest } from "@kahn/core";
import type { InputTree } from "../input-tree.ts";

/** Where a path leads. */
export type TreePlace =
  /** `tree` is undefined for a directory that is not in the tree and may be made. */
  | { readonly kind: "directory"; readonly place: string; readonly tree: InputTree | undefined }
  | { readonly kind: "file"; readonly place: string; readonly digest: Digest }
  /** Through a file, out of the tree, round in circles, or too long for any machine. */
  | { readonly kind: "blocked"; readonly place: string };

/** As many as Linux follows. */
const SYMLINKS_MAX = 40;
/** UTF-16 units of a path, or of a symlink's target: Linux takes 4,095 bytes. */
export const PATH_MAX = 4095;

/** Follows a path from the root, its last segment too. `place` has no symlink left in it. */
export function follow(root: InputTree, path: string): TreePlace {
  if (path.length > PATH_MAX) return { kind: "blocked", place: path };
  const names: string[] = [];
  const trees: (InputTree | undefined)[] = [root];
  const ahead = segments(path).reverse();
  const placeOf = (last: string) => (names.length === 0 ? last : `${names.join("/")}/${last}`);
  let symlinks = 0;
  for (let segment = ahead.pop(); segment !== undefined; segment = ahead.pop()) {
    if (segment === "..") {
      if (names.pop() === undefined) return { kind: "blocked", place: path };
      trees.pop();
      continue;
    }
    const here = trees.at(-1);
    const leaf = here === undefined ? undefined : leavesOf(here).get(segment);
    if (leaf === undefined) {
      names.push(segment);
      trees.push(here?.children.get(segment));
    } else if ("target" in leaf) {
      const { target } = leaf;
      if (target.startsWith("/") || target.length > PATH_MAX || ++symlinks > SYMLINKS_MAX)
        return { kind: "blocked", place: placeOf(segment) };
      ahead.push(...segments(target).reverse());
    } else if (ahead.length > 0) return { kind: "blocked", place: placeOf(segment) };
    else return { kind: "file", place: placeOf(segment), digest: leaf.digest };
  }
  return { kind: "directory", place: names.join("/"), tree: trees.at(-1) };
}

type Leaf = { readonly digest: Digest } | { readonly target: string };

/** Files and symlinks by name, made when a path first comes through: many paths come through the same directories. */
const leaves = new WeakMap<InputTree, ReadonlyMap<string, Leaf>>();

function leavesOf(tree: InputTree): ReadonlyMap<string, Leaf> {
  const known = leaves.get(tree);
  if (known !== undefined) return known;
  const { files, symlinks } = tree.directory;
  const made = new Map<string, Leaf>();
  for (const file of files) made.set(file.name, file);
  for (const symlink of symlinks) made.set(symlink.name, symlink);
  leaves.set(tree, made);
  return made;
}

function segments(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}
