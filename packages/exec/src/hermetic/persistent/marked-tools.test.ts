import { digestOf, encodeDirectory, type FileNode } from "@kahn/core";
import { memoryBlobStore, memoryFileSystem, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import { InputTrees } from "../input-tree.ts";
import { markedTools } from "./marked-tools.ts";

const blobs = memoryBlobStore(memoryFileSystem({ clock: virtualClock() }));
const trees = new InputTrees({ blobs, entriesMax: 1000, allowAbsoluteSymlinks: true });

async function stored(files: readonly FileNode[], below: Readonly<Record<string, ReturnType<typeof digestOf>>> = {}) {
  const directories = Object.entries(below).map(([name, digest]) => ({ name, digest }));
  const bytes = encodeDirectory({ files, directories, symlinks: [] });
  await blobs.write(digestOf(bytes), bytes);
  return digestOf(bytes);
}

const file = (name: string, text: string, isTool?: true): FileNode => ({
  ...{ name, digest: digestOf(text), executable: false },
  ...(isTool ? { isTool } : {}),
});

async function marked(root: ReturnType<typeof digestOf>) {
  const loaded = await trees.load(root);
  if (loaded.kind !== "tree") throw new Error(loaded.kind);
  return markedTools(loaded.tree);
}

test("marked files alone count, with their paths, contents and modes", async () => {
  const tree = async (tool: FileNode, source: string) =>
    marked(await stored([file("source", source)], { bin: await stored([tool]), empty: await stored([]) }));
  const usual = await tree(file("tool", "1", true), "a");
  expect(usual).toBeDefined();
  expect(await tree(file("tool", "1", true), "b")).toBe(usual);
  const others = [file("tool", "2", true), file("other", "1", true), { ...file("tool", "1", true), executable: true }];
  const all = await Promise.all(others.map((tool) => tree(tool, "a")));
  expect(new Set([...all, usual]).size).toBe(4);
  expect(await tree(file("tool", "1"), "a")).toBeUndefined();
});

test("the same tools in another directory are other tools", async () => {
  const tools = await stored([file("tool", "1", true)]);
  expect(await marked(await stored([], { a: tools }))).not.toBe(await marked(await stored([], { b: tools })));
});
