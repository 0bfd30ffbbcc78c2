// Goal: however two trees are made, exactly the paths that differ are named, and what they share is not read.
// Method: random sets of entries, compared with a comparison of the flat lists.
import assert from "node:assert/strict";
import { buildInputRoot, type Digest, digestOf, type InputEntry } from "@kahn/core";
import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import { compareInputs, countInputs } from "./input-trees.ts";

const NAMES = ["a", "b", "c"];

/** Paths of one to three segments with what is there; what is below a leaf is left out. */
const entries = fc
  .array(
    fc.tuple(fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 5 })),
    {
      maxLength: 8,
    },
  )
  .map((drawn) => {
    const all = new Map(drawn.map(([segments, kind]) => [segments.join("/"), kind]));
    const paths = [...all.keys()].sort();
    const kept = paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`)));
    return kept.map((path) => entryOf(path, all.get(path)!));
  });

function entryOf(path: string, kind: number): InputEntry {
  if (kind === 0) return { kind: "directory", path };
  if (kind === 1) return { kind: "symlink", path, target: "elsewhere" };
  return { kind: "file", path, digest: digestOf(String(kind >> 1)), executable: kind % 2 === 1 };
}

function factAt(list: readonly InputEntry[], path: string): string | undefined {
  const entry = list.find((each) => each.path === path);
  switch (entry?.kind) {
    case undefined:
      return list.some((each) => each.path.startsWith(`${path}/`)) ? "directory" : undefined;
    case "directory":
      return "directory";
    case "symlink":
      return `-> ${entry.target}`;
    case "file":
      return entry.executable ? `${entry.digest} +x` : entry.digest;
  }
}

function stored(list: readonly InputEntry[], into: Map<Digest, Uint8Array>): Digest {
  const { root, directories } = buildInputRoot(list, { keepBytes: true });
  for (const [digest, bytes] of directories) into.set(digest, bytes);
  return root;
}

const storeOf = (blobs: ReadonlyMap<Digest, Uint8Array>, read: Digest[] = []) => ({
  read: async (digest: Digest) => {
    read.push(digest);
    return { ok: true, value: blobs.get(digest) } as const;
  },
});

test("two trees differ in the paths in which their flat lists differ", async () => {
  const runs = 300 * testScale(process.env.KAHN_TEST_SCALE);
  const property = fc.asyncProperty(entries, entries, async (one, two) => {
    const blobs = new Map<Digest, Uint8Array>();
    const compared = await compareInputs(storeOf(blobs), stored(one, blobs), stored(two, blobs));
    assert.ok(compared.ok);
    const paths = [...new Set([...one, ...two].map(({ path }) => path))].sort();
    const expected = paths
      .map((path) => ({ path, first: factAt(one, path), second: factAt(two, path) }))
      .filter((each) => each.first !== each.second);
    assert.deepEqual(compared.value, expected);
  });
  await fc.assert(property, { numRuns: runs });
});

test("a sub-tree that both share is not read, and one that is lost is named", async () => {
  const blobs = new Map<Digest, Uint8Array>();
  const shared = [1, 2, 3].map((n) => entryOf(`shared/deep/${n}`, 2));
  const first = stored([entryOf("own/x", 2), ...shared], blobs);
  const second = stored([entryOf("own/x", 4), ...shared], blobs);
  const read: Digest[] = [];
  const compared = await compareInputs(storeOf(blobs, read), first, second);
  assert.ok(compared.ok);
  assert.deepEqual(compared.value, [{ path: "own/x", first: digestOf("1"), second: digestOf("2") }]);
  assert.equal(read.length, 4);
  const lost = new Map([first, second].map((digest) => [digest, blobs.get(digest)!]));
  const partly = await compareInputs(storeOf(lost), first, second);
  assert.ok(partly.ok);
  assert.match(partly.value[0]?.first ?? "", /^directory sha256:/);
});

test("what a tree holds is counted at every place where it occurs", async () => {
  const blobs = new Map<Digest, Uint8Array>();
  const list = ["a/same", "b/same"].map((path) => entryOf(path, 2));
  const counts = await countInputs(storeOf(blobs), stored([...list, entryOf("link", 1)], blobs));
  assert.ok(counts.ok);
  assert.deepEqual(counts.value, { files: 2, directories: 2, symlinks: 1, sizeBytes: 2, unknown: 0 });
});
