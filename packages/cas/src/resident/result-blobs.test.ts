import { type ActionResult, type Digest, makeDigest, TREE_MAX_BYTES } from "@kahn/core";
import { expect, test } from "vitest";
import type { ResidentBlobs } from "./resident-blobs.ts";
import { blobsOfResult } from "./result-blobs.ts";

test("a result whose tree is larger than trees may be is no whole one, and the tree is not read", async () => {
  const asked: Digest[] = [];
  const blobs = {
    read: async (digest: Digest) => {
      asked.push(digest);
      throw new Error("read");
    },
  } as unknown as ResidentBlobs;
  const tree = makeDigest("sha256", "0".repeat(64), TREE_MAX_BYTES + 1);
  const outputDirectories = [{ path: "out", tree }];
  const result: ActionResult = {
    outputFiles: [],
    outputDirectories,
    outputSymlinks: [],
    exitCode: 0,
    metadata: { worker: "w" },
  };
  expect(await blobsOfResult(result, blobs)).toBe(undefined);
  expect(asked).toEqual([]);
});
