/**
 * What a command left beside its outputs: files that are neither inputs nor declared, and so are dropped.
 *
 * Note: a hint for people. It looks at names alone, at no more than `DIRECTORIES_MAX` directories, and into no directory
 *       that is itself unexpected.
 */
import type { DirectoryEntry, FileSystem } from "@kahn/core";
import type { CheckedCommand } from "./command-check.ts";
import type { InputTree } from "./input-tree.ts";
import { HeldFolder } from "./internal/held-folder.ts";

const DIRECTORIES_MAX = 2000;
const PATHS_MAX = 20;

/** Where to look, and what is expected there. */
export interface UndeclaredSearch {
  readonly execRoot: string;
  readonly tree: InputTree;
  readonly command: Pick<CheckedCommand, "outputs" | "workingDirectory">;
}

/** Paths relative to the input root, at most 20; a directory stands for all that is in it. */
export function undeclaredWrites(fs: FileSystem, search: UndeclaredSearch): string[] {
  const held = new HeldFolder(fs, search.execRoot);
  try {
    return searched((place) => held.within(place, (path) => fs.readDirectory(path)) ?? [], search);
  } finally {
    held.close();
  }
}

function searched(list: (place: string) => readonly DirectoryEntry[], search: UndeclaredSearch): string[] {
  const { command } = search;
  const places = command.outputs.map(({ place }) => place);
  if (places.includes("")) return [];
  const outputs = new Set(places);
  // Directories that are made for outputs, or to stand in.
  const parents = new Set([...places, `${command.workingDirectory}/`].flatMap(ancestors));
  const found: string[] = [];
  const open: { readonly path: string; readonly tree: InputTree | undefined }[] = [{ path: "", tree: search.tree }];
  for (let visited = 0; visited < DIRECTORIES_MAX && found.length < PATHS_MAX; visited++) {
    const next = open.pop();
    if (next === undefined) break;
    const expected = new Set(next.tree?.directory.files.map(({ name }) => name));
    for (const { name } of next.tree?.directory.symlinks ?? []) expected.add(name);
    for (const { name, kind } of list(next.path)) {
      const path = next.path === "" ? name : `${next.path}/${name}`;
      if (outputs.has(path) || expected.has(name)) continue;
      const tree = next.tree?.children.get(name);
      if (kind === "directory" && (tree !== undefined || parents.has(path))) open.push({ path, tree });
      else found.push(path);
    }
  }
  return found.slice(0, PATHS_MAX).sort();
}

function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) found.push(path.slice(0, at));
  return found;
}
