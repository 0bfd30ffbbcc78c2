import { memoryFileSystem, virtualClock } from "@kahn/testing";
import { expect, test } from "vitest";
import type { InputTree } from "./input-tree.ts";
import { undeclaredWrites } from "./undeclared-writes.ts";

const file = (name: string) => ({ name, digest: "sha256:00/0" as never, executable: false });
const tree = (files: string[], children: Record<string, InputTree> = {}): InputTree => ({
  digest: "sha256:00/0" as never,
  directory: { files: files.map(file), directories: [], symlinks: [{ name: "link", target: "x" }] },
  children: new Map(Object.entries(children)),
  entries: 0,
  sizeBytes: 0,
  depth: 0,
});
const output = (place: string) => ({ path: place, place, declared: "any" as const });

test("what is neither input nor output nor on the way to one is named, a directory once", () => {
  const fs = memoryFileSystem({ clock: virtualClock() });
  for (const path of ["a/src", "a/dist/deep", "b/out", "cache/deep", "cwd/x"]) fs.makeDirectory(`/exec/${path}`);
  const files = [
    "top",
    "link",
    ".log",
    "a/src/f",
    "a/src/g.tmp",
    "a/dist/deep/o",
    "b/out/o",
    "b/stray",
    "cache/deep/c",
  ];
  for (const path of files) fs.writeFile(`/exec/${path}`, "");
  const search = {
    execRoot: "/exec",
    tree: tree(["top"], { a: tree([], { src: tree(["f"]) }) }),
    command: { outputs: [output("a/dist"), output("b/out/o")], workingDirectory: "cwd/x" },
  };
  expect(undeclaredWrites(fs, search)).toStrictEqual([".log", "a/src/g.tmp", "b/stray", "cache"]);
  const whole = { ...search, command: { outputs: [output("")], workingDirectory: "" } };
  expect(undeclaredWrites(fs, whole)).toStrictEqual([]);
});
