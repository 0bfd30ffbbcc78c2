// Small blobs in packs: what holds for files holds for them, whatever happens to a pack.
import type { Digest, FileSystem } from "@kahn/core";
import { digestOf } from "@kahn/core";
import type { FileSystemCall, SeededRandom } from "@kahn/testing";
import { countingFileSystem, faulty, forEachSeed, memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import type { DiskStore } from "./disk-store.ts";
import { collectGarbage } from "./garbage-collector.ts";
import { stampMs } from "./internal/stamp.ts";
import { locateBlob } from "./locate.ts";
import { verifyStore } from "./scrub.ts";
import {
  flipByte,
  namesIn,
  OWNER,
  put,
  recordPath,
  resultOf,
  testClock,
  testStore,
  textOf,
  value,
} from "./store.fixture.ts";
import { storeStats } from "./store-stats.ts";

const PACKED = 64 * 1024;
const PACKS = "/store/cas/sha256/packs";
const DAY_MS = 24 * 3_600_000;

function world() {
  const clock = testClock();
  const fs = memoryFileSystem({ clock });
  fs.makeDirectory("/work");
  const open = (on: FileSystem = fs, pid = 100) =>
    testStore({ fs: on, clock, packedMaxBytes: PACKED, owner: { ...OWNER, pid } });
  const dead = () => testStore({ fs, clock, packedMaxBytes: PACKED, livenessOf: () => "dead" });
  return { clock, fs, open, dead };
}

const copyTo = (digest: Digest, path: string) => ({ digest, path, executable: false, how: "copy" }) as const;
const packNames = (fs: FileSystem) => namesIn(fs, PACKS).filter((name) => name.endsWith(".pack"));

async function ingest(store: DiskStore, fs: FileSystem, texts: readonly string[]): Promise<Digest[]> {
  const requests = texts.map((text, index) => {
    fs.writeFile(`/work/in-${index}`, text);
    return { path: `/work/in-${index}`, executable: false };
  });
  return value(await store.blobs.ingest(requests));
}

// ——— cost ———

test("many files are taken in by one append, and given out by one read", async () => {
  const { fs, open } = world();
  const counting = countingFileSystem(fs);
  const store = open(counting);
  const texts = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(500));
  const digests = await ingest(store, fs, texts);
  const appends = counting.pathsOf("append").filter((path) => path.endsWith(".pack"));
  expect([appends.length, counting.count("rename")]).toStrictEqual([1, 1]);
  counting.reset();
  const outcomes = await store.blobs.materialize(digests.map((digest, index) => copyTo(digest, `/work/out-${index}`)));
  expect(new Set(value(outcomes))).toStrictEqual(new Set(["done"]));
  expect([counting.count("readRange"), counting.count("readFile"), counting.count("copyFile")]).toStrictEqual([
    1, 0, 0,
  ]);
});

test("a store that is opened and closed reads no pack, and looks at blobs too large for one look at none", async () => {
  const { fs, open } = world();
  await put(open(), "packed");
  const counting = countingFileSystem(fs);
  const store = open(counting);
  value(await store.blobs.findMissing([digestOf("x".repeat(PACKED + 1))]));
  value(await store.actions.lookup(digestOf("action")));
  value(await store.close({ sync: false }));
  expect(counting.calls.filter(({ path }) => path.startsWith(PACKS))).toStrictEqual([]);
});

test("asking for ten thousand blobs, found or not, looks at the packs' directory once", async () => {
  const { clock, fs, open } = world();
  const first = open();
  const texts = Array.from({ length: 2000 }, (_, index) => `blob ${index}`);
  const digests = await ingest(first, fs, texts);
  value(await first.close());
  await clock.advance(60_000);
  const counting = countingFileSystem(fs);
  const store = open(counting);
  value(await store.blobs.findMissing(digests));
  counting.reset();
  expect(value(await store.blobs.findMissing(digests))).toStrictEqual([]);
  expect(counting.calls.map(({ path }) => path)).toStrictEqual([PACKS]);
  counting.reset();
  const absent = Array.from({ length: 100 }, (_, index) => digestOf(`absent ${index}`));
  expect(value(await store.blobs.findMissing(absent))).toStrictEqual(absent);
  expect(counting.calls.filter(({ path }) => path.startsWith(PACKS))).toHaveLength(1);
});

// ——— several processes ———

test("what one process has appended another sees at once, before and after it has closed", async () => {
  const { fs, open } = world();
  const [one, two] = [open(fs, 1), open(fs, 2)];
  const a = await put(one, "a");
  expect(await textOf(two, a)).toBe("a");
  const b = await put(one, "b");
  expect(value(await two.blobs.findMissing([b, a]))).toStrictEqual([]);
  value(await one.close());
  const c = await put(one, "c");
  expect([await textOf(two, b), await textOf(two, c)]).toStrictEqual(["b", "c"]);
  expect(packNames(fs)).toHaveLength(2);
});

test("a pack that is removed under its owner is begun anew, and what was in it is missing", async () => {
  const { fs, open } = world();
  const store = open();
  const lost = await put(store, "lost");
  fs.removeTree("/store/cas");
  const kept = await put(store, "kept");
  expect(value(await store.blobs.findMissing([lost, kept]))).toStrictEqual([lost]);
  expect(await textOf(open(), kept)).toBe("kept");
  await put(store, "lost");
  expect(await textOf(open(), lost)).toBe("lost");
});

// Goal: nobody stumbles over a merge. Method: a process knows the old packs; they go between its look and its read.
test("a reader that finds a pack gone finds its blobs where they are now", async () => {
  const { fs, open } = world();
  for (const text of ["a", "b", "c"]) {
    const store = open();
    await put(store, text);
    value(await store.close());
  }
  let isMerged = false;
  const at = ({ operation, path }: FileSystemCall) => operation === "readRange" && path.startsWith(PACKS) && !isMerged;
  const merging = open();
  await put(merging, "d");
  const run = () => {
    isMerged = true;
    // Synchronous as far as it matters: the merge is done before the read goes on, or the read sees the old packs.
    for (const name of packNames(fs)) fs.rename(`${PACKS}/${name}`, `${PACKS}/0${name}`);
  };
  const reader = open(faulty(fs, [{ at, action: { kind: "meanwhile", when: "before", run } }]));
  expect(await textOf(reader, digestOf("b"))).toBe("b");
  expect(isMerged).toBe(true);
});

test("a fourth pack of one size is merged with the others at close, and everything is found", async () => {
  const { fs, open } = world();
  for (let run = 1; run <= 40; run++) {
    const store = open();
    await ingest(store, fs, [`output of run ${run} `.repeat(100), "the same each time"]);
    value(await store.close());
    expect(packNames(fs).length).toBeLessThanOrEqual(8);
  }
  const store = open();
  for (let run = 1; run <= 40; run++) {
    expect(await textOf(store, digestOf(`output of run ${run} `.repeat(100)))).toBeDefined();
  }
  expect(value(await verifyStore(store)).corrupt).toStrictEqual([]);
  // One copy of what every run had, as the others were merged away or never written.
  expect(value(await storeStats(store))).toMatchObject({ blobs: 41, packedBlobs: 41 });
});

test("a pack whose owner lives is not merged away", async () => {
  const { fs, open } = world();
  const live = open(fs, 7);
  const before = await put(live, "before");
  for (let run = 0; run < 6; run++) {
    const store = open(fs, 8);
    await put(store, `run ${run}`);
    value(await store.close());
  }
  const after = await put(live, "after");
  expect([await textOf(open(), before), await textOf(open(), after)]).toStrictEqual(["before", "after"]);
});

test("a merge takes what a process appended between another one's last look and its own death", async () => {
  const { fs, clock, open } = world();
  const victim = open(fs, 7);
  await put(victim, "early");
  const merging = testStore({
    fs,
    clock,
    packedMaxBytes: PACKED,
    livenessOf: ({ pid }) => (pid === 7 ? "dead" : "alive"),
  });
  expect(await textOf(merging, digestOf("early"))).toBe("early");
  const late = await put(victim, "late");
  for (let run = 0; run < 4; run++) {
    await put(merging, `run ${run}`);
    value(await merging.close());
  }
  expect(packNames(fs).length).toBeLessThan(4);
  expect(await textOf(open(), late)).toBe("late");
});

// ——— damage ———

// Goal: one flipped bit anywhere costs at most the blobs it lies in, and never gives wrong bytes. Method: every byte of
// a pack and of its index in turn; each blob is then read, restored, looked for and stored again by a new process.
test("a flip of any byte of a pack or its index never gives wrong bytes, and costs one blob at most", async () => {
  const { fs, clock, open } = world();
  const texts = ["first", "", "second one", "x".repeat(40)];
  for (const isSealed of [false, true]) {
    const store = open();
    const digests = await ingest(store, fs, texts);
    if (isSealed) value(await store.close());
    for (const name of namesIn(fs, PACKS)) {
      const path = `${PACKS}/${name}`;
      const whole = Buffer.from(fs.readFile(path)!);
      for (let at = 0; at < whole.length; at++) {
        const bytes = Buffer.from(whole);
        bytes[at] = bytes[at]! ^ 0x10;
        fs.writeFile(path, bytes);
        const reader = testStore({ fs, clock, packedMaxBytes: PACKED });
        const read: (string | undefined)[] = [];
        for (const digest of digests) read.push(await textOf(reader, digest));
        const lost = read.filter((text, index) => text !== texts[index]);
        expect(lost.length, `${name} at ${at}`).toBeLessThanOrEqual(1);
        expect(new Set(lost)).not.toContain("wrong");
        for (const text of lost) expect(text).toBe(undefined);
        const outcomes = value(
          await reader.blobs.materialize(digests.map((digest, n) => copyTo(digest, `/work/${n}`))),
        );
        outcomes.forEach((outcome, n) => {
          if (outcome === "done") expect(Buffer.from(fs.readFile(`/work/${n}`)!).toString()).toBe(texts[n]);
        });
      }
      fs.writeFile(path, whole);
    }
    fs.removeTree("/store/cas");
  }
});

test("a corrupt blob is called so once, is missing then, and is right for everybody when it was stored anew", async () => {
  const { fs, open } = world();
  const writer = open();
  const [digest, neighbour] = [await put(writer, "the bytes of an output"), await put(writer, "its neighbour")];
  value(await writer.close());
  flipByte(fs, value(await locateBlob(writer, digest))!, { keepTimes: true });
  const store = open();
  const requests = [copyTo(digest, "/work/out"), copyTo(neighbour, "/work/other")];
  expect(value(await store.blobs.materialize(requests))).toStrictEqual(["corrupt", "done"]);
  expect(fs.lstat("/work/out")).toBe(undefined);
  expect(value(await store.blobs.materialize(requests))).toStrictEqual(["missing", "done"]);
  expect(value(await store.blobs.findMissing([digest]))).toStrictEqual([digest]);
  await put(store, "the bytes of an output");
  for (const reader of [store, writer, open()]) {
    expect(value(await reader.blobs.materialize(requests))).toStrictEqual(["done", "done"]);
  }
});

test("a scrub names what is corrupt, keeps its bytes aside, and rewrites the pack without it", async () => {
  const { fs, open } = world();
  const writer = open();
  const digests = await ingest(writer, fs, ["one", "two", "three"]);
  const action = digestOf("action");
  value(await writer.actions.record(action, resultOf(digests)));
  value(await writer.close());
  flipByte(fs, value(await locateBlob(writer, digests[1]!))!, { keepTimes: true });
  const report = value(await verifyStore(open()));
  expect(report).toMatchObject({ blobs: 3, bytes: 11, corrupt: [digests[1]] });
  expect(report.incomplete).toStrictEqual([{ action, missing: [digests[1]] }]);
  const [aside] = namesIn(fs, "/store/quarantine");
  expect(Buffer.from(fs.readFile(`/store/quarantine/${aside}`)!).toString()).toBe("tvo");
  expect(value(await verifyStore(open()))).toMatchObject({ blobs: 2, corrupt: [] });
  expect(await textOf(open(), digests[2]!)).toBe("three");
});

test("a blob whose head alone was damaged is known by its index, and survives a scrub and a merge", async () => {
  const { fs, open } = world();
  const writer = open();
  const [digest] = await ingest(writer, fs, ["the blob", "its neighbour"]);
  value(await writer.close());
  const { path, offset } = value(await locateBlob(writer, digest!))!;
  flipByte(fs, { path, offset: offset - 40, sizeBytes: 1 });
  expect(value(await verifyStore(open()))).toMatchObject({ blobs: 2, corrupt: [] });
  fs.remove(path.replace(".pack", ".idx"));
  expect(await textOf(open(), digest!)).toBe("the blob");
});

// Goal: a torn append and what power loss leaves behind cost the records they lie in. Method: every length of a pack,
// with and without zeros in place of the rest.
test("a pack that was cut anywhere, or continues in zeros, has every blob that is whole", async () => {
  const { fs, open } = world();
  const writer = open();
  const texts = ["first", "second", "third"];
  const digests = await ingest(writer, fs, texts);
  const path = `${PACKS}/${packNames(fs)[0]}`;
  const whole = Buffer.from(fs.readFile(path)!);
  const ends = await Promise.all(
    digests.map(async (digest) => {
      const { offset, sizeBytes } = value(await locateBlob(writer, digest))!;
      return offset + sizeBytes;
    }),
  );
  for (let length = 0; length <= whole.length; length++) {
    const cut = whole.subarray(0, length);
    for (const bytes of [cut, Buffer.concat([cut, Buffer.alloc(whole.length - length)])]) {
      fs.writeFile(path, bytes);
      const reader = open();
      for (const [index, digest] of digests.entries()) {
        const isWhole = ends[index]! <= length;
        const text = await textOf(reader, digest);
        if (isWhole) expect(text).toBe(texts[index]);
        else expect([undefined, texts[index]]).toContain(text);
      }
    }
  }
});

// ——— links, sizes, formats ———

test("a link to a packed blob makes it a file of its own first, in both variants", async () => {
  const { fs, open } = world();
  const store = open();
  const digest = await put(store, "linked");
  const requests = [false, true].map(
    (executable) => ({ digest, path: `/work/${executable}`, executable, how: "link" }) as const,
  );
  expect(value(await store.blobs.materialize(requests))).toStrictEqual(["done", "done"]);
  expect(requests.map(({ path }) => fs.lstat(path)!.mode)).toStrictEqual([0o444, 0o555]);
  expect(fs.lstat("/work/false")!.nlink).toBe(2);
});

test("blobs above the limit have files of their own, and are found by it", async () => {
  const { fs, open } = world();
  const store = open();
  const [small, large] = [await put(store, "s".repeat(PACKED)), await put(store, "l".repeat(PACKED + 1))];
  const places = [value(await locateBlob(store, small))!, value(await locateBlob(store, large))!];
  expect(places.map(({ path }) => path.endsWith(".pack"))).toStrictEqual([true, false]);
  for (const { path, offset, sizeBytes } of places) {
    const bytes = Buffer.from(fs.readRange(path, offset, sizeBytes)!);
    expect([digestOf(bytes) === small, digestOf(bytes) === large]).toContain(true);
  }
  expect(value(await locateBlob(store, digestOf("absent")))).toBe(undefined);
});

test("a copy replaces links and files, never writes through them, and leaves a directory alone", async () => {
  const { fs, open } = world();
  const store = open();
  const digest = await put(store, "new");
  fs.writeFile("/work/precious", "precious");
  fs.symlink("/work/precious", "/work/symlink");
  fs.link("/work/precious", "/work/link");
  fs.makeDirectory("/work/directory");
  const outcomes = await store.blobs.materialize([copyTo(digest, "/work/symlink"), copyTo(digest, "/work/link")]);
  expect(value(outcomes)).toStrictEqual(["done", "done"]);
  expect(Buffer.from(fs.readFile("/work/precious")!).toString()).toBe("precious");
  expect(fs.lstat("/work/symlink")).toMatchObject({ kind: "file", mode: 0o644 });
  expect((await store.blobs.materialize([copyTo(digest, "/work/directory")])).ok).toBe(false);
});

test("a store of format 1 is upgraded in place: its blobs and records stay", async () => {
  const { fs, clock, open } = world();
  const old = testStore({ fs, clock });
  const digest = await put(old, "old blob");
  const action = digestOf("old action");
  value(await old.actions.record(action, resultOf([digest])));
  const hash = action.slice("sha256:".length, action.indexOf("/"));
  fs.makeDirectory(`/store/ac/sha256/${hash.slice(0, 2)}`);
  fs.rename(`/store/ac/sha256/${hash[0]}/${hash}`, `/store/ac/sha256/${hash.slice(0, 2)}/${hash}`);
  fs.writeFile("/store/format", "kahn-cas 1\n");
  const store = open();
  expect(Buffer.from(fs.readFile("/store/format")!).toString()).toBe("kahn-cas 2\n");
  expect(value(await store.actions.lookup(action)).kind).toBe("hit");
  expect(await textOf(store, digest)).toBe("old blob");
  expect(namesIn(fs, "/store/ac/sha256")).toStrictEqual([hash[0]]);
});

// ——— collection ———

test("garbage goes when a pack is mostly garbage, and all of it when the store is above its limit", async () => {
  const { clock, fs, dead } = world();
  const record = async (store: DiskStore, name: string, texts: readonly string[]) =>
    value(await store.actions.record(digestOf(name), resultOf(await ingest(store, fs, texts))));
  const first = dead();
  await record(first, "old", ["old ".repeat(100)]);
  await record(first, "kept", ["kept ".repeat(1000)]);
  value(await first.close());
  await clock.advance(20 * DAY_MS);
  const user = dead();
  expect(value(await user.actions.lookup(digestOf("kept"))).kind).toBe("hit");
  value(await user.close());
  await clock.advance(11 * DAY_MS);
  // A little garbage is not worth a rewriting.
  expect(value(await collectGarbage(dead()))).toMatchObject({ recordsRemoved: 1, blobsRemoved: 0, blobsKept: 2 });
  const { storedBytes } = value(await storeStats(dead()));
  await clock.advance(20 * DAY_MS);
  const second = dead();
  await record(second, "young", ["young ".repeat(500)]);
  value(await second.close());
  await clock.advance(60_000);
  const report = value(await collectGarbage(dead(), { maxSizeBytes: storedBytes }));
  expect(report).toMatchObject({ recordsRemoved: 1, recordsKept: 1, blobsRemoved: 2, blobsKept: 1 });
  expect(await textOf(dead(), digestOf("young ".repeat(500)))).toBeDefined();
  expect(value(await storeStats(dead())).storedBytes).toBeLessThanOrEqual(storedBytes * 0.8);
});

test("a packed blob that findMissing said is there counts as used then", async () => {
  const { clock, dead } = world();
  const writer = dead();
  const digest = await put(writer, "asked for");
  value(await writer.close());
  await clock.advance(29 * DAY_MS);
  const store = dead();
  expect(value(await store.blobs.findMissing([digest]))).toStrictEqual([]);
  value(await store.close());
  await clock.advance(2 * DAY_MS);
  value(await collectGarbage(dead()));
  expect(await textOf(dead(), digest)).toBe("asked for");
  await clock.advance(31 * DAY_MS);
  expect(value(await collectGarbage(dead()))).toMatchObject({ blobsRemoved: 1, blobsKept: 0 });
  expect(await textOf(dead(), digest)).toBe(undefined);
});

test("what a killed process appended is collected with the rest, and indexes without packs go", async () => {
  const { clock, fs, dead } = world();
  await put(dead(), "of a killed one");
  fs.writeFile(`${PACKS}/00000000000000-stray.idx`, "?");
  await clock.advance(31 * DAY_MS);
  expect(value(await collectGarbage(dead()))).toMatchObject({ blobsRemoved: 1, blobsKept: 0 });
  expect(namesIn(fs, PACKS)).toStrictEqual([]);
});

// Goal: what a collection keeps is whole, even when a merge beside an earlier one lost the times of packed blobs.
// Method: the index as it was before the time was raised is put back, as a merge that had read it then does.
test("a record that stays keeps its packed blobs, though a merge lost their times", async () => {
  const { clock, fs, dead } = world();
  const texts = ["times lost ".repeat(50)];
  const writer = dead();
  value(await writer.actions.record(digestOf("used"), resultOf(await ingest(writer, fs, texts))));
  value(await writer.close());
  const index = `${PACKS}/${namesIn(fs, PACKS).find((name) => name.endsWith(".idx"))}`;
  const before = Buffer.from(fs.readFile(index)!);
  await clock.advance(20 * DAY_MS);
  const user = dead();
  expect(value(await user.actions.lookup(digestOf("used"))).kind).toBe("hit");
  value(await user.close());
  value(await collectGarbage(dead()));
  expect(Buffer.from(fs.readFile(index)!).equals(before)).toBe(false);
  fs.writeFile(index, before);
  await clock.advance(11 * DAY_MS);
  const collector = dead();
  expect(value(await collectGarbage(collector))).toMatchObject({ recordsKept: 1, blobsKept: 1, blobsRemoved: 0 });
  expect(value(await verifyStore(collector)).incomplete).toStrictEqual([]);
  expect(value(await collector.actions.lookup(digestOf("used"))).kind).toBe("hit");
});

// Goal: the same, when the blob went already. Method: its pack is removed by hand.
test("a record whose packed blob went though the record was used goes at the next collection that drops any", async () => {
  const { clock, fs, dead } = world();
  const record = async (name: string) => {
    const writer = dead();
    value(await writer.actions.record(digestOf(name), resultOf(await ingest(writer, fs, [`${name} `.repeat(50)]))));
    value(await writer.close());
  };
  await record("lost");
  value(await collectGarbage(dead()));
  for (const name of namesIn(fs, PACKS)) fs.remove(`${PACKS}/${name}`);
  await record("old");
  await clock.advance(20 * DAY_MS);
  const user = dead();
  // It is used, which raises the time of its record: nothing but a look at its blobs tells that it is no hit.
  fs.setTimes(recordPath(user, digestOf("lost")), clock.nowMs() - 375, stampMs(clock.nowMs()));
  await clock.advance(11 * DAY_MS);
  expect(value(await collectGarbage(dead()))).toMatchObject({ recordsRemoved: 2, recordsKept: 0 });
});

// ——— any order of things ———

const STEPS = ["ingest", "ingest", "ingest", "read", "read", "restore", "close", "kill", "collect", "flip"] as const;

// Goal: packs are a map from digests to bytes, whoever asks. Method: random steps of three processes over one memory
// file system, compared with a `Map`: what was stored and neither damaged nor collected is there; what comes out is
// right; nothing is an error.
test("in any order of storing, reading, closing, killing, collecting and damaging, packs equal a map", async () => {
  const { tallies } = await forEachSeed(
    { name: "packs", count: 60, scaleEnv: process.env.KAHN_TEST_SCALE },
    async ({ random, tally }) => {
      const { clock, fs } = world();
      const alive = new Set<number>();
      const livenessOf = ({ pid }: { readonly pid: number }) => (alive.has(pid) ? "alive" : "dead") as "alive" | "dead";
      const stores = new Map<number, DiskStore>();
      let pids = 0;
      const storeAt = (slot: number): DiskStore => {
        const known = stores.get(slot);
        if (known !== undefined) return known;
        alive.add(++pids);
        const store = testStore({ fs, clock, livenessOf, packedMaxBytes: PACKED, owner: { ...OWNER, pid: pids } });
        pidOf.set(slot, pids);
        stores.set(slot, store);
        return store;
      };
      const pidOf = new Map<number, number>();
      const certain = new Set<string>();
      // After a flip some processes may know a blob that others do not find: nothing is certain but the bytes.
      const isDamaging = random.chance(0.5);
      for (let step = 0; step < 60; step++) {
        if (random.chance(0.3)) await clock.advance(random.int(0, 50) * 60_000);
        const slot = random.int(1, 3);
        const what = random.pick(STEPS);
        tally(what);
        if (what === "flip") {
          if (isDamaging) flipSomewhere(fs, random);
        } else if (what === "kill") {
          alive.delete(pidOf.get(slot) ?? 0);
          stores.delete(slot);
        } else if (what === "close") {
          value(await storeAt(slot).close({ sync: random.chance(0.5) }));
        } else if (what === "collect") {
          const isHarsh = random.chance(0.3);
          const limits = isHarsh ? { maxSizeBytes: 2000 } : {};
          expect(value(await collectGarbage(storeAt(slot), limits))).toMatchObject({ kind: "collected" });
          if (isHarsh) certain.clear();
        } else if (what === "ingest") {
          const texts = Array.from({ length: random.int(1, 4) }, () => textNumber(random.int(0, 30)));
          await ingest(storeAt(slot), fs, texts);
          if (!isDamaging) for (const text of texts) certain.add(text);
        } else {
          const texts = Array.from({ length: random.int(1, 6) }, () => textNumber(random.int(0, 30)));
          const found =
            what === "read" ? await readAll(storeAt(slot), texts) : await restoreAll(storeAt(slot), fs, texts);
          texts.forEach((text, index) => {
            if (found[index] !== undefined) expect(found[index]).toBe(text);
            else expect(certain.has(text), `step ${step}: ${text.slice(0, 20)} is lost`).toBe(false);
          });
        }
      }
      for (const text of certain) expect(await textOf(storeAt(1), digestOf(text))).toBe(text);
    },
  );
  for (const step of STEPS) expect(tallies[step]).toBeGreaterThan(50);
});

const textNumber = (index: number) => `text ${index} `.repeat(1 + index * index);

function flipSomewhere(fs: FileSystem, random: SeededRandom): void {
  const names = namesIn(fs, PACKS);
  if (names.length === 0) return;
  const path = `${PACKS}/${random.pick(names)}`;
  const bytes = Buffer.from(fs.readFile(path)!);
  if (bytes.length === 0) return;
  const at = random.int(0, bytes.length - 1);
  bytes[at] = bytes[at]! ^ (1 << random.int(0, 7));
  fs.writeFile(path, bytes);
}

async function readAll(store: DiskStore, texts: readonly string[]): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (const text of texts) found.push(await textOf(store, digestOf(text)));
  return found;
}

async function restoreAll(store: DiskStore, fs: FileSystem, texts: readonly string[]): Promise<(string | undefined)[]> {
  const requests = texts.map((text, index) => copyTo(digestOf(text), `/work/out-${index}`));
  const outcomes = value(await store.blobs.materialize(requests));
  return outcomes.map((outcome, index) =>
    outcome === "done" ? Buffer.from(fs.readFile(`/work/out-${index}`)!).toString() : undefined,
  );
}
