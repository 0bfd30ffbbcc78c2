/** What of an input tree is marked as belonging to the program itself. */
import { type Digest, digestOf } from "@kahn/core";
import type { InputTree } from "../input-tree.ts";

/** By tree: equal trees are one object, and every action of one compiler has the same compiler below it. */
const known = new WeakMap<InputTree, Digest | undefined>();

/** A digest of all marked files with their paths and modes; `undefined` when none is marked. */
export function markedTools(tree: InputTree): Digest | undefined {
  const open = [tree];
  // A stack, not recursion: a tree is dealt with when all below it are.
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const children = [...top.children.values()].filter((child) => !known.has(child));
    if (children.length > 0 && !known.has(top)) {
      open.push(...children);
      continue;
    }
    if (!known.has(top)) known.set(top, ofDirectory(top));
    open.pop();
  }
  return known.get(tree);
}

function ofDirectory({ directory, children }: InputTree): Digest | undefined {
  const marked = directory.files.filter(({ isTool }) => isTool);
  const below = [...children].map(([name, child]) => [name, known.get(child) ?? null] as const);
  const holding = below.filter(([, digest]) => digest !== null);
  if (marked.length + holding.length === 0) return undefined;
  return digestOf(JSON.stringify([marked.map(({ name, digest, executable }) => [name, digest, executable]), holding]));
}
