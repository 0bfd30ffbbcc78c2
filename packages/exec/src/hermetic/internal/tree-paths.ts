/** Paths through an input tree, as the kernel would walk them: symlinks followed, as long as they stay inside. */
import { InvariantError } from "@kahn/core";
import type { InputTree } from "../input-tree.ts";

/** Where a path leads. */
export type TreePlace =
  /** `tree` is undefined for a directory that is not in the tree and may be made. */
  | { readonly kind: "directory"; readonly place: string; readonly tree: InputTree | undefined }
  | { readonly kind: "file"; readonly place: string }
  /** Through a file, out of the tree, or round in circles. */
  | { readonly kind: "blocked"; readonly place: string };

/** As many as Linux follows. */
const SYMLINKS_MAX = 40;

/** Follows a path from the root, its last segment too. `place` has no symlink left in it. */
export function follow(root: InputTree, path: string): TreePlace {
  const names: string[] = [];
  const trees: (InputTree | undefined)[] = [root];
  const ahead = segments(path).reverse();
  let symlinks = 0;
  for (let segment = ahead.pop(); segment !== undefined; segment = ahead.pop()) {
    if (segment === "..") {
      if (names.pop() === undefined) return { kind: "blocked", place: path };
      trees.pop();
      continue;
    }
    const here = trees.at(-1);
    const place = [...names, segment].join("/");
    const target = here?.directory.symlinks.find(({ name }) => name === segment)?.target;
    if (target !== undefined) {
      if (target.startsWith("/") || ++symlinks > SYMLINKS_MAX) return { kind: "blocked", place };
      ahead.push(...segments(target).reverse());
      continue;
    }
    if (here?.directory.files.some(({ name }) => name === segment) === true) {
      return ahead.length === 0 ? { kind: "file", place } : { kind: "blocked", place };
    }
    names.push(segment);
    trees.push(here?.children.get(segment));
  }
  if (trees.length !== names.length + 1) throw new InvariantError("a path through a tree lost count");
  return { kind: "directory", place: names.join("/"), tree: trees.at(-1) };
}

function segments(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}
