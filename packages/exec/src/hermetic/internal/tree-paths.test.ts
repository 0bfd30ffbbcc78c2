import { type Digest, digestOf } from "@kahn/core";
import { expect, test } from "vitest";
import type { InputTree } from "../input-tree.ts";
import { follow } from "./tree-paths.ts";

const digest: Digest = digestOf("x");

function treeOf(files: InputTree["directory"]["files"], symlinks: InputTree["directory"]["symlinks"] = []): InputTree {
  const directory = { files, symlinks, directories: [] };
  return { digest, directory, children: new Map(), entries: files.length, sizeBytes: 0, depth: 0 };
}

test("a directory's names are looked through once, however many paths come through it", () => {
  let reads = 0;
  const file = {
    digest,
    executable: false,
    get name() {
      reads++;
      return "file";
    },
  };
  const tree = treeOf(new Array(1000).fill(file));
  for (let index = 0; index < 100; index++) follow(tree, `out-${index}`);
  expect(reads).toBe(1000);
  expect(follow(tree, "file")).toEqual({ kind: "file", place: "file", digest });
});

test("a path or a symlink's target that is too long for any machine leads nowhere", () => {
  const long = "a/".repeat(100_000);
  const tree = treeOf([], [{ name: "link", target: long }]);
  expect(follow(tree, long).kind).toBe("blocked");
  expect(follow(tree, "link")).toEqual({ kind: "blocked", place: "link" });
});
