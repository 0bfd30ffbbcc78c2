/** Archives as trees: each kind, each thing that can be in one, and what is refused. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { Digest } from "@kahn/core";
import { decodeDirectory, digestOf } from "@kahn/core";
import { virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import type { ServerStore } from "../../../store/server-store.ts";
import { memoryStore, noise, value } from "../../../store/store.fixture.ts";
import { loadWireZstd } from "../../wire/zstd.ts";
import type { ArchiveKind } from "./archive-kind.ts";
import { archiveKind } from "./archive-kind.ts";
import { type TestEntry, tarOf, zipOf } from "./archives.fixture.ts";
import { unpackArchive } from "./unpack-archive.ts";
import type { UnpackBounds } from "./unpack-trouble.ts";

const clock = virtualClock();
const zstd = await loadWireZstd(clock);

const BOUNDS: UnpackBounds = {
  ...{ bytesMax: 64 << 20, entriesMax: 1000, timeoutMs: 60_000, clock },
  signal: new AbortController().signal,
};

const PACK: Readonly<Record<ArchiveKind, (entries: readonly TestEntry[]) => Uint8Array | Promise<Uint8Array>>> = {
  tar: (entries) => tarOf(entries),
  "tar.gz": (entries) => gzipSync(tarOf(entries)),
  "tar.zst": (entries) => zstd.compress(tarOf(entries)),
  zip: (entries) => zipOf(entries),
};
const KINDS = Object.keys(PACK) as ArchiveKind[];

async function unpack(
  store: ServerStore,
  {
    bytes,
    kind,
    below = "",
    bounds = {},
  }: { bytes: Uint8Array; kind: ArchiveKind; below?: string; bounds?: Partial<UnpackBounds> },
) {
  const archive = value(await store.blobs.add("sha256", bytes));
  const request = { archive, kind, fn: "sha256", below, bounds: { ...BOUNDS, ...bounds } } as const;
  const outcome = await unpackArchive({ store, zstd }, request);
  if (outcome.kind === "unpacked") await outcome.close();
  return outcome;
}

/** Path to what is there: the content, with `*` before it if it is executable, `-> target`, or `/`. */
async function listing(store: ServerStore, root: Digest, under = ""): Promise<Record<string, string>> {
  const bytes = value(await store.blobs.read(root));
  assert.ok(bytes !== undefined);
  const directory = decodeDirectory(bytes, "sha256");
  assert.ok(directory.ok);
  const found: Record<string, string> = under === "" ? {} : { [under]: "/" };
  for (const { name, digest, executable } of directory.value.files) {
    const content = Buffer.from(value(await store.blobs.read(digest)) ?? "missing").toString();
    found[`${under}${name}`] = `${executable ? "*" : ""}${content}`;
  }
  for (const { name, target } of directory.value.symlinks) found[`${under}${name}`] = `-> ${target}`;
  for (const { name, digest } of directory.value.directories) {
    Object.assign(found, await listing(store, digest, `${under}${name}/`));
  }
  return found;
}

const GOOD: readonly TestEntry[] = [
  { path: "tool-1.0/", type: "Directory", mode: 0o755 },
  { path: "tool-1.0/bin/tool", content: "run", mode: 0o755 },
  { path: "./tool-1.0/lib/ä.so", content: "code" },
  { path: "tool-1.0/empty", content: "" },
  { path: "tool-1.0/none/", type: "Directory" },
  { path: "tool-1.0/lib/latest", type: "SymbolicLink", target: "../lib/ä.so" },
  { path: "tool-1.0/sbin", type: "SymbolicLink", target: "./bin" },
];
const TREE = {
  "tool-1.0/": "/",
  "tool-1.0/bin/": "/",
  "tool-1.0/bin/tool": "*run",
  "tool-1.0/lib/": "/",
  "tool-1.0/lib/ä.so": "code",
  "tool-1.0/lib/latest": "-> ../lib/ä.so",
  "tool-1.0/empty": "",
  "tool-1.0/none/": "/",
  "tool-1.0/sbin": "-> ./bin",
};

test("files, folders, links and executable bits come out of each kind of archive as one tree", async () => {
  const store = await memoryStore();
  const roots = new Set<Digest>();
  for (const kind of KINDS) {
    const outcome = await unpack(store, { bytes: await PACK[kind](GOOD), kind });
    assert.ok(outcome.kind === "unpacked", JSON.stringify(outcome));
    assert.deepEqual(await listing(store, outcome.root), TREE, kind);
    assert.deepEqual(value(await store.blobs.findMissing(outcome.written)), []);
    roots.add(outcome.root);
    const inside = await unpack(store, { bytes: await PACK[kind](GOOD), kind, below: "tool-1.0/bin" });
    assert.ok(inside.kind === "unpacked");
    assert.deepEqual(await listing(store, inside.root), { tool: "*run" });
    const missing = await unpack(store, { bytes: await PACK[kind](GOOD), kind, below: "tool" });
    assert.equal(missing.kind, "not-found");
  }
  assert.equal(roots.size, 1);
});

test("large files, long paths, hard links and files that come twice are as tar means them", async () => {
  const store = await memoryStore();
  const large = noise(3 << 20);
  const long = `${"deep/".repeat(40)}${"n".repeat(200)}`;
  const entries: readonly TestEntry[] = [
    { path: "large", content: large, mode: 0o755 },
    { path: "a/hard", type: "Link", target: "large" },
    { path: "b", type: "Link", target: "./a/hard" },
    { path: long, content: "far" },
    { path: "twice", content: "first", mode: 0o755 },
    { path: "twice", content: "second" },
  ];
  for (const kind of ["tar", "tar.gz", "tar.zst"] as const) {
    const outcome = await unpack(store, { bytes: await PACK[kind](entries), kind });
    assert.ok(outcome.kind === "unpacked", JSON.stringify(outcome));
    const found = await listing(store, outcome.root);
    assert.equal(found[long], "far");
    assert.equal(found.twice, "second");
    assert.deepEqual([found["a/hard"], found.b], [found.large, found.large]);
    assert.ok(outcome.written.includes(digestOf(large)));
  }
  const zipped = await unpack(store, { bytes: zipOf([{ path: "large", content: large }]), kind: "zip" });
  assert.ok(zipped.kind === "unpacked" && zipped.written.includes(digestOf(large)));
});

const OUT: readonly TestEntry[] = [
  { path: "../out" },
  { path: "a/../../out" },
  { path: "a/../b" },
  { path: "/etc/passwd" },
  { path: "link", type: "SymbolicLink", target: "/etc" },
  { path: "link", type: "SymbolicLink", target: ".." },
  { path: "a/link", type: "SymbolicLink", target: "../.." },
  { path: "a/link", type: "SymbolicLink", target: "../b/../../c" },
  { path: "link", type: "SymbolicLink", target: "a/.." },
  { path: "bad\0name" },
  { path: "pipe", type: "FIFO" },
];

// Goal: nothing of an archive is ever outside of its tree, whoever puts the tree on a disk. Method: each way out alone,
// behind an entry that is right, in each kind of archive that can say it.
test("an archive with a way out of its tree, or with what no tree holds, is refused by name", async () => {
  const store = await memoryStore();
  for (const entry of OUT) {
    for (const kind of ["tar", "zip"] as const) {
      // In a header of tar a name ends there.
      if (entry.path.includes("\0") && kind === "tar") continue;
      const outcome = await unpack(store, { bytes: await PACK[kind]([{ path: "right", content: "x" }, entry]), kind });
      assert.equal(outcome.kind, "malformed", `${kind} ${JSON.stringify(entry)}: ${JSON.stringify(outcome)}`);
    }
  }
  const more: readonly (readonly TestEntry[])[] = [
    [{ path: "x", type: "SymbolicLink", target: "y" }, { path: "x/file" }],
    [{ path: "x" }, { path: "x/file" }],
    [{ path: "x/file" }, { path: "x" }],
    [{ path: "x", type: "Link", target: "later" }, { path: "later" }],
    [{ path: "x", type: "Link", target: "../../etc/passwd" }],
    [{ path: "tty", type: "CharacterDevice" }],
  ];
  for (const entries of more) {
    const outcome = await unpack(store, { bytes: tarOf(entries), kind: "tar" });
    assert.equal(outcome.kind, "malformed", JSON.stringify([entries, outcome]));
  }
});

test("what is damaged, cut, packed otherwise or no archive at all is refused, and leaves nothing open", async () => {
  const store = await memoryStore();
  const large = [{ path: "large", content: noise(2 << 20) }, ...GOOD];
  const cut = (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1);
  const wrong: [ArchiveKind, Uint8Array][] = [
    ["tar.gz", tarOf(GOOD)],
    ["tar", gzipSync(tarOf(GOOD))],
    ["tar.gz", gzipSync(gzipSync(tarOf(GOOD)))],
    ["tar.zst", gzipSync(tarOf(GOOD))],
    ["zip", tarOf(GOOD)],
    ["zip", zipOf([{ path: "a", content: "abc", claims: { crc32: 7 } }])],
    ["zip", zipOf([{ path: "a", content: "abc", claims: { sizeBytes: 2 } }])],
    ["zip", zipOf([{ path: "a", content: noise(1 << 20), claims: { crc32: 7 } }])],
    ["tar", tarOf([{ path: "a", content: "abc", claims: { sizeBytes: 10_000 } }])],
  ];
  for (const kind of KINDS)
    wrong.push([kind, cut(await PACK[kind](large))], [kind, noise(5000)], [kind, Buffer.alloc(0)]);
  for (const [index, [kind, bytes]] of wrong.entries()) {
    const outcome = await unpack(store, { bytes, kind });
    assert.equal(outcome.kind, "malformed", `${index} ${kind}: ${JSON.stringify(outcome)}`);
  }
});

test("an archive comes to no more bytes and entries, and takes no longer, than it may", async () => {
  const store = await memoryStore();
  const bomb = [{ path: "zeros", content: Buffer.alloc(8 << 20) }];
  const many = Array.from({ length: 1001 }, (_, index) => ({ path: `f${index}`, content: "" }));
  const gone = new AbortController();
  gone.abort();
  for (const kind of KINDS) {
    const kindOf = async (entries: readonly TestEntry[], bounds: Partial<UnpackBounds>) =>
      (await unpack(store, { bytes: await PACK[kind](entries), kind, bounds })).kind;
    assert.equal(await kindOf(bomb, { bytesMax: 1 << 20 }), "too-large", kind);
    assert.equal(await kindOf(bomb, { bytesMax: 8 << 20 }), "unpacked", kind);
    assert.equal(await kindOf(many, {}), "too-large", kind);
    assert.equal(await kindOf(bomb, { signal: gone.signal }), "stopped", kind);
    assert.equal(await kindOf(bomb, { timeoutMs: -1 }), "too-late", kind);
  }
  // Bytes that are no content count, too: a header without an end, packed to nothing.
  const padding = gzipSync(Buffer.concat([tarOf([]), Buffer.alloc(32 << 20)]));
  assert.equal((await unpack(store, { bytes: padding, kind: "tar.gz", bounds: { bytesMax: 1000 } })).kind, "too-large");
});

test("no bytes make it throw or hang", async () => {
  const store = await memoryStore();
  const seeds = await Promise.all(KINDS.map(async (kind) => [kind, await PACK[kind](GOOD)] as const));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      async ([kind, seed], at, byte) => {
        const bytes = Buffer.from(seed);
        bytes[at % bytes.length] = byte;
        const outcome = await unpack(store, { bytes, kind });
        assert.ok(["unpacked", "malformed", "too-large"].includes(outcome.kind), JSON.stringify(outcome));
      },
    ),
    { numRuns: 100 * Number(process.env.KAHN_TEST_SCALE ?? 1) },
  );
});

test("the address tells the kind, whatever follows its path", () => {
  assert.equal(archiveKind("https://host/a/tool.TGZ?x=.zip#y"), "tar.gz");
  assert.equal(archiveKind("https://host/tool.tar.zst"), "tar.zst");
  assert.equal(archiveKind("https://host/tool.zip/"), undefined);
  assert.equal(archiveKind("https://host/tool?file=a.tar"), undefined);
});

test("folders that paths lead through count as entries, and folders alone end in time, too", async () => {
  const store = await memoryStore();
  const deep = Array.from(
    { length: 20 },
    (_, number): TestEntry => ({ path: `${number}${"/a".repeat(100)}`, content: "" }),
  );
  const bytes = zipOf(deep);
  assert.equal((await unpack(store, { bytes, kind: "zip", bounds: { entriesMax: 20 * 101 } })).kind, "unpacked");
  assert.equal((await unpack(store, { bytes, kind: "zip", bounds: { entriesMax: 20 * 101 - 1 } })).kind, "too-large");
  const folders = zipOf([{ path: "a/", type: "Directory" }]);
  assert.equal((await unpack(store, { bytes: folders, kind: "zip", bounds: { timeoutMs: -1 } })).kind, "too-late");
  const bounds = { signal: AbortSignal.abort() };
  assert.equal((await unpack(store, { bytes: folders, kind: "zip", bounds })).kind, "stopped");
});

test("a tree's directories are written as long as somebody waits for them, and no longer", async () => {
  const store = await memoryStore();
  const stop = new AbortController();
  const left = { adds: 2 };
  const add: typeof store.blobs.add = async (fn, bytes) => {
    if (left.adds-- === 0) stop.abort();
    return await store.blobs.add(fn, bytes);
  };
  const open: typeof store.blobs.open = (digest) => store.blobs.open(digest);
  const counting = { ...store, pin: store.pin.bind(store), blobs: { add, open } as typeof store.blobs };
  const bytes = zipOf(Array.from({ length: 20 }, (_, number) => ({ path: `${number}/`, type: "Directory" as const })));
  const outcome = await unpack(counting, { bytes, kind: "zip", bounds: { signal: stop.signal } });
  assert.deepEqual([outcome.kind, left.adds], ["stopped", -1]);
});
