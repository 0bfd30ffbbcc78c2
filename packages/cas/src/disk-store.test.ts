import { closeSync, openSync, writeSync } from "node:fs";
import type { FileSystem } from "@kahn/core";
import { digestHash, digestOf, makeDigest } from "@kahn/core";
import { type FileSystemCall, faulty, memoryFileSystem, seededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import { contextOf, openDiskStore } from "./disk-store.ts";
import { isStamped, stampMs } from "./internal/stamp.ts";
import {
  blobPath,
  flipByte,
  namesIn,
  OWNER,
  put,
  realPlace,
  recordPath,
  resultOf,
  testClock,
  testStore,
  textOf,
  value,
} from "./store.fixture.ts";

function memory() {
  const clock = testClock();
  const fs = memoryFileSystem({ clock });
  fs.makeDirectory("/work");
  return { clock, fs, store: testStore({ fs, clock }) };
}

const copyTo = (digest: ReturnType<typeof digestOf>, path: string) =>
  ({ digest, path, executable: false, how: "copy" }) as const;

// ——— opening ———

test("a store of a newer format is refused by name and not touched", () => {
  const clock = testClock();
  const fs = memoryFileSystem({ clock, files: { "/store/format": "kahn-cas 99\n" } });
  const opened = openDiskStore({
    fs,
    clock,
    random: seededRandom(1),
    root: "/store",
    owner: OWNER,
    livenessOf: () => "alive",
  });
  expect(opened).toMatchObject({ ok: false, problem: { code: "store-format-newer" } });
  expect(fs.snapshot("/store")).toStrictEqual({ format: "kahn-cas 99\n" });
});

test("a directory that is no store is refused; a format torn by a power loss is written again", () => {
  const clock = testClock();
  const open = (text: string) => {
    const fs = memoryFileSystem({ clock, files: { "/store/format": text } });
    return openDiskStore({
      fs,
      clock,
      random: seededRandom(1),
      root: "/store",
      owner: OWNER,
      livenessOf: () => "alive",
    });
  };
  for (const text of ["something else", "kahn-cas x\n", "kahn-cas 1\n\n"]) {
    expect(open(text)).toMatchObject({ ok: false, problem: { code: "store-io" } });
  }
  for (const text of ["", "kahn-c", "\0\0\0\0", "kahn\0\0\0\0 1\n"]) expect(open(text).ok, text).toBe(true);
});

// Goal: damage is a miss, and never the end of a run. Method: every bit of the format of a store with a result, flipped.
test("a format with one bit flipped is written again, unless it then names a newer one", async () => {
  const clock = testClock();
  const fs = memoryFileSystem({ clock });
  const action = digestOf("an action");
  value(await testStore({ fs, clock }).actions.record(action, resultOf([])));
  const whole = fs.readFile("/store/format")!;
  const refused: string[] = [];
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const damaged = Buffer.from(whole);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    fs.writeFile("/store/format", damaged);
    const opened = openDiskStore({
      fs,
      clock,
      random: seededRandom(1),
      root: "/store",
      owner: OWNER,
      livenessOf: () => "alive",
    });
    if (!opened.ok) refused.push(`${opened.problem.code} ${damaged.toString("latin1").trimEnd()}`);
    else {
      expect(value(await opened.value.actions.lookup(action)).kind).toBe("hit");
      expect(fs.readFile("/store/format")).toStrictEqual(whole);
    }
  }
  expect(refused).toStrictEqual(["store-format-newer kahn-cas 3", "store-format-newer kahn-cas 6"]);
});

test("a store whose directory may not be written says so", () => {
  const clock = testClock();
  const fs = memoryFileSystem({ clock });
  fs.makeDirectory("/locked");
  fs.chmod("/locked", 0o555);
  const opened = openDiskStore({
    fs,
    clock,
    random: seededRandom(1),
    root: "/locked/store",
    owner: OWNER,
    livenessOf: () => "alive",
  });
  expect(opened).toMatchObject({ ok: false, problem: { code: "store-denied" } });
});

// ——— damage ———

test("one byte flipped in place is noticed at the next restore: corrupt, set aside, then missing", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "the bytes of an output");
  flipByte(fs, blobPath(store, digest));
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["corrupt"]);
  expect(fs.lstat("/work/out")).toBe(undefined);
  expect(namesIn(fs, "/store/quarantine")).toHaveLength(1);
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["missing"]);
  await put(store, "the bytes of an output");
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["done"]);
});

test("a flip with the old time put back passes a restore (documented) and not a read", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "the bytes of an output");
  flipByte(fs, blobPath(store, digest), { keepTimes: true });
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["done"]);
  expect(await textOf(store, digest)).toBe(undefined);
  expect(value(await store.blobs.findMissing([digest]))).toStrictEqual([digest]);
});

// R15: corrupt or truncated blob: detected, treated as a miss.
test("R15: a truncated blob is corrupt, whatever its time, and never given out", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "the bytes of an output");
  const path = blobPath(store, digest);
  const { mtimeMs } = fs.lstat(path)!;
  fs.chmod(path, 0o644);
  fs.writeFile(path, "the bytes");
  fs.setTimes(path, mtimeMs, mtimeMs);
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["corrupt"]);
  expect(await textOf(store, digest)).toBe(undefined);
});

test("a touched blob is hashed once, found sound, and trusted again", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "sound");
  fs.setTimes(blobPath(store, digest), 1_600_000_000_000, 1_600_000_000_000);
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["done"]);
  expect(isStamped(fs.lstat(blobPath(store, digest))!)).toBe(true);
});

test("asking for the right hash with a wrong size harms no blob", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "sound");
  const wrong = makeDigest("sha256", digestHash(digest), 4);
  expect(value(await store.blobs.findMissing([wrong]))).toStrictEqual([wrong]);
  expect(value(await store.blobs.read(wrong))).toBe(undefined);
  expect(value(await store.blobs.materialize([copyTo(wrong, "/work/out")]))).toStrictEqual(["missing"]);
  expect(await textOf(store, digest)).toBe("sound");
  expect(namesIn(fs, "/store/quarantine")).toStrictEqual([]);
});

test("a record that was cut, or put under another action's name, is corrupt and not an exception", async () => {
  const { fs, store } = memory();
  const [action, other] = [digestOf("action"), digestOf("another")];
  const digest = await put(store, "output");
  value(await store.actions.record(action, resultOf([digest])));
  value(await store.actions.record(other, resultOf([])));
  const whole = fs.readFile(recordPath(store, action))!;
  fs.writeFile(recordPath(store, other), whole);
  expect(value(await store.actions.lookup(other))).toMatchObject({ kind: "miss", reason: "corrupt-entry" });
  for (let length = 0; length < whole.length; length++) {
    fs.writeFile(recordPath(store, action), whole.subarray(0, length));
    expect(value(await store.actions.lookup(action))).toMatchObject({ kind: "miss", reason: "corrupt-entry" });
  }
  const wrongSize = makeDigest("sha256", digestHash(action), 1);
  fs.writeFile(recordPath(store, action), whole);
  expect(value(await store.actions.lookup(wrongSize))).toMatchObject({ kind: "miss", reason: "no-entry" });
  expect(value(await store.actions.lookup(action)).kind).toBe("hit");
});

// ——— taking in ———

test("a blob that is there is not written again", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "once");
  const { ino } = fs.lstat(blobPath(store, digest))!;
  fs.writeFile("/work/in", "once");
  value(await store.blobs.ingest([{ path: "/work/in", executable: false }]));
  await put(store, "once");
  expect(fs.lstat(blobPath(store, digest))!.ino).toBe(ino);
});

test("files of many megabytes are taken in without being read at once", async () => {
  const { fs, store } = memory();
  const bytes = Buffer.alloc(3_000_000, "large ");
  fs.writeFile("/work/in", bytes);
  const request = { path: "/work/in", executable: false };
  expect(value(await store.blobs.ingest([request]))).toStrictEqual([digestOf(bytes)]);
  expect(value(await store.blobs.ingest([{ ...request, expected: digestOf(bytes) }]))).toStrictEqual([digestOf(bytes)]);
  expect(value(await store.blobs.ingest([{ ...request, expected: digestOf("else") }]))).toStrictEqual([
    digestOf(bytes),
  ]);
  expect(Buffer.compare(value(await store.blobs.read(digestOf(bytes)))!, bytes)).toBe(0);
  expect(namesIn(fs, "/store/tmp")).toStrictEqual([]);
});

test("an adopted file and the blob are one inode, and a link of it another name of the same", async () => {
  const { fs, store } = memory();
  fs.writeFile("/work/tool", "run me", { mode: 0o755 });
  const request = { path: "/work/tool", executable: true, adopt: true };
  const [digest] = value(await store.blobs.ingest([request]));
  const blob = fs.lstat(blobPath(store, digest!, true))!;
  expect(fs.lstat("/work/tool")).toMatchObject({ ino: blob.ino, mode: 0o555, nlink: 2 });
  value(await store.blobs.materialize([{ digest: digest!, path: "/work/again", executable: true, how: "link" }]));
  expect(fs.lstat("/work/again")).toMatchObject({ ino: blob.ino });
  // Adopting what is adopted already is a hash and nothing else.
  expect(value(await store.blobs.ingest([request]))).toStrictEqual([digest]);
  expect(fs.lstat("/work/tool")!.ino).toBe(blob.ino);
});

test("adopting a file whose blob is there puts a link to the blob in its place", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "same");
  fs.writeFile("/work/file", "same");
  value(await store.blobs.ingest([{ path: "/work/file", executable: false, adopt: true }]));
  expect(fs.lstat("/work/file")!.ino).toBe(fs.lstat(blobPath(store, digest))!.ino);
});

test("a file with other names, or on another device, is copied and stays writable", async () => {
  const clock = testClock();
  const fs = memoryFileSystem({ clock, mounts: { "/other": 2 } });
  const store = testStore({ fs, clock });
  fs.makeDirectory("/work");
  fs.writeFile("/work/a", "two names");
  fs.link("/work/a", "/work/b");
  fs.writeFile("/other/c", "far away");
  const requests = ["/work/a", "/other/c"].map((path) => ({ path, executable: false, adopt: true }));
  const digests = value(await store.blobs.ingest(requests));
  expect(digests).toStrictEqual([digestOf("two names"), digestOf("far away")]);
  expect([fs.lstat("/work/b")!.mode, fs.lstat("/other/c")!.mode]).toStrictEqual([0o644, 0o644]);
  expect(await textOf(store, digests[1]!)).toBe("far away");
});

// Goal: a process that still has an adopted file open cannot change a blob unnoticed. Method: the real file system.
test("a write through a descriptor that was open before the adoption is noticed", async () => {
  const place = realPlace();
  try {
    const store = testStore({ ...place, root: `${place.root}/store` });
    const path = `${place.root}/out`;
    const descriptor = openSync(path, "w");
    writeSync(descriptor, "first");
    const [digest] = value(await store.blobs.ingest([{ path, executable: false, adopt: true }]));
    writeSync(descriptor, "F", 0);
    closeSync(descriptor);
    const restored = copyTo(digest!, `${place.root}/restored`);
    expect(value(await store.blobs.materialize([restored]))).toStrictEqual(["corrupt"]);
  } finally {
    place.cleanup();
  }
});

// Goal: what is adopted is what was hashed. Method: the file is written to right after it was hashed, once or always.
test("a file that is written to while it is adopted is hashed again, or copied in the end", async () => {
  for (const timesMax of [1, 99]) {
    const { fs, clock } = memory();
    let count = 0;
    const run = () => {
      fs.chmod("/work/busy", 0o644);
      fs.writeFile("/work/busy", `write ${++count}`);
    };
    const at = (call: FileSystemCall) => call.operation === "hash" && call.path === "/work/busy";
    const store = testStore({
      fs: faulty(fs, [{ at, action: { kind: "meanwhile", when: "after", run }, timesMax }]),
      clock,
    });
    fs.writeFile("/work/busy", "write 0");
    const [digest] = value(await store.blobs.ingest([{ path: "/work/busy", executable: false, adopt: true }]));
    expect(await textOf(store, digest!)).toBe(`write ${count}`);
    expect(fs.lstat("/work/busy")!.nlink).toBe(timesMax === 1 ? 2 : 1);
  }
});

// ——— giving out ———

test("a chmod of a linked file, which reaches the blob, is undone at the next link", async () => {
  const { fs, store } = memory();
  const request = { digest: await put(store, "linked"), path: "/work/out", executable: false, how: "link" } as const;
  value(await store.blobs.materialize([request]));
  fs.chmod("/work/out", 0o666);
  value(await store.blobs.materialize([request]));
  expect(fs.lstat("/work/out")!.mode).toBe(0o444);
});

test("links and copies, executable and not, come from one blob", async () => {
  const { fs, store } = memory();
  const digest = await put(store, "one blob");
  const requests = (["link", "copy"] as const).flatMap((how) =>
    [true, false].map((executable) => ({ digest, path: `/work/${how}-${executable}`, executable, how })),
  );
  expect(value(await store.blobs.materialize(requests))).toStrictEqual(["done", "done", "done", "done"]);
  expect(requests.map(({ path }) => fs.lstat(path)!.mode)).toStrictEqual([0o555, 0o444, 0o755, 0o644]);
  // Only the executable variant is left: everything still works.
  fs.remove(blobPath(store, digest));
  expect(value(await store.blobs.findMissing([digest]))).toStrictEqual([]);
  expect(await textOf(store, digest)).toBe("one blob");
  expect(value(await store.blobs.materialize(requests))).toStrictEqual(["done", "done", "done", "done"]);
});

test("a blob with as many names as an inode may have is copied read-only", async () => {
  const clock = testClock();
  const fs = memoryFileSystem({ clock, linksMax: 2 });
  fs.makeDirectory("/work");
  const store = testStore({ fs, clock });
  const digest = await put(store, "popular");
  const requests = [1, 2, 3].map((name) => ({
    digest,
    path: `/work/${name}`,
    executable: false,
    how: "link" as const,
  }));
  expect(value(await store.blobs.materialize(requests))).toStrictEqual(["done", "done", "done"]);
  expect(requests.map(({ path }) => fs.lstat(path)!.mode)).toStrictEqual([0o444, 0o444, 0o444]);
});

test("a blob that vanishes between look and copy is missing, and its neighbours are done", async () => {
  const { fs, clock, store } = memory();
  const [a, b] = [await put(store, "a"), await put(store, "b")];
  const path = blobPath(store, a);
  const meanwhile = { kind: "meanwhile", when: "before", run: () => void fs.remove(path) } as const;
  const unlucky = faulty(fs, [{ at: ({ operation }) => operation === "copyFile", action: meanwhile }]);
  const other = testStore({ fs: unlucky, clock });
  const outcomes = await other.blobs.materialize([copyTo(a, "/work/a"), copyTo(b, "/work/b")]);
  expect(value(outcomes)).toStrictEqual(["missing", "done"]);
});

test("a blob that vanishes between look and link, and is back a moment later, is missing or done, never an error", async () => {
  const { fs, clock, store } = memory();
  const digest = await put(store, "back again");
  const gone = { kind: "error", code: "ENOENT" } as const;
  const unlucky = faulty(fs, [{ at: ({ operation }) => operation === "link", action: gone, timesMax: 2 }]);
  const other = testStore({ fs: unlucky, clock });
  const request = { digest, path: "/work/linked", executable: false, how: "link" } as const;
  expect(value(await other.blobs.materialize([request]))).toStrictEqual(["missing"]);
  expect(value(await other.blobs.materialize([request]))).toStrictEqual(["done"]);
});

test("a destination that cannot be written is a problem that names it", async () => {
  const { store } = memory();
  const digest = await put(store, "x");
  const made = await store.blobs.materialize([copyTo(digest, "/nowhere/out")]);
  expect(made).toMatchObject({ ok: false, problem: { code: "store-io" } });
  expect(made.ok ? "" : made.problem.message).toContain("/nowhere/out");
});

// ——— functions ———

test("every digest function works for blobs, records and files", async () => {
  for (const fn of ["sha256", "sha1", "sha384", "sha512", "md5", "blake3"] as const) {
    const clock = testClock();
    const fs = memoryFileSystem({ clock });
    fs.makeDirectory("/work");
    const store = testStore({ fs, clock, digestFunction: fn });
    fs.writeFile("/work/small", "small");
    fs.writeFile("/work/large", Buffer.alloc(2_500_000, "large"));
    const paths = ["/work/small", "/work/large"];
    const digests = value(await store.blobs.ingest(paths.map((path) => ({ path, executable: false }))));
    for (const digest of digests) expect(digest.startsWith(`${fn}:`)).toBe(true);
    const outs = digests.map((digest, index) => copyTo(digest, `/work/out-${index}`));
    expect(value(await store.blobs.materialize(outs))).toStrictEqual(["done", "done"]);
    fs.setTimes(blobPath(store, digests[1]!), 0, 0);
    expect(value(await store.blobs.findMissing(digests))).toStrictEqual([]);
    value(await store.actions.record(digests[0]!, resultOf(digests)));
    expect(value(await store.actions.lookup(digests[0]!)).kind).toBe("hit");
    flipByte(fs, blobPath(store, digests[1]!));
    expect(value(await store.blobs.findMissing(digests))).toStrictEqual([digests[1]]);
  }
});

// ——— stamps ———

test("the stamp survives the real file system, grows with time and is never in the future", () => {
  const { fs, root, cleanup } = realPlace();
  try {
    fs.writeFile(`${root}/file`, "x");
    expect(isStamped(fs.lstat(`${root}/file`)!)).toBe(false);
    for (const timeMs of [1_700_000_000_000, 1_700_000_000_999, 1_999_999_999_123]) {
      const stamp = stampMs(timeMs);
      fs.setTimes(`${root}/file`, stamp, stamp);
      expect(fs.lstat(`${root}/file`)!.mtimeMs).toBe(stamp);
      expect(isStamped(fs.lstat(`${root}/file`)!)).toBe(true);
      expect(stamp).toBeLessThanOrEqual(timeMs);
      expect(stampMs(timeMs + 1000)).toBe(stamp + 1000);
    }
  } finally {
    cleanup();
  }
});

test("where times are whole seconds nothing is trusted unhashed, and everything still works", async () => {
  const clock = testClock();
  const fs = memoryFileSystem({ clock });
  fs.makeDirectory("/work");
  const coarse = fsWithWholeSeconds(fs);
  const store = testStore({ fs: coarse, clock });
  const digest = await put(store, "coarse");
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["done"]);
  flipByte(fs, contextOf(store).layout.blob(digest), { keepTimes: true });
  expect(value(await store.blobs.materialize([copyTo(digest, "/work/out")]))).toStrictEqual(["corrupt"]);
});

function fsWithWholeSeconds(fs: FileSystem): FileSystem {
  return {
    ...faulty(fs, []),
    setTimes: (path, _, mtimeMs) => fs.setTimes(path, 0, Math.floor(mtimeMs / 1000) * 1000),
  };
}
