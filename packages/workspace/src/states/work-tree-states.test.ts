import { digestOf, type FileSystem, type HashOutcome } from "@kahn/core";
import { type MemoryFileSystem, memoryFileSystem, type VirtualClock, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openFileStates } from "./open-file-states.ts";
import type { WorkTreeStates } from "./work-tree-states.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const INDEX = "/w/.kahn/state/files";

interface World {
  readonly clock: VirtualClock;
  readonly fs: MemoryFileSystem;
  /** Absolute paths that were read in full since the last call. */
  readonly takeHashed: () => string[];
  /** Directories that were listed since the last call. */
  readonly takeListed: () => string[];
  readonly open: () => WorkTreeStates;
}

function world(files: Record<string, string>, options: { granularityMs?: number } = {}): World {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, files: { "w/.kahn/state/": "", ...files }, ...options });
  const hashed: string[] = [];
  const listed: string[] = [];
  const watched: FileSystem = new Proxy(fs, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "hashMany") hashed.push(...(args[0] as string[]));
        if (name === "readDirectory") listed.push(args[0] as string);
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return {
    clock,
    fs,
    takeHashed: () => hashed.splice(0),
    takeListed: () => listed.splice(0),
    open: () => openFileStates({ fs: watched, clock, indexPath: INDEX, workspaceRoot: "/w" }),
  };
}

function digestAt(states: WorkTreeStates, path: string): string {
  const [outcome] = states.digests([path]) as [HashOutcome];
  return outcome.kind === "file" ? outcome.digest : outcome.kind;
}

test("a file is read once, and never again while its stat is the same", () => {
  const { clock, open, takeHashed } = world({ "w/a": "one", "w/b": "two" });
  clock.advance(1234);
  const first = open();
  expect(digestAt(first, "/w/a")).toBe(digestOf("one"));
  first.save();
  expect(takeHashed()).toEqual(["/w/a"]);
  const second = open();
  expect(digestAt(second, "/w/a")).toBe(digestOf("one"));
  expect(digestAt(second, "/w/b")).toBe(digestOf("two"));
  expect(takeHashed()).toEqual(["/w/b"]);
});

test("a change within one tick that keeps the size is found, though stat says nothing", () => {
  const { clock, fs, open } = world({ "w/a": "start" }, { granularityMs: 4 });
  clock.advance(1234);
  fs.writeFile("/w/a", "first");
  const states = open();
  expect(digestAt(states, "/w/a")).toBe(digestOf("first"));
  states.save();
  const before = fs.lstat("/w/a");
  fs.writeFile("/w/a", "other");
  expect(fs.lstat("/w/a")).toEqual(before);
  expect(digestAt(open(), "/w/a")).toBe(digestOf("other"));
});

test("a file that was read too early is read once more, and then settles", () => {
  const { clock, fs, open, takeHashed } = world({}, { granularityMs: 4 });
  clock.advance(1234);
  fs.writeFile("/w/a", "new");
  for (let run = 0; run < 3; run++) {
    const states = open();
    digestAt(states, "/w/a");
    states.save();
    clock.advance(100);
  }
  expect(takeHashed()).toEqual(["/w/a", "/w/a"]);
});

test("where the file system shows whole seconds, a file is trusted two seconds after its last change", () => {
  const { clock, fs, open, takeHashed } = world({}, { granularityMs: 1000 });
  clock.advance(10_000);
  fs.writeFile("/w/a", "new");
  const reads: number[] = [];
  for (const waitMs of [500, 1000, 1400, 200, 200]) {
    clock.advance(waitMs);
    const states = open();
    digestAt(states, "/w/a");
    states.save();
    reads.push(takeHashed().length);
  }
  expect(reads).toEqual([1, 1, 1, 1, 0]);
});

test("a touched file is read again and has the same digest", () => {
  const { clock, fs, open, takeHashed } = world({ "w/a": "same" });
  clock.advance(1234);
  const states = open();
  const before = digestAt(states, "/w/a");
  fs.setTimes("/w/a", clock.nowMs(), clock.nowMs());
  clock.advance(1234);
  expect(digestAt(states, "/w/a")).toBe(before);
  expect(takeHashed()).toEqual(["/w/a", "/w/a"]);
});

// Goal: no sequence of writes, waits, restarts and lost state directories may give a digest that the file does not
// have. Method: random programs over three files of equal sizes on a file system with coarse stamps.
test("a digest is always that of the content", () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("write" as const),
      name: fc.constantFrom("a", "b", "c"),
      text: fc.constantFrom("x", "y", "z"),
    }),
    fc.record({
      kind: fc.constant("replace" as const),
      name: fc.constantFrom("a", "b", "c"),
      text: fc.constantFrom("x", "y", "z"),
    }),
    fc.record({ kind: fc.constant("swap" as const) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ kind: fc.constant("look" as const), name: fc.constantFrom("a", "b", "c") }),
    fc.record({ kind: fc.constant("restart" as const), saves: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.constantFrom(1, 4, 10), fc.array(step, { maxLength: 40 }), (granularityMs, steps) => {
      const { clock, fs, open } = world({ "w/a": "x", "w/b": "x", "w/c": "x" }, { granularityMs });
      let states = open();
      for (const each of steps) {
        if (each.kind === "write") fs.writeFile(`/w/${each.name}`, each.text);
        if (each.kind === "replace") {
          fs.writeFile("/w/new", each.text);
          fs.rename("/w/new", `/w/${each.name}`);
        }
        if (each.kind === "swap") {
          fs.rename("/w/a", "/w/t");
          fs.rename("/w/b", "/w/a");
          fs.rename("/w/t", "/w/b");
        }
        if (each.kind === "wait") clock.advance(each.ms);
        if (each.kind === "restart") {
          if (each.saves) states.save();
          states = open();
        }
        if (each.kind !== "look") continue;
        const truth = digestOf(fs.readFile(`/w/${each.name}`)!);
        if (digestAt(states, `/w/${each.name}`) !== truth) return false;
      }
      return true;
    }),
    { numRuns: 300 * SCALE },
  );
});

test("an index that is damaged anywhere counts as empty, and is replaced", () => {
  const { clock, fs, open } = world({ "w/a": "one", "w/d/b": "two" });
  clock.advance(1234);
  const states = open();
  states.digests(["/w/a", "/w/d/b"]);
  states.list("d");
  states.setNote("n", { some: "note" });
  states.save();
  const sound = Buffer.from(fs.readFile(INDEX)!);
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(sound);
      damaged[at] = damaged[at]! ^ flip;
      fs.writeFile(INDEX, damaged);
      const reopened = open();
      expect(reopened.note("n")).toBeUndefined();
      expect(digestAt(reopened, "/w/a")).toBe(digestOf("one"));
    }),
    { numRuns: 200 * SCALE },
  );
  for (const length of [0, 10, 96, sound.length - 1]) {
    fs.writeFile(INDEX, sound.subarray(0, length));
    const reopened = open();
    expect(digestAt(reopened, "/w/d/b")).toBe(digestOf("two"));
    reopened.save();
    expect(fs.readFile(INDEX)!.length).toBeGreaterThan(96);
  }
});

test("nothing is written when nothing changed", () => {
  const { clock, fs, open } = world({ "w/a": "one" });
  clock.advance(1234);
  const states = open();
  digestAt(states, "/w/a");
  states.save();
  const before = fs.lstat(INDEX);
  clock.advance(1234);
  const again = open();
  digestAt(again, "/w/a");
  again.save();
  expect(fs.lstat(INDEX)).toEqual(before);
});

test("a state directory that cannot be written makes every file read each time, and no error", () => {
  const { clock, fs, open, takeHashed } = world({ "w/a": "one" });
  fs.chmod("/w/.kahn/state", 0o555);
  clock.advance(1234);
  const states = open();
  expect([digestAt(states, "/w/a"), digestAt(states, "/w/a")]).toEqual([digestOf("one"), digestOf("one")]);
  expect(takeHashed()).toHaveLength(2);
});

test("a new link to a file of the store does not make it unknown, a change of its content does", () => {
  const { clock, fs, open, takeHashed } = world({ "w/store": "blob" });
  fs.link("/w/store", "/w/out");
  clock.advance(1234);
  const states = open();
  states.remember([{ path: "/w/out", digest: digestOf("blob"), stat: fs.lstat("/w/out")!, linked: true }]);
  digestAt(states, "/w/out");
  takeHashed();
  clock.advance(1234);
  fs.link("/w/store", "/w/another");
  expect(digestAt(states, "/w/out")).toBe(digestOf("blob"));
  expect(takeHashed()).toEqual([]);
  fs.writeFile("/w/store", "evil");
  expect(digestAt(states, "/w/out")).toBe(digestOf("evil"));
});

test("a file whose time was put back after a change of the same size is found by its ctime", () => {
  const { clock, fs, open } = world({ "w/a": "start" });
  clock.advance(1234);
  const states = open();
  digestAt(states, "/w/a");
  const { mtimeMs } = fs.lstat("/w/a")!;
  clock.advance(1234);
  fs.writeFile("/w/a", "other");
  fs.setTimes("/w/a", mtimeMs, mtimeMs);
  expect(digestAt(states, "/w/a")).toBe(digestOf("other"));
});

test("of a file that is linked to the store, inode and mode still count", () => {
  const { clock, fs, open } = world({ "w/one": "blob", "w/two": "blab" });
  fs.link("/w/one", "/w/out");
  fs.setTimes("/w/two", fs.lstat("/w/one")!.mtimeMs, fs.lstat("/w/one")!.mtimeMs);
  clock.advance(1234);
  const states = open();
  states.remember([{ path: "/w/out", digest: digestOf("blob"), stat: fs.lstat("/w/out")!, linked: true }]);
  const id = states.rowOf("out");
  const entry = () => {
    states.beginAgain();
    states.look([id], ["out"]);
    return states.inputAt(id, "out");
  };
  expect(entry()).toMatchObject({ digest: digestOf("blob"), executable: false });
  fs.chmod("/w/one", 0o755);
  expect(entry()).toMatchObject({ digest: digestOf("blob"), executable: true });
  fs.chmod("/w/one", 0o644);
  expect(entry()).toMatchObject({ executable: false });
  fs.link("/w/two", "/w/next");
  fs.rename("/w/next", "/w/out");
  expect(entry()).toMatchObject({ digest: digestOf("blab") });
});

test("the clock of another device is trusted two seconds less", () => {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, files: { "w/.kahn/state/": "" }, mounts: { "/other": 7 } });
  clock.advance(1234);
  fs.writeFile("/w/a", "here");
  fs.writeFile("/other/a", "there");
  const settledAfter = (path: string, waitMs: number) => {
    clock.advance(waitMs);
    const states = openFileStates({ fs, clock, indexPath: INDEX, workspaceRoot: "/w" });
    const [outcome] = states.digests([path]) as [HashOutcome];
    return outcome.kind === "file" && states.table.isCurrent(states.rowOf(path.replace("/w/", "")), outcome.stat);
  };
  expect(settledAfter("/w/a", 100)).toBe(true);
  expect(settledAfter("/other/a", 1000)).toBe(false);
  expect(settledAfter("/other/a", 1500)).toBe(true);
});

test("links, directories and missing files are told apart, and links are not followed", () => {
  const { clock, open } = world({ "w/a": "text", "w/link": "-> a", "w/d/b": "two" });
  clock.advance(1234);
  const [link, directory, missing] = open().digests(["/w/link", "/w/d", "/w/none"]);
  expect(link).toMatchObject({ kind: "symlink", target: "a" });
  expect(directory).toMatchObject({ kind: "not-a-file" });
  expect(missing).toEqual({ kind: "absent" });
});

test("a listing is read again when a name came or went, and only then", () => {
  const { clock, fs, open, takeListed } = world({ "w/d/b": "two", "w/d/a/x": "three" });
  clock.advance(1234);
  const names = (states: WorkTreeStates) => states.list("d")?.names;
  const first = open();
  expect(names(first)).toEqual(["a", "b"]);
  first.save();
  expect(takeListed()).toEqual(["/w/d"]);
  const second = open();
  expect(names(second)).toEqual(["a", "b"]);
  fs.writeFile("/w/d/b", "other content");
  second.beginAgain();
  expect(names(second)).toEqual(["a", "b"]);
  expect(takeListed()).toEqual([]);
  fs.writeFile("/w/d/aa", "new");
  expect(names(second)).toEqual(["a", "b"]);
  second.beginAgain();
  expect(names(second)).toEqual(["a", "aa", "b"]);
  fs.removeTree("/w/d/a");
  second.beginAgain();
  expect(names(second)).toEqual(["aa", "b"]);
});

test("a listing read within the tick of the directory's change is read again", () => {
  const { clock, fs, open } = world({ "w/d/b": "two" }, { granularityMs: 4 });
  clock.advance(1234);
  fs.writeFile("/w/d/c", "");
  const first = open();
  expect(first.list("d")?.names).toEqual(["b", "c"]);
  first.save();
  fs.writeFile("/w/d/e", "");
  expect(open().list("d")?.names).toEqual(["b", "c", "e"]);
});

test("names come in the order of whole paths", () => {
  const { clock, open } = world({ "w/d/a/z": "", "w/d/a-b": "", "w/d/a.c": "", "w/d/a0": "" });
  clock.advance(1234);
  expect(open().list("d")?.names).toEqual(["a-b", "a.c", "a", "a0"]);
});

test("what was seen holds until a command may have run, and for one resolution afterwards", () => {
  const { clock, fs, open } = world({ "w/a": "one" });
  clock.advance(1234);
  const states = open();
  const id = states.rowOf("a");
  const digest = () => {
    states.look([id], ["a"]);
    const entry = states.inputAt(id, "a");
    return entry?.kind === "file" ? entry.digest : entry?.kind;
  };
  expect(digest()).toBe(digestOf("one"));
  fs.writeFile("/w/a", "three");
  states.beginResolution();
  expect(digest()).toBe(digestOf("one"));
  states.disturb();
  states.beginResolution();
  expect(digest()).toBe(digestOf("three"));
});

test("a file that was restored is seen at once, in its directory too", () => {
  const { clock, fs, open } = world({ "w/d/b": "two" });
  clock.advance(1234);
  const states = open();
  states.list("d");
  fs.writeFile("/w/d/new", "made");
  states.remember([{ path: "/w/d/new", digest: digestOf("made"), stat: fs.lstat("/w/d/new")!, linked: false }]);
  expect(states.list("d")?.names).toEqual(["b", "new"]);
  fs.removeTree("/w/d");
  states.forget("/w/d");
  expect(states.list("d")).toBeUndefined();
});

test("a link or directory that is made after its absence was told is seen in the same moment", () => {
  const { clock, fs, open } = world({ "w/d/b": "two" });
  clock.advance(1234);
  const states = open();
  states.list("d");
  const id = states.rowOf("d/link");
  expect(states.digests(["/w/d/link", "/w/d/empty"]).map((each) => each.kind)).toEqual(["absent", "absent"]);
  fs.symlink("b", "/w/d/link");
  fs.makeDirectory("/w/d/empty");
  expect(states.list("d")?.names).toEqual(["b", "empty", "link"]);
  states.look([id], ["d/link"]);
  expect(states.inputAt(id, "d/link")).toMatchObject({ kind: "symlink", target: "b" });
  states.digests(["/w/d/link"]);
  fs.remove("/w/d/link");
  fs.symlink("other", "/w/d/link");
  states.look([id], ["d/link"]);
  expect(states.inputAt(id, "d/link")).toMatchObject({ kind: "symlink", target: "other" });
});

test("what is gone is dropped from the index", () => {
  const { clock, fs, open } = world({ "w/d/deep/er/x": "two", "w/d/y": "" });
  clock.advance(1234);
  const states = open();
  states.digests(["/w/d/deep/er/x", "/w/d/y"]);
  states.list("d");
  states.save();
  const before = fs.lstat(INDEX)!.sizeBytes;
  fs.removeTree("/w/d/deep");
  const again = open();
  again.list("d");
  again.save();
  expect(fs.lstat(INDEX)!.sizeBytes).toBeLessThan(before);
  expect(Buffer.from(fs.readFile(INDEX)!).includes("deep")).toBe(false);
});
