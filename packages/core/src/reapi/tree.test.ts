import fc from "fast-check";
import { expect, test } from "vitest";
import type { Digest } from "../digest.ts";
import { digestOf } from "../digest.ts";
import { compareUtf8 } from "../text-order.ts";
import { encodeDirectory, encodeTree } from "./encode.ts";
import { flattenTree } from "./flatten.ts";
import type { Directory } from "./messages.ts";
import { plain } from "./proto-oracle.fixture.ts";
import type { TreeEntry } from "./tree.ts";
import { buildInputRoot, treeOf } from "./tree.ts";

const numRuns = 200 * Number(process.env.KAHN_TEST_SCALE ?? 1);

/** Sets of entries in which no path runs through a file; names around `/` in the order of bytes, and beyond U+FFFF. */
const entries: fc.Arbitrary<TreeEntry[]> = fc
  .uniqueArray(
    fc.array(fc.constantFrom("a", "a-b", "a.b", "a0", "b", "é", "\u{ff5e}", "😀"), { minLength: 1, maxLength: 4 }),
    { maxLength: 14, selector: (path) => path.join("/") },
  )
  .chain((paths) => {
    const all = paths.map((path) => path.join("/"));
    const leaves = all.filter((path) => !all.some((other) => other.startsWith(`${path}/`)));
    return fc.tuple(...leaves.map((path) => entryAt(path)));
  })
  .map((list) => [...list].sort((a, b) => compareUtf8(a.path, b.path)));

function entryAt(path: string): fc.Arbitrary<TreeEntry> {
  return fc.oneof(
    plain({
      kind: fc.constant("file" as const),
      path: fc.constant(path),
      digest: fc.constantFrom("", "x", "y").map((content) => digestOf(content)),
      executable: fc.boolean(),
    }),
    plain({ kind: fc.constant("symlink" as const), path: fc.constant(path), target: fc.constantFrom("", "../t") }),
    plain({ kind: fc.constant("directory" as const), path: fc.constant(path) }),
  );
}

/** The obvious way: nested maps, encoded from below. */
function modelRoot(list: readonly TreeEntry[], prefix = ""): Digest {
  const directory = { files: [], directories: [], symlinks: [] } as unknown as {
    [Key in keyof Directory]: Directory[Key][number][];
  };
  const below = new Set<string>();
  for (const entry of list) {
    if (!entry.path.startsWith(prefix)) continue;
    const name = entry.path.slice(prefix.length);
    if (name.includes("/")) below.add(name.slice(0, name.indexOf("/")));
    else if (entry.kind === "file") directory.files.push({ name, digest: entry.digest, executable: entry.executable });
    else if (entry.kind === "symlink") directory.symlinks.push({ name, target: entry.target });
    else below.add(name);
  }
  for (const name of below) directory.directories.push({ name, digest: modelRoot(list, `${prefix}${name}/`) });
  return digestOf(encodeDirectory(directory));
}

// Goal: the one-pass builder equals the obvious construction, whatever the order of the list.
test("an input root is the digest of its nested directories, in any order of the entries", () => {
  fc.assert(
    fc.property(entries, fc.infiniteStream(fc.nat()), (list, noise) => {
      const expected = modelRoot(list);
      const built = buildInputRoot(list, { keepBytes: true });
      expect(built.root).toBe(expected);
      for (const [digest, bytes] of built.directories) expect(digestOf(bytes)).toBe(digest);
      expect(built.directories.has(built.root)).toBe(true);
      const shuffled = list
        .map((entry) => ({ entry, key: noise.next().value }))
        .sort((a, b) => a.key - b.key)
        .map(({ entry }) => entry);
      expect(buildInputRoot(shuffled)).toStrictEqual({ root: expected, directories: new Map() });
    }),
    { numRuns },
  );
});

test("flattening a tree gives back the entries it was made of, and every directory", () => {
  fc.assert(
    fc.property(entries, (list) => {
      const tree = treeOf(list);
      expect(tree.digest).toBe(digestOf(tree.bytes));
      const flat = flattenTree(tree.bytes);
      const directories = new Set<string>();
      for (const { kind, path } of list) {
        if (kind === "directory") directories.add(path);
        for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) directories.add(path.slice(0, at));
      }
      expect(flat).toStrictEqual({
        ok: true,
        value: {
          entries: list.filter((entry) => entry.kind !== "directory"),
          directories: [...directories].sort(compareUtf8),
        },
      });
    }),
    { numRuns },
  );
});

test("different entries give different trees", () => {
  fc.assert(
    fc.property(entries, entries, (a, b) => {
      expect(treeOf(a).digest === treeOf(b).digest).toBe(JSON.stringify(a) === JSON.stringify(b));
      expect(buildInputRoot(a).root === buildInputRoot(b).root).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns },
  );
});

test("equal sub-directories are in a tree once, and parents come before their children", () => {
  const file = { kind: "file", digest: digestOf("x"), executable: false } as const;
  const tree = treeOf(["a/c/f", "b/c/f"].map((path) => ({ ...file, path })));
  const leaf = { files: [{ name: "f", digest: file.digest, executable: false }], directories: [], symlinks: [] };
  const middle = {
    files: [],
    directories: [{ name: "c", digest: digestOf(encodeDirectory(leaf)) }],
    symlinks: [],
  };
  const digest = digestOf(encodeDirectory(middle));
  const root = {
    files: [],
    directories: [
      { name: "a", digest },
      { name: "b", digest },
    ],
    symlinks: [],
  };
  expect(Buffer.from(tree.bytes)).toStrictEqual(Buffer.from(encodeTree({ root, children: [middle, leaf] })));
});

const empty: Directory = { files: [], directories: [], symlinks: [] };

test("a tree with a name that leaves it, or twice the same name, is refused", () => {
  for (const name of ["", ".", "..", "a/b", "/", "a\0b"]) {
    const root = { ...empty, symlinks: [{ name, target: "t" }] };
    const flat = flattenTree(encodeTree({ root, children: [] }));
    expect(flat, JSON.stringify(name)).toMatchObject({ ok: false, problem: { code: "tree-malformed" } });
  }
  const twice = {
    ...empty,
    files: [{ name: "a", digest: digestOf(""), executable: false }],
    symlinks: [{ name: "a", target: "" }],
  };
  expect(flattenTree(encodeTree({ root: twice, children: [] }))).toMatchObject({ problem: { code: "tree-malformed" } });
});

test("a tree that lacks a child is refused", () => {
  const root = { ...empty, directories: [{ name: "a", digest: digestOf(encodeDirectory(empty)) }] };
  expect(flattenTree(encodeTree({ root, children: [] }))).toMatchObject({ problem: { code: "tree-malformed" } });
  expect(flattenTree(encodeTree({ root, children: [empty] })).ok).toBe(true);
});

// Goal: a few kilobytes must not expand without bound. Method: 40 levels, each naming the next one twice: 2^40 leaves.
test("a tree of nested equal sub-trees is refused before it fills the memory", () => {
  const children: Directory[] = [];
  let below = empty;
  for (let level = 0; level < 40; level++) {
    children.push(below);
    const digest = digestOf(encodeDirectory(below));
    below = {
      ...empty,
      directories: [
        { name: "a", digest },
        { name: "b", digest },
      ],
    };
  }
  const flat = flattenTree(encodeTree({ root: below, children }), { entriesMax: 10_000 });
  expect(flat).toMatchObject({ ok: false, problem: { code: "tree-too-large" } });
});

test("no byte string makes flattening throw", () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.uint8Array({ maxLength: 8 }), (list, at, noise) => {
      const bytes = treeOf(list).bytes;
      const where = bytes.length === 0 ? 0 : at % bytes.length;
      const flat = flattenTree(Buffer.concat([bytes.subarray(0, where), noise, bytes.subarray(where + 1)]));
      if (!flat.ok) expect(["reapi-malformed", "tree-malformed"]).toContain(flat.problem.code);
    }),
    { numRuns },
  );
});

test("a path that is in the list twice, or leaves the tree, is a bug of the caller", () => {
  const entry = { kind: "symlink", path: "a", target: "t" } as const;
  expect(() => buildInputRoot([entry, entry])).toThrow("twice");
  for (const path of ["", "/a", "a//b", "a/", "../a", "a/./b"]) {
    expect(() => buildInputRoot([{ ...entry, path }]), path).toThrow("not a relative path");
  }
});
