import type { Digest } from "@kahn/core";
import { digestOf, treeOf } from "@kahn/core";
import { type FileSystemCall, faulty, forEachSeed, memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { missingBlobs } from "./completeness.ts";
import { contextOf, type DiskStore } from "./disk-store.ts";
import { collectGarbage, gcIfDue } from "./garbage-collector.ts";
import { verifyStore } from "./scrub.ts";
import {
  blobPath,
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
import { clearStore, storeStats } from "./store-stats.ts";

const DAY_MS = 24 * 3_600_000;

function world(files: Record<string, string> = {}) {
  const clock = testClock();
  const fs = memoryFileSystem({ clock, files });
  fs.makeDirectory("/work");
  // A process that ended: what it used is protected no longer.
  const ended = () => testStore({ fs, clock, livenessOf: () => "dead" });
  return { clock, fs, ended };
}

/** Records a result of these texts under an action named after it. */
async function recordOf(store: DiskStore, name: string, texts: readonly string[]): Promise<Digest> {
  const digests: Digest[] = [];
  for (const text of texts) digests.push(await put(store, text));
  const action = digestOf(name);
  value(await store.actions.record(action, resultOf(digests)));
  return action;
}

async function isHit(store: DiskStore, action: Digest): Promise<boolean> {
  return value(await store.actions.lookup(action)).kind === "hit";
}

test("what nothing has used for the age goes, what is younger stays", async () => {
  const { clock, ended } = world();
  const old = await recordOf(ended(), "old", ["old output", "shared"]);
  await clock.advance(20 * DAY_MS);
  const young = await recordOf(ended(), "young", ["young output", "shared"]);
  await clock.advance(11 * DAY_MS);
  const store = ended();
  const report = value(await collectGarbage(store));
  expect(report).toMatchObject({ kind: "collected", recordsRemoved: 1, recordsKept: 1, blobsRemoved: 1, blobsKept: 2 });
  expect([await isHit(store, old), await isHit(store, young)]).toStrictEqual([false, true]);
  expect(await textOf(store, digestOf("shared"))).toBe("shared");
});

test("over the size limit the least recently used goes first, whatever was made first", async () => {
  const { clock, ended } = world();
  const actions: Digest[] = [];
  for (let index = 0; index < 10; index++) {
    actions.push(await recordOf(ended(), `task ${index}`, [`output of ${index} `.repeat(2000)]));
    await clock.advance(60_000);
  }
  // The oldest is used again, by a process that ends.
  const user = ended();
  expect(await isHit(user, actions[0]!)).toBe(true);
  value(await user.close());
  await clock.advance(60_000);
  const store = ended();
  const before = value(await storeStats(store)).storedBytes;
  const report = value(await collectGarbage(store, { maxSizeBytes: before * 0.6 }));
  if (report.kind !== "collected") throw new Error("busy");
  expect(report.bytesBefore).toBe(before);
  expect(report.bytesAfter).toBeLessThanOrEqual(before * 0.6);
  expect(value(await storeStats(store)).storedBytes).toBe(report.bytesAfter);
  const hits: boolean[] = [];
  for (const action of actions) hits.push(await isHit(store, action));
  expect([hits[0], hits[1], hits[9]]).toStrictEqual([true, false, true]);
  for (const action of actions) {
    const found = value(await store.actions.lookup(action));
    if (found.kind === "hit") expect(value(await missingBlobs(store.blobs, found.result))).toStrictEqual([]);
  }
});

// A large run uses everything within seconds, and time alone cannot tell its parts from each other.
test("when everything was used at one time, no more of it goes than has to, and what stays is whole", async () => {
  const { clock, ended } = world();
  const actions: Digest[] = [];
  const run = ended();
  for (let index = 0; index < 40; index++)
    actions.push(await recordOf(run, `task ${index}`, [`${index} `.repeat(1500), "shared"]));
  value(await run.close());
  await clock.advance(DAY_MS);
  const store = ended();
  const before = value(await storeStats(store)).storedBytes;
  const maxSizeBytes = before * 0.9;
  const report = value(await collectGarbage(store, { maxSizeBytes }));
  if (report.kind !== "collected") throw new Error("busy");
  expect(report.bytesAfter).toBeLessThanOrEqual(maxSizeBytes * 0.85);
  expect(report.bytesAfter).toBeGreaterThan(maxSizeBytes * 0.75);
  let hits = 0;
  for (const action of actions) {
    const found = value(await store.actions.lookup(action));
    if (found.kind === "hit") expect(value(await missingBlobs(store.blobs, found.result))).toStrictEqual([]);
    if (found.kind === "hit") hits++;
  }
  expect(hits).toBe(report.recordsKept);
  expect(hits).toBeGreaterThan(25);
});

test("nothing used since the oldest live process began goes, however small the limit", async () => {
  const { clock, fs } = world();
  const live = testStore({ fs, clock });
  const action = await recordOf(live, "live", ["output"]);
  await clock.advance(40 * DAY_MS);
  const other = testStore({ fs, clock, owner: { ...OWNER, pid: 200 } });
  expect(value(await collectGarbage(other, { maxSizeBytes: 0 }))).toMatchObject({ recordsRemoved: 0, blobsRemoved: 0 });
  value(await live.close());
  expect(value(await collectGarbage(other, { maxSizeBytes: 0 }))).toMatchObject({ recordsRemoved: 1, blobsRemoved: 1 });
  expect(await isHit(other, action)).toBe(false);
});

test("files inside output directories live as long as the record that names their tree", async () => {
  const { clock, ended } = world();
  const store = ended();
  const file = await put(store, "in the tree");
  await clock.advance(29 * DAY_MS);
  const tree = treeOf([{ kind: "file", path: "sub/file", digest: file, executable: false }]);
  value(await store.blobs.write(tree.digest, tree.bytes));
  const action = digestOf("action");
  value(await store.actions.record(action, resultOf([], { outputDirectories: [{ path: "dist", tree: tree.digest }] })));
  value(await store.close());
  await clock.advance(2 * DAY_MS);
  value(await collectGarbage(ended()));
  expect(await textOf(ended(), file)).toBe("in the tree");
  await clock.advance(31 * DAY_MS);
  expect(value(await collectGarbage(ended()))).toMatchObject({ recordsKept: 0, blobsKept: 0 });
});

test("a blob that findMissing said is there counts as used then", async () => {
  const { clock, ended } = world();
  const digest = await put(ended(), "asked for");
  await clock.advance(29 * DAY_MS);
  const store = ended();
  expect(value(await store.blobs.findMissing([digest]))).toStrictEqual([]);
  await clock.advance(2 * DAY_MS);
  value(await collectGarbage(ended()));
  expect(await textOf(ended(), digest)).toBe("asked for");
});

test("a dry run counts what would go and removes nothing", async () => {
  const { clock, fs, ended } = world();
  const action = await recordOf(ended(), "old", ["output"]);
  await clock.advance(31 * DAY_MS);
  const store = ended();
  const names = namesIn(fs, "/store/use");
  expect(value(await collectGarbage(store, { dryRun: true }))).toMatchObject({ recordsRemoved: 1, blobsRemoved: 1 });
  expect(await isHit(store, action)).toBe(true);
  expect(namesIn(fs, "/store/use")).toStrictEqual(expect.arrayContaining(names));
  expect(value(await collectGarbage(ended()))).toMatchObject({ recordsRemoved: 0, recordsKept: 1 });
});

test("records that lack a blob, or are corrupt, go at once: they can be no hit", async () => {
  const { fs, ended } = world();
  const store = ended();
  const [incomplete, corrupt] = [await recordOf(store, "a", ["gone"]), await recordOf(store, "b", ["kept"])];
  fs.remove(blobPath(store, digestOf("gone")));
  flipByte(fs, recordPath(store, corrupt));
  expect(value(await collectGarbage(ended()))).toMatchObject({ recordsRemoved: 2, blobsRemoved: 0, blobsKept: 1 });
  expect(value(await ended().actions.lookup(incomplete))).toMatchObject({ kind: "miss", reason: "no-entry" });
});

test("a use between the look at a file and its removal keeps the file", async () => {
  const { clock, fs, ended } = world();
  const digest = await put(ended(), "just in time");
  await clock.advance(31 * DAY_MS);
  const path = blobPath(ended(), digest);
  const run = () => void fs.setTimes(path, clock.nowMs(), clock.nowMs());
  const at = (call: FileSystemCall) => call.operation === "lstat" && call.via === undefined && call.path === path;
  const racing = faulty(fs, [{ at, action: { kind: "meanwhile", when: "before", run } }]);
  const store = testStore({ fs: racing, clock, livenessOf: () => "dead" });
  expect(value(await collectGarbage(store))).toMatchObject({ blobsRemoved: 0, blobsKept: 1 });
  expect(racing.fired).toHaveLength(1);
});

// ——— when ———

test("a collection is due above the limit, and a day after the last; otherwise it costs two small reads", async () => {
  const { clock, fs, ended } = world();
  const store = ended();
  expect(value(await gcIfDue(store))).toBe(undefined);
  await recordOf(store, "task", ["x".repeat(50_000)]);
  value(await store.close());
  expect(value(await gcIfDue(ended()))).toBe(undefined);
  expect(value(await gcIfDue(ended(), { maxSizeBytes: 40_000 }))).toMatchObject({ kind: "collected" });
  expect(value(await gcIfDue(ended()))).toBe(undefined);
  await clock.advance(DAY_MS);
  expect(value(await gcIfDue(ended()))).toMatchObject({ kind: "collected" });
  const counting = faulty(fs, [
    { at: ({ path }) => path.startsWith("/store/cas"), action: { kind: "error", code: "EIO" } },
  ]);
  expect(value(await gcIfDue(testStore({ fs: counting, clock })))).toBe(undefined);
});

test("one process collects at a time, and a dead one holds nobody up", async () => {
  const { clock, fs } = world();
  const holder = { ...OWNER, pid: 7 };
  fs.makeDirectory("/store");
  fs.writeFile("/store/gc.lock", JSON.stringify(holder));
  const whileAlive = testStore({ fs, clock, livenessOf: () => "alive" });
  expect(value(await collectGarbage(whileAlive))).toStrictEqual({ kind: "busy", owner: holder });
  const afterDeath = testStore({ fs, clock, livenessOf: ({ pid }) => (pid === 7 ? "dead" : "alive") });
  expect(value(await collectGarbage(afterDeath))).toMatchObject({ kind: "collected" });
  expect(fs.lstat("/store/gc.lock")).toBe(undefined);
  fs.writeFile("/store/gc.lock", "torn");
  expect(value(await collectGarbage(afterDeath))).toMatchObject({ kind: "collected" });
});

test("leftovers of dead processes go after a day, segments with their uses at once", async () => {
  const { clock, fs, ended } = world();
  await recordOf(ended(), "task", ["output"]);
  fs.writeFile("/store/tmp/left", "half");
  value(await collectGarbage(ended()));
  expect([namesIn(fs, "/store/tmp"), namesIn(fs, "/store/use")]).toStrictEqual([["left"], []]);
  await clock.advance(DAY_MS + 1);
  expect(value(await collectGarbage(ended()))).toMatchObject({ leftoversRemoved: 1 });
  expect(namesIn(fs, "/store/tmp")).toStrictEqual([]);
});

test("garbled segments and stray files harm no collection", async () => {
  const { fs, ended } = world({
    "/store/use/1-aaaaaaaa-bbbbbbbb-cc.open": "\u0000not json\na sha256:xx\nt x\n",
    "/store/use/stray": "?",
    "/store/cas/sha256/ab/stray": "?",
    "/store/cas/what/ab/stray": "?",
  });
  expect(value(await collectGarbage(ended()))).toMatchObject({ kind: "collected", blobsKept: 0 });
  expect(fs.lstat("/store/cas/sha256/ab/stray")).toBeDefined();
});

// ——— scrub, stats, clear ———

test("a scrub finds a flip with the old time put back, sets it aside, and names the records that lack it", async () => {
  const { fs, ended } = world();
  const store = ended();
  const action = await recordOf(store, "task", ["one", "two"]);
  flipByte(fs, blobPath(store, digestOf("one")), { keepTimes: true });
  const progress: number[] = [];
  const report = value(await verifyStore(store, { onProgress: ({ blobs }) => progress.push(blobs) }));
  expect(report).toStrictEqual({
    blobs: 2,
    records: 1,
    bytes: 6,
    corrupt: [digestOf("one")],
    incomplete: [{ action, missing: [digestOf("one")] }],
  });
  expect(Math.max(...progress)).toBe(2);
  expect(value(await verifyStore(store)).corrupt).toStrictEqual([]);
  expect(value(await storeStats(store))).toMatchObject({ blobs: 1, records: 1, quarantined: 1 });
  value(await clearStore(store));
  expect(value(await storeStats(store))).toMatchObject({ blobs: 0, records: 0, quarantined: 0, storedBytes: 0 });
  expect(await put(store, "again")).toBe(digestOf("again"));
});

// ——— any order of things ———

// Goal: whatever stores, uses, ends, dies and collects in whatever order, a hit that is checked at once is whole after
// a collection, what was used since the oldest live process began is there, and the bound holds when nobody lives.
// Method: random histories of three processes over one store, in virtual time.
test.each([
  ["files", 0],
  ["packs", 64 * 1024],
])("%s: after any history a collection leaves whole records and keeps what live processes used", async (_, packed) => {
  const { tallies } = await forEachSeed(
    { name: "collection", count: 40, scaleEnv: process.env.KAHN_TEST_SCALE },
    async ({ random, tally }) => {
      const { clock, fs } = world();
      const alive = new Set<number>();
      const livenessOf = ({ pid }: { readonly pid: number }) => (alive.has(pid) ? "alive" : "dead") as "alive" | "dead";
      const open = (pid: number) =>
        testStore({ fs, clock, owner: { ...OWNER, pid }, livenessOf, packedMaxBytes: packed });
      const stores = new Map<number, DiskStore>();
      const usedBy = new Map<number, Set<string>>();
      for (let stepNumber = 0; stepNumber < 40; stepNumber++) {
        await clock.advance(random.int(0, 40) * 60_000);
        const pid = random.int(1, 3);
        const name = `task ${random.int(0, 7)}`;
        const store = stores.get(pid) ?? open(pid);
        stores.set(pid, store);
        alive.add(pid);
        const step = random.pick(["run", "run", "run", "end", "die", "collect"] as const);
        tally(step);
        if (step === "run") {
          if (!(await isHit(store, digestOf(name)))) await recordOf(store, name, [name.repeat(999), "shared"]);
          usedBy.set(pid, (usedBy.get(pid) ?? new Set()).add(name));
        } else if (step === "collect") {
          value(await collectGarbage(store, { maxSizeBytes: random.pick([0, 30_000, 1e9]), maxAgeMs: DAY_MS }));
          await expectWhole(store);
          for (const used of usedBy.values())
            for (const each of used) expect(await isHit(store, digestOf(each))).toBe(true);
        } else {
          if (step === "end") value(await store.close());
          alive.delete(pid);
          stores.delete(pid);
          usedBy.delete(pid);
        }
      }
      alive.clear();
      await clock.advance(60_000);
      const last = testStore({ fs, clock, livenessOf: () => "dead", packedMaxBytes: packed });
      value(await collectGarbage(last, { maxSizeBytes: 30_000 }));
      await expectWhole(last);
      expect(value(await storeStats(last)).storedBytes).toBeLessThanOrEqual(30_000);
    },
  );
  expect(tallies.collect).toBeGreaterThan(70);
});

async function expectWhole(store: DiskStore): Promise<void> {
  const { fs, layout } = contextOf(store);
  for (let index = 0; index < 8; index++) {
    const action = digestOf(`task ${index}`);
    if (fs.lstat(layout.record(action)) === undefined) continue;
    const found = value(await store.actions.lookup(action));
    if (found.kind !== "hit") throw new Error(found.reason);
    expect(value(await missingBlobs(store.blobs, found.result))).toStrictEqual([]);
  }
}
