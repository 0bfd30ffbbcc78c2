import { createHash } from "node:crypto";
import { digestOf, type FileSystem, type HashOutcome } from "@kahn/core";
import { type MemoryFileSystem, memoryFileSystem, seededRandom, testScale, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openFileStates } from "./open-file-states.ts";
import { UNFLUSHED_MS } from "./trust.ts";
import type { WorkTreeStates } from "./work-tree-states.ts";

const SCALE = testScale(process.env.KAHN_TEST_SCALE);
const INDEX = "/w/.kahn/state/files";

/** A machine that can lose power: each boot has another id, and the files that the last one left. */
function machine(files: Record<string, string>, options: { writeBackMs?: number } = {}) {
  const clock = virtualClock();
  let boot = 1;
  let fs = memoryFileSystem({ clock, files: { "w/.kahn/state/": "", ...files }, ...options });
  const read: string[] = [];
  return {
    clock,
    get fs(): MemoryFileSystem {
      return fs;
    },
    losePower(seed: number): void {
      fs = fs.crash(seededRandom(seed));
      boot++;
    },
    reboot(): void {
      boot++;
    },
    /** @param bootId empty for none. */
    open(bootId = `boot-${boot}`): WorkTreeStates {
      const watched = watch(fs, read);
      return openFileStates({
        fs: watched,
        clock,
        indexPath: INDEX,
        workspaceRoot: "/w",
        ...(bootId !== "" && { bootId }),
      });
    },
    /** Files that were hashed and directories that were listed since the last call. */
    takeRead: () => read.splice(0),
  };
}

type Machine = ReturnType<typeof machine>;

/** The index, and nothing else, reaches the disk. */
async function flushIndex(fs: MemoryFileSystem): Promise<void> {
  const index = fs.openAppend(INDEX);
  await index.sync();
  index.close();
}

/** Notes what is hashed or listed. */
function watch(fs: MemoryFileSystem, read: string[]): FileSystem {
  return new Proxy(fs, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "hashMany") read.push(...(args[0] as string[]));
        if (name === "readDirectory") read.push(args[0] as string);
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

function digestAt(states: WorkTreeStates, path: string): string {
  const [outcome] = states.digests([path]) as [HashOutcome];
  return outcome.kind === "file" ? outcome.digest : outcome.kind;
}

// Goal: an index that reached the disk may speak of bytes that did not. Method: only the index is flushed, then power
// is lost under many seeds, among which are files of the old size and times that hold zeros.
test("a file that kept its times through a power loss and lost its bytes is not believed", async () => {
  let zeros = 0;
  for (let seed = 0; seed < 40; seed++) {
    const world = machine({});
    world.fs.writeFile("/w/a", "some bytes");
    world.clock.advance(1234);
    const states = world.open();
    digestAt(states, "/w/a");
    states.save();
    const before = world.fs.lstat("/w/a")!;
    await flushIndex(world.fs);
    world.losePower(seed);
    const after = world.fs.lstat("/w/a")!;
    const text = Buffer.from(world.fs.readFile("/w/a")!);
    if (after.sizeBytes === before.sizeBytes && text.toString() !== "some bytes") {
      expect(after).toEqual(before);
      zeros++;
    }
    expect(digestAt(world.open(), "/w/a")).toBe(digestOf(text));
  }
  expect(zeros).toBeGreaterThan(0);
});

test("after another boot what changed shortly before the save is read once more, and settles", () => {
  const world = machine({ "w/old": "old" });
  world.clock.advance(UNFLUSHED_MS);
  world.fs.writeFile("/w/new", "new");
  world.clock.advance(1234);
  const look = () => {
    const states = world.open();
    states.digests(["/w/old", "/w/new"]);
    states.save();
    return world.takeRead();
  };
  expect(look()).toEqual(["/w/old", "/w/new"]);
  expect(look()).toEqual([]);
  world.reboot();
  expect(look()).toEqual(["/w/new"]);
  expect(look()).toEqual([]);
});

test("what is doubted and not used stays doubted", () => {
  const world = machine({ "w/other": "other" });
  world.fs.writeFile("/w/a", "some bytes");
  world.clock.advance(1234);
  const first = world.open();
  digestAt(first, "/w/a");
  first.save();
  world.reboot();
  world.clock.advance(10 * UNFLUSHED_MS);
  const second = world.open();
  digestAt(second, "/w/other");
  second.save();
  world.takeRead();
  digestAt(world.open(), "/w/a");
  expect(world.takeRead()).toEqual(["/w/a"]);
});

test("either time of a file counts: an old mtime may have been set", () => {
  const world = machine({});
  world.clock.advance(10 * UNFLUSHED_MS);
  world.fs.writeFile("/w/a", "unpacked");
  world.fs.setTimes("/w/a", 0, 1000);
  world.clock.advance(1234);
  const states = world.open();
  digestAt(states, "/w/a");
  states.save();
  world.reboot();
  world.takeRead();
  digestAt(world.open(), "/w/a");
  expect(world.takeRead()).toEqual(["/w/a"]);
});

test("the same holds for listings", () => {
  const world = machine({ "w/old/a": "" });
  world.clock.advance(UNFLUSHED_MS);
  world.fs.writeFile("/w/a", "");
  world.clock.advance(1234);
  const list = () => {
    const states = world.open();
    states.list("old");
    states.list("");
    states.save();
    return world.takeRead();
  };
  expect(list()).toEqual(["/w/old", "/w"]);
  expect(list()).toEqual([]);
  world.reboot();
  expect(list()).toEqual(["/w"]);
  expect(list()).toEqual([]);
});

test("without the id of the boot nothing is doubted, and what was saved so is doubted wholly", () => {
  const world = machine({ "w/a": "old" });
  world.clock.advance(10 * UNFLUSHED_MS);
  const look = (bootId: string) => {
    const states = world.open(bootId);
    digestAt(states, "/w/a");
    states.save();
    return world.takeRead().length;
  };
  expect(["", "", "boot-1", "boot-1", ""].map(look)).toEqual([1, 0, 1, 0, 0]);
});

test("an index of the format before is ignored", () => {
  const world = machine({ "w/a": "one" });
  world.clock.advance(1234);
  const states = world.open();
  digestAt(states, "/w/a");
  states.save();
  world.takeRead();
  const file = Buffer.from(world.fs.readFile(INDEX)!);
  const rewrite = (magic: string) => {
    file.write(magic, 0, "latin1");
    createHash("sha256").update(file.subarray(0, 64)).update(file.subarray(96)).digest().copy(file, 64);
    world.fs.writeFile(INDEX, file);
    digestAt(world.open(), "/w/a");
    return world.takeRead().length;
  };
  expect(["KAHNFS02", "KAHNFS01"].map(rewrite)).toEqual([0, 1]);
});

// Goal: whatever is written, saved and lost, and in whichever order, a digest is that of the content. Method: random
// programs with power losses, on a system that writes back what is half a minute old, as Linux does; the index itself
// is flushed at times, so that it outlives what it speaks of.
test("a digest is that of the content after any power loss", async () => {
  const rarely = { freq: 2 };
  const round = fc.record({
    path: fc.constantFrom("/w/a", "/w/b"),
    text: fc.option(fc.constantFrom("x", "y", "z"), rarely),
    waitMs: fc.constantFrom(1, 30, 5003, 33_007, 100_001),
    looks: fc.boolean(),
    save: fc.constantFrom("none", "cached", "flushed"),
    crash: fc.option(fc.nat(), rarely),
  });
  const isTrue = (world: Machine, states: WorkTreeStates, path: string) => {
    const content = world.fs.readFile(path);
    return digestAt(states, path) === (content === undefined ? "absent" : digestOf(content));
  };
  const program = fc.asyncProperty(fc.array(round, { maxLength: 15 }), async (rounds) => {
    const world = machine({ "w/a": "x", "w/b": "x" }, { writeBackMs: 35_000 });
    let states = world.open();
    for (const { path, text, waitMs, looks, save, crash } of rounds) {
      if (text !== null) world.fs.writeFile(path, text);
      world.clock.advance(waitMs);
      if (looks && !isTrue(world, states, path)) return false;
      if (save !== "none") states.save();
      if (save === "flushed") await flushIndex(world.fs);
      if (crash !== null) world.losePower(crash);
      if (save !== "none" || crash !== null) states = world.open();
    }
    return isTrue(world, states, "/w/a") && isTrue(world, states, "/w/b");
  });
  await fc.assert(program, { numRuns: 500 * SCALE });
});
