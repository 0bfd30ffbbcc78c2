import { type BlobStore, type Digest, type Directory, digestOf, encodeDirectory, makeDigest } from "@kahn/core";
import { memoryBlobStore, memoryFileSystem } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { storeDirectory, storeTree } from "./hermetic.fixture.ts";
import { InputTrees } from "./input-tree.ts";

const file = (name: string) => ({ name, digest: digestOf("x"), executable: false });

function rig(entriesMax = 1000) {
  const blobs = memoryBlobStore(memoryFileSystem());
  const reads: Digest[] = [];
  const counting: BlobStore = {
    findMissing: (digests) => blobs.findMissing(digests),
    read: (digest) => {
      reads.push(digest);
      return blobs.read(digest);
    },
    write: (digest, bytes) => blobs.write(digest, bytes),
    ingest: (requests) => blobs.ingest(requests),
    materialize: (requests) => blobs.materialize(requests),
  };
  const trees = (allowAbsoluteSymlinks = true) =>
    new InputTrees({ blobs: counting, entriesMax, allowAbsoluteSymlinks });
  return { blobs, reads, trees };
}

// Goal: nothing a client sends can name a place outside of its tree. Method: every way a name can be a path, and every
// way a list can be ambiguous, alone and below a sound parent.
test("a directory that is not in canonical form is refused with a problem that says where", async () => {
  const bad: readonly Partial<Directory>[] = [
    ...["", ".", "..", "a/b", "/a", "a\0b", "x".repeat(256), "é".repeat(128)].map((name) => ({ files: [file(name)] })),
    { directories: [{ name: "..", digest: digestOf("") }] },
    { symlinks: [{ name: "../l", target: "t" }] },
    { symlinks: [{ name: "l", target: "" }] },
    { symlinks: [{ name: "l", target: "a\0b" }] },
    { files: [file("a")], symlinks: [{ name: "a", target: "t" }] },
    { files: [file("a")], directories: [{ name: "a", digest: digestOf("") }] },
  ];
  for (const directory of bad) {
    const { blobs, trees } = rig();
    const digest = await storeDirectory(blobs, directory);
    const parent = await storeDirectory(blobs, { directories: [{ name: "sub", digest }] });
    for (const root of [digest, parent]) {
      const outcome = await trees().load(root);
      expect(outcome, JSON.stringify(directory)).toMatchObject({
        kind: "invalid",
        problem: { code: "input-tree-invalid" },
      });
      expect((outcome as { problem: { message: string } }).problem.message).toContain(digest);
    }
  }
});

// Our encoder sorts and drops nothing, so the bytes of these are put together by hand: two whole messages after another
// are one message with both lists.
test("names twice or out of order are refused; the orders of UTF-8 and of UTF-16 are both taken", async () => {
  const { blobs, trees } = rig();
  const load = async (...names: string[]) => {
    const parts = names.map((name) => encodeDirectory({ files: [file(name)], directories: [], symlinks: [] }));
    const bytes = Buffer.concat(parts);
    await blobs.write(digestOf(bytes), bytes);
    return (await trees().load(digestOf(bytes))).kind;
  };
  expect(await load("a", "a")).toBe("invalid");
  expect(await load("b", "a")).toBe("invalid");
  expect(await load("a", "c", "b")).toBe("invalid");
  expect(await load("\u{ff5e}", "😀")).toBe("tree");
  expect(await load("😀", "\u{ff5e}")).toBe("tree");
  expect(await load("a", "😀", "\u{ff5e}", "a")).toBe("invalid");
});

test("bytes that are no Directory are refused", async () => {
  const { blobs, trees } = rig();
  const bytes = Buffer.from([0xff, 0xff, 0xff]);
  await blobs.write(digestOf(bytes), bytes);
  expect(await trees().load(digestOf(bytes))).toMatchObject({
    kind: "invalid",
    problem: { code: "input-tree-invalid" },
  });
});

// Goal: a few kilobytes must not stand for 2^40 files. Method: each level names the next one twice.
test("a tree that multiplies itself is refused before it is walked", async () => {
  const { blobs, trees } = rig(100_000);
  let digest = await storeDirectory(blobs, { files: [file("f")] });
  for (let level = 0; level < 40; level++) {
    digest = await storeDirectory(blobs, {
      directories: [
        { name: "a", digest },
        { name: "b", digest },
      ],
    });
  }
  expect(await trees().load(digest)).toMatchObject({ kind: "invalid", problem: { code: "input-tree-too-large" } });
});

test("absolute symlinks are refused where the policy takes none", async () => {
  const { blobs, trees } = rig();
  const root = await storeTree(blobs, { "a/l": ["/etc/passwd"] });
  expect((await trees().load(root)).kind).toBe("tree");
  expect(await trees(false).load(root)).toMatchObject({ kind: "invalid", problem: { code: "symlink-absolute" } });
});

// Goal: a client re-uploads what it is told, so one answer must name all. Method: random blobs of a random tree lack.
test("D6: every blob that lacks is named, over the whole tree and not only its root", async () => {
  const path = fc
    .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 })
    .map((names) => `${names.join("/")}/f`);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(path, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.boolean()),
      async (paths, lose) => {
        const { blobs, trees } = rig();
        const root = await storeTree(blobs, Object.fromEntries(paths.map((each) => [each, `content of ${each}`])));
        const whole = await trees().load(root);
        if (whole.kind !== "tree") throw new Error(whole.kind);
        const files = paths.map((each) => digestOf(`content of ${each}`)).filter(() => lose.next().value);
        const { directories } = whole.tree.directory;
        const lost = lose.next().value ? directories.slice(0, 1).map(({ digest }) => digest) : [];
        for (const digest of [...files, ...lost]) blobs.evict(digest);
        const outcome = await trees().load(root);
        if (lost.length === 0) {
          if (outcome.kind !== "tree") throw new Error(outcome.kind);
          expect(await trees().missingFiles(outcome.tree)).toEqual({ ok: true, value: [...new Set(files)].sort() });
        } else {
          if (outcome.kind !== "missing-blobs") throw new Error(outcome.kind);
          expect(outcome.digests).toEqual([...new Set(outcome.digests)].sort());
          expect(outcome.digests).toContain(lost[0]);
          for (const digest of outcome.digests) expect([...files, ...lost]).toContain(digest);
        }
      },
    ),
    { numRuns: 30 * Number(process.env.KAHN_TEST_SCALE ?? 1) },
  );
});

test("a directory is read once, however often it occurs and however many actions have it", async () => {
  const { blobs, reads, trees } = rig();
  const first = await storeTree(blobs, { "a/f": "1", "b/f": "1", "c/d/f": "1", main: "1" });
  const second = await storeTree(blobs, { "a/f": "1", "b/f": "1", "c/d/f": "1", main: "2" });
  const known = trees();
  expect((await known.load(first)).kind).toBe("tree");
  expect(reads.length).toBe(3);
  expect((await known.load(first)).kind).toBe("tree");
  expect(reads.length).toBe(3);
  expect((await known.load(second)).kind).toBe("tree");
  expect(reads.length).toBe(4);
});

test("D13: the empty blob and the empty directory are always there", async () => {
  const { blobs, trees } = rig();
  const root = await storeDirectory(blobs, {
    files: [{ name: "e", digest: digestOf(""), executable: false }],
    directories: [{ name: "d", digest: digestOf("") }],
  });
  blobs.evict(digestOf(""));
  const outcome = await trees().load(root);
  if (outcome.kind !== "tree") throw new Error(outcome.kind);
  expect(await trees().missingFiles(outcome.tree)).toEqual({ ok: true, value: [] });
  expect((await trees().load(digestOf(""))).kind).toBe("tree");
});

test("a blob that is too large for a directory is not read", async () => {
  const { reads, trees } = rig();
  const outcome = await trees().load(makeDigest("sha256", "0".repeat(64), 2_000_000_000));
  expect(outcome).toMatchObject({ kind: "invalid", problem: { code: "input-tree-invalid" } });
  expect(reads).toEqual([]);
});

test("a directory may have more directories in it than a call takes arguments", async () => {
  const { blobs, trees } = rig();
  const empty = await storeDirectory(blobs, { files: [file("f")] });
  const names = Array.from({ length: 130_000 }, (_, n) => String(n).padStart(6, "0"));
  const root = await storeDirectory(blobs, { directories: names.map((name) => ({ name, digest: empty })) });
  expect(await trees().load(root)).toMatchObject({ kind: "invalid", problem: { code: "input-tree-too-large" } });
});
