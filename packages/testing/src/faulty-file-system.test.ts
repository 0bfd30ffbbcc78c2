import assert from "node:assert/strict";
import type { FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import { test } from "vitest";
import { countingFileSystem } from "./counting-file-system.ts";
import { CrashError, faulty, randomFault } from "./faulty-file-system.ts";
import { memoryFileSystem } from "./memory-file-system.ts";
import { seededRandom } from "./seeded-random.ts";

const refusal = (code: string) => (error: unknown) => error instanceof FileSystemError && error.code === code;

/** A small program: five mutating calls before the handle, then three on it. */
async function program(fs: FileSystem): Promise<void> {
  fs.makeDirectory("/d");
  fs.writeFile("/d/a", "abcdef");
  fs.copyMany([
    { from: "/d/a", to: "/d/b", mode: 0o644 },
    { from: "/d/a", to: "/d/c", mode: 0o644 },
  ]);
  const log = fs.openAppend("/log");
  log.append(Buffer.from("entry"));
  await log.sync();
  fs.rename("/d/a", "/d/z");
  log.close();
}

test("without faults every answer is that of the file system beneath, and mutating calls are counted", async () => {
  const memory = memoryFileSystem();
  const fs = faulty(memory, []);
  await program(fs);
  assert.deepEqual([fs.mutations, fs.crashed, fs.fired.length], [8, false, 0]);
  assert.deepEqual(memory.snapshot(), { "d/b": "abcdef", "d/c": "abcdef", "d/z": "abcdef", log: "entry" });
});

test("a crash before the k-th mutating call leaves exactly the calls before it", async () => {
  const left: number[] = [];
  for (let at = 1; at <= 8; at++) {
    const memory = memoryFileSystem();
    const fs = faulty(memory, [{ at, action: { kind: "crash", when: "before" } }]);
    await assert.rejects(program(fs), CrashError);
    assert.equal(fs.crashed, true);
    assert.throws(() => fs.lstat("/"), CrashError);
    left.push(Object.keys(memory.killProcess().snapshot()).length);
  }
  // "d/" alone, then a, b, c, log; the append, the flush and the rename change no number of names.
  assert.deepEqual(left, [0, 1, 1, 2, 3, 4, 4, 4]);
});

test("a crash after a call lets it take effect", async () => {
  const memory = memoryFileSystem();
  await assert.rejects(program(faulty(memory, [{ at: 7, action: { kind: "crash", when: "after" } }])), CrashError);
  assert.deepEqual(memory.crash().snapshot("/log"), {});
  assert.equal(memory.crash().snapshot().log, "entry");
});

test("a torn write lands in part, then the program is dead", () => {
  const memory = memoryFileSystem();
  const fs = faulty(memory, [{ at: 2, action: { kind: "torn", landedBytes: 3 } }]);
  const log = fs.openAppend("/log");
  assert.throws(() => log.append(Buffer.from("abcdef")), CrashError);
  assert.throws(() => log.append(Buffer.from("x")), CrashError);
  assert.throws(() => log.close(), CrashError);
  assert.deepEqual(memory.snapshot(), { log: "abc" });
});

test("a partial write lands in part and is refused, and the program goes on", () => {
  const memory = memoryFileSystem();
  const fs = faulty(memory, [{ at: 1, action: { kind: "partial", landedBytes: 2, code: "ENOSPC" } }]);
  assert.throws(() => fs.writeFile("/a", "abcdef"), refusal("ENOSPC"));
  assert.deepEqual(memory.snapshot(), { a: "ab" });
  fs.writeFile("/a", "abcdef");
  assert.deepEqual(memory.snapshot(), { a: "abcdef" });
});

test("a refusal fires where it matches, as often as it is told, and changes nothing", async () => {
  const memory = memoryFileSystem({ files: { "/a": "a", "/b": "b" } });
  const fs = faulty(memory, [
    { at: ({ path }) => path === "/a", action: { kind: "error", code: "EIO" }, timesMax: 2 },
    { at: ({ operation }) => operation === "syncAll", action: { kind: "error", code: "EIO" } },
  ]);
  assert.throws(() => fs.readFile("/a"), refusal("EIO"));
  assert.deepEqual(fs.hashMany(["/a", "/b"])[0], { kind: "unreadable", code: "EIO" });
  assert.equal(fs.hashMany(["/a", "/b"])[0]!.kind, "file");
  await assert.rejects(fs.syncAll("/"), refusal("EIO"));
  assert.deepEqual(
    fs.fired.map(({ operation }) => operation),
    ["readFile", "hash", "syncAll"],
  );
  await fs.syncAll("/");
});

test("something may happen in the world between two calls", () => {
  const memory = memoryFileSystem({ files: { "/a": "before" } });
  const edit = () => memory.writeFile("/a", "after");
  const fs = faulty(memory, [
    { at: ({ operation }) => operation === "hash", action: { kind: "meanwhile", when: "after", run: edit } },
  ]);
  const [before] = fs.hashMany(["/a"]);
  const [after] = fs.hashMany(["/a"]);
  assert.ok(before?.kind === "file" && after?.kind === "file" && before.digest !== after.digest);
});

test("a killed program stays dead", () => {
  const fs = faulty(memoryFileSystem(), []);
  fs.kill();
  assert.throws(() => fs.writeFile("/a", ""), CrashError);
  assert.throws(() => fs.statMany(["/a"]), CrashError);
});

test("random faults repeat by seed, lie within the program and come in all kinds", () => {
  const draw = (seed: number) => randomFault(seededRandom(seed), { mutationsMax: 8 });
  const kinds = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    assert.deepEqual(draw(seed), draw(seed));
    const { at, action } = draw(seed);
    assert.ok(typeof at === "number" && at >= 1 && at <= 8);
    kinds.add("code" in action ? action.code : action.kind);
  }
  assert.deepEqual([...kinds].sort(), ["EACCES", "EIO", "ENOSPC", "crash", "torn"]);
});

test("calls are counted one path at a time, through batches and handles", async () => {
  const fs = countingFileSystem(memoryFileSystem({ files: { "/a": "a", "/b": "b" } }));
  fs.statMany(["/a", "/b", "/none"]);
  fs.lstat("/a");
  fs.hashMany(["/b"]);
  assert.deepEqual([fs.count("lstat"), fs.count("lstat", "/a"), fs.count("hash"), fs.count("readFile")], [4, 2, 1, 0]);
  assert.deepEqual(fs.pathsOf("lstat"), ["/a", "/b", "/none", "/a"]);
  assert.deepEqual(fs.calls[0], { operation: "lstat", path: "/a", via: "statMany", mutates: false });
  fs.reset();
  await program(fs);
  assert.deepEqual([fs.count("copyFile"), fs.count("append"), fs.count("sync"), fs.count("close")], [2, 1, 1, 1]);
  assert.equal(fs.calls.filter(({ mutates }) => mutates).length, 8);
});
