import assert from "node:assert/strict";
import { FileSystemError, InvariantError } from "@kahn/core";
import fc from "fast-check";
import { test } from "vitest";
import { memoryFileSystem } from "./memory-file-system.ts";
import { seededRandom } from "./seeded-random.ts";
import { virtualClock } from "./virtual-clock.ts";

const bytesOf = (text: string) => Buffer.from(text);
const textAt = (fs: { readFile(path: string): Uint8Array | undefined }, path: string) => {
  const bytes = fs.readFile(path);
  return bytes && Buffer.from(bytes).toString();
};
const refusal = (code: string) => (error: unknown) => error instanceof FileSystemError && error.code === code;

test("it starts with the files it is given, and shows them again", () => {
  const files = { "/w/a.txt": "a", "/w/empty/": "", "/w/link": "-> a.txt", "/w/d/e/f": "deep" };
  const fs = memoryFileSystem({ files });
  assert.deepEqual(fs.snapshot(), { "w/a.txt": "a", "w/d/e/f": "deep", "w/empty/": "", "w/link": "-> a.txt" });
  assert.deepEqual(fs.snapshot("/w/d"), { "e/f": "deep" });
  assert.deepEqual(fs.snapshot("/none"), {});
  assert.deepEqual(fs.crash().snapshot("/w/d"), { "e/f": "deep" });
});

test("a snapshot shows what is no text and what may not be read", () => {
  const fs = memoryFileSystem();
  fs.writeFile("/binary", Uint8Array.of(255, 0));
  fs.writeFile("/closed", "secret", { mode: 0 });
  fs.makeOther("/socket");
  assert.deepEqual(fs.snapshot(), { binary: "base64:/wA=", closed: "<EACCES>", socket: "<other>" });
});

test("a path that is not absolute is a bug", () => {
  assert.throws(() => memoryFileSystem().lstat("relative"), InvariantError);
});

test("times come from the clock, cut to the granularity", () => {
  const clock = virtualClock(10_007);
  const fs = memoryFileSystem({ clock, granularityMs: 4 });
  fs.writeFile("/a", "1");
  assert.equal(fs.lstat("/a")!.mtimeMs, 10_004);
  clock.advance(1);
  fs.writeFile("/a", "2");
  assert.equal(fs.lstat("/a")!.mtimeMs, 10_008);
  fs.setGranularity(2000);
  clock.advance(100);
  fs.writeFile("/a", "3");
  assert.equal(fs.lstat("/a")!.mtimeMs, 10_000);
});

test("a full device takes what fits and refuses the rest, until something is removed", () => {
  const fs = memoryFileSystem({ capacityBytes: 10 });
  fs.writeFile("/a", "123456");
  assert.equal(fs.freeBytes("/"), 4);
  assert.throws(() => fs.writeFile("/b", "123456"), refusal("ENOSPC"));
  assert.equal(textAt(fs, "/b"), "1234");
  assert.throws(() => fs.openAppend("/a").append(bytesOf("7")), refusal("ENOSPC"));
  fs.writeFile("/a", "12");
  assert.equal(fs.freeBytes("/"), 4);
  fs.remove("/b");
  assert.equal(fs.freeBytes("/"), 8);
  fs.setCapacity(1);
  assert.equal(fs.freeBytes("/"), 0);
});

test("a removed file takes space until its last handle is closed", () => {
  const fs = memoryFileSystem({ capacityBytes: 100, files: { "/a": "12345" } });
  fs.link("/a", "/b");
  const handle = fs.openAppend("/a");
  fs.remove("/a");
  fs.remove("/b");
  handle.append(bytesOf("67"));
  assert.equal(fs.freeBytes("/"), 93);
  handle.close();
  assert.equal(fs.freeBytes("/"), 100);
  assert.throws(() => handle.append(bytesOf("x")), refusal("EBADF"));
});

// Goal: the count of used space never drifts. Method: random writes, links and removals; the sum over all inodes.
test("free space is the capacity less what the files hold, each inode once", () => {
  const operation = fc.record({ what: fc.nat(5), from: fc.nat(4), to: fc.nat(4), size: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const fs = memoryFileSystem({ capacityBytes: 1000 });
      for (const { what, from, to, size } of operations) {
        const attempts = [
          () => fs.writeFile(`/${from}`, "x".repeat(size)),
          () => fs.link(`/${from}`, `/${to}`),
          () => fs.rename(`/${from}`, `/${to}`),
          () => fs.remove(`/${from}`),
          () => fs.copyFile({ from: `/${from}`, to: `/${to}`, mode: 0o644 }),
          () => fs.openAppend(`/${from}`).append(Buffer.alloc(size)),
        ];
        try {
          attempts[what]!();
        } catch (error) {
          assert.ok(error instanceof FileSystemError);
        }
      }
      const inodes = new Map(
        fs.readDirectory("/")!.map(({ name }) => [fs.lstat(`/${name}`)!.ino, fs.lstat(`/${name}`)!]),
      );
      const usedBytes = [...inodes.values()].reduce((sum, stat) => sum + stat.sizeBytes, 0);
      // Handles that were left open keep removed files, so compare after a restart, which closes them.
      assert.equal(fs.killProcess().freeBytes("/"), 1000 - usedBytes);
      assert.ok(fs.freeBytes("/") <= 1000 - usedBytes);
    }),
    { numRuns: 200 },
  );
});

test("an inode takes only so many names", () => {
  const fs = memoryFileSystem({ linksMax: 2, files: { "/a": "" } });
  fs.link("/a", "/b");
  assert.throws(() => fs.link("/a", "/c"), refusal("EMLINK"));
});

test("a crash without a sync leaves nothing of what was written", () => {
  const fs = memoryFileSystem({ files: { "/w/old": "old" } });
  fs.writeFile("/w/old", "new");
  fs.writeFile("/w/more", "more");
  fs.rename("/w/old", "/w/moved");
  assert.deepEqual(fs.crash().snapshot(), { "w/old": "old" });
});

test("a killed process leaves everything that it handed to the kernel, durable or not", async () => {
  const fs = memoryFileSystem();
  const handle = fs.openAppend("/log");
  handle.append(bytesOf("one "));
  await handle.sync();
  handle.append(bytesOf("two"));
  const next = fs.killProcess();
  assert.equal(textAt(next, "/log"), "one two");
  assert.equal(textAt(next.crash(), "/log"), "one ");
});

test("what is left of a dead program does no harm to its successor", () => {
  const fs = memoryFileSystem();
  const handle = fs.openAppend("/log");
  const next = fs.killProcess();
  handle.append(bytesOf("late"));
  fs.writeFile("/late", "");
  assert.deepEqual(next.snapshot(), { log: "" });
});

test("hard links stay one file through a crash", async () => {
  const fs = memoryFileSystem({ files: { "/a": "x" } });
  fs.link("/a", "/b");
  await fs.syncAll("/");
  const after = fs.crash();
  assert.equal(after.lstat("/a")!.nlink, 2);
  after.writeFile("/a", "y");
  assert.equal(textAt(after, "/b"), "y");
});

test("a file's sync keeps its name too, unless only its data is promised", async () => {
  for (const syncScope of ["file", "file-and-names"] as const) {
    const fs = memoryFileSystem({ syncScope });
    const handle = fs.openAppend("/log");
    handle.append(bytesOf("x"));
    await handle.sync();
    assert.deepEqual(fs.crash().snapshot(), syncScope === "file" ? {} : { log: "x" });
    await fs.syncAll("/");
    assert.deepEqual(fs.crash().snapshot(), { log: "x" });
  }
});

test("a name that became durable before its data leads to an empty file", async () => {
  const fs = memoryFileSystem({ files: { "/config": "old" } });
  fs.writeFile("/config.new", "new");
  fs.rename("/config.new", "/config");
  const other = fs.openAppend("/other");
  await other.sync();
  assert.deepEqual(fs.crash().snapshot(), { config: "", other: "" });
});

test("a flush that takes time keeps what it found at its start, once it has ended", async () => {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, syncMs: 5 });
  const handle = fs.openAppend("/log");
  handle.append(bytesOf("one "));
  const flushing = handle.sync();
  handle.append(bytesOf("two"));
  assert.deepEqual(fs.crash().snapshot(), {});
  clock.advance(5);
  await flushing;
  assert.deepEqual(fs.crash().snapshot(), { log: "one " });
});

// Goal: whatever power loss does, what was synced is there, and an append-only file holds a prefix of what was
// appended, then at most zeros. Method: random appends, syncs and truncations, then many seeded crashes.
test("power loss spares what was synced and tears only what came after", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("append" as const), size: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constant("sync" as const) }),
    fc.record({ kind: fc.constant("cut" as const), size: fc.nat(5) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), fc.integer(), async (steps, seed) => {
      const fs = memoryFileSystem({ files: { "/log": "" } });
      const handle = fs.openAppend("/log");
      let durableBytes = 0;
      let letter = 0;
      for (const each of steps) {
        if (each.kind === "append") handle.append(Buffer.alloc(each.size, 97 + (letter++ % 26)));
        if (each.kind === "cut") {
          handle.truncate(Math.max(0, handle.sizeBytes() - each.size));
          durableBytes = Math.min(durableBytes, handle.sizeBytes());
        }
        if (each.kind === "sync") {
          await handle.sync();
          durableBytes = handle.sizeBytes();
        }
      }
      const written = textAt(fs, "/log")!;
      for (let crash = 0; crash < 5; crash++) {
        const left = textAt(fs.crash(seededRandom(seed + crash)), "/log")!;
        assert.equal(left.slice(0, durableBytes), written.slice(0, durableBytes));
        const torn = left.replace(/\0+$/, "");
        const wasCut = steps.some(({ kind }) => kind === "cut");
        assert.ok(wasCut || written.startsWith(torn), `${JSON.stringify(left)} of ${written}`);
      }
    }),
    { numRuns: 150 },
  );
});

test("seeded crashes show every outcome: lost, kept, torn and zeros", async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const fs = memoryFileSystem();
    const handle = fs.openAppend("/log");
    handle.append(bytesOf("safe"));
    await handle.sync();
    handle.append(bytesOf("more"));
    const left = textAt(fs.crash(seededRandom(seed)), "/log")!;
    if (left === "safe" || left === "safemore") outcomes.add(left);
    else outcomes.add(left.includes("\0") ? "zeros" : "torn");
  }
  assert.deepEqual([...outcomes].sort(), ["safe", "safemore", "torn", "zeros"]);
});

test("what has not changed for long enough was written back without a flush", () => {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, writeBackMs: 35_000 });
  fs.writeFile("/old", "one");
  fs.writeFile("/log", "two");
  clock.advance(20_000);
  fs.openAppend("/log").append(bytesOf(" three"));
  fs.writeFile("/new", "four");
  clock.jump(clock.nowMs() + 3_600_000);
  assert.deepEqual(fs.crash().snapshot(), {});
  clock.advance(15_000);
  assert.deepEqual(fs.crash().snapshot(), { old: "one", log: "" });
  clock.advance(20_000);
  assert.deepEqual(fs.crash().snapshot(), { old: "one", log: "two three", new: "four" });
});

test("names that were changed without a sync survive power loss in order, each rename whole", () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const fs = memoryFileSystem({ files: { "/a": "" } });
    fs.rename("/a", "/b");
    fs.rename("/b", "/c");
    seen.add(Object.keys(fs.crash(seededRandom(seed)).snapshot()).join());
  }
  assert.deepEqual([...seen].sort(), ["a", "b", "c"]);
});

test("what is on the device does not change with the file", async () => {
  const fs = memoryFileSystem();
  const handle = fs.openAppend("/log");
  handle.append(bytesOf("abc"));
  await handle.sync();
  handle.truncate(1);
  handle.append(bytesOf("XYZ"));
  assert.equal(textAt(fs, "/log"), "aXYZ");
  assert.equal(textAt(fs.crash(), "/log"), "abc");
});

test("what was written during a flush is still to be flushed", async () => {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, syncMs: 5 });
  const handle = fs.openAppend("/log");
  handle.append(bytesOf("one "));
  const flushing = handle.sync();
  handle.append(bytesOf("two"));
  clock.advance(5);
  await flushing;
  const all = fs.syncAll("/");
  clock.advance(5);
  await all;
  assert.equal(textAt(fs.crash(), "/log"), "one two");
});

/** The shortest contents that any of many crashes leaves. */
function shortestAfterCrash(fs: ReturnType<typeof memoryFileSystem>, path: string): number {
  const sizes = Array.from({ length: 200 }, (_, seed) => fs.crash(seededRandom(seed)).lstat(path)!.sizeBytes);
  return Math.min(...sizes);
}

test("bytes that were rewritten after a sync may be torn, though the sync had covered that far", async () => {
  const fs = memoryFileSystem();
  const handle = fs.openAppend("/log");
  handle.append(bytesOf("abcdef"));
  await handle.sync();
  handle.truncate(2);
  handle.append(bytesOf("XYZW"));
  assert.equal(shortestAfterCrash(fs, "/log"), 2);
});

test("bytes that were rewritten during a flush may be torn too", async () => {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, syncMs: 5 });
  const handle = fs.openAppend("/log");
  handle.append(bytesOf("abcdef"));
  const flushing = handle.sync();
  handle.truncate(2);
  handle.append(bytesOf("XYZW"));
  clock.advance(5);
  await flushing;
  assert.equal(shortestAfterCrash(fs, "/log"), 2);
});
