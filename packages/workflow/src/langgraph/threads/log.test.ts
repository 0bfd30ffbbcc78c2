import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JournalStore, Problem } from "@kahn/core";
import { problem } from "@kahn/core";
import { fileJournalStore } from "@kahn/journal";
import { memoryFileSystem, memoryJournalStore, seededRandom, testScale, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { all, at, checkpoint, idOf, memoryWorld, metadata, storeOn } from "../checkpoint-store.fixture.ts";
import type { CheckpointStore } from "../checkpoint-store.ts";
import { threadIds } from "./log.ts";
import { fileSaverStorage, type SaverStorage, saverStorage } from "./storage.ts";

const SCALE = testScale(process.env.KAHN_TEST_SCALE);
const folder = mkdtempSync(join(tmpdir(), "kahn-threads-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const put = (store: CheckpointStore, n: number, thread = "t", parent?: number) =>
  store.put(at(thread, parent === undefined ? undefined : idOf(parent)), {
    checkpoint: checkpoint(n, { n }),
    metadata: metadata(n),
    newVersions: { n },
  });

const ids = async (store: CheckpointStore, thread = "t") =>
  (await all(store.list(at(thread), {}))).map((tuple) => tuple.checkpoint.id);

/** Storages on the same threads, as several processes have them. */
const SHARED: Readonly<Record<string, (count: number) => SaverStorage[]>> = {
  "in memory, each with its own storage": (count) => {
    const { journals, fs, clock } = memoryWorld();
    return Array.from({ length: count }, () => memoryWorld({ journals, fs, clock }).storage);
  },
  "in memory, on one storage": (count) => Array<SaverStorage>(count).fill(memoryWorld().storage),
  "in a folder, each with its own storage": (count) => {
    const directory = mkdtempSync(join(folder, "shared-"));
    return Array.from({ length: count }, () => fileSaverStorage({ directory, lockKeptMs: 5 }));
  },
  "in a folder, on one storage": (count) =>
    Array<SaverStorage>(count).fill(fileSaverStorage({ directory: mkdtempSync(join(folder, "one-")) })),
};

for (const [how, make] of Object.entries(SHARED)) {
  // Goal: no checkpoint and no write is lost, whoever saves it, and each saver sees what the others saved.
  test(`savers that use the same thread lose nothing (${how})`, async () => {
    const stores = make(3).map((storage) => storeOn(storage));
    await put(stores[0]!, 1);
    await Promise.all(
      stores.flatMap((store, own) =>
        Array.from({ length: 10 }, async (_, n) => {
          const id = 2 + n * stores.length + own;
          await put(store, id, "t", 1);
          await store.putWrites(at("t", idOf(1)), [["out", id]], `task ${id}`);
        }),
      ),
    );
    const expected = Array.from({ length: 31 }, (_, n) => idOf(31 - n));
    for (const store of stores) {
      expect(await ids(store)).toEqual(expected);
      expect((await store.get(at("t", idOf(1))))?.pendingWrites?.length).toBe(30);
    }
    for (const store of stores) store.close();
  });

  test(`what one saver deletes or prunes is so for the others, and they can go on (${how})`, async () => {
    const [one, two] = make(2).map((storage) => storeOn(storage)) as [CheckpointStore, CheckpointStore];
    for (let n = 1; n <= 4; n++) await put(n % 2 === 0 ? one : two, n, "t", n - 1 || undefined);
    expect(await one.prune({ keepLast: 2 })).toEqual({ removed: 2, kept: 2 });
    expect(await ids(two)).toEqual([idOf(4), idOf(3)]);
    await put(two, 5, "t", 4);
    expect(await ids(one)).toEqual([idOf(5), idOf(4), idOf(3)]);
    await two.deleteThread("t");
    expect(await ids(one)).toEqual([]);
    // As many records as before, so that only the journal's own mark tells it from the old one.
    for (let n = 11; n <= 15; n++) await put(one, n);
    expect(await ids(two)).toEqual([15, 14, 13, 12, 11].map(idOf));
    expect(two.threads()).toEqual(["t"]);
    for (const store of [one, two]) store.close();
  });
}

test("a thread whose journal was made and not begun is begun by the next saver", async () => {
  const { journals, storage } = memoryWorld();
  const store = storeOn(storage);
  await put(store, 1);
  const [name] = journals.list();
  await store.deleteThread("t");
  const made = journals.create(name!);
  if (made.ok) made.value.close();
  expect(await ids(store)).toEqual([]);
  await put(store, 2);
  expect(await ids(store)).toEqual([idOf(2)]);
});

// Goal: a thread is there at every moment while it is written anew. Method: refuse each of the appends in turn, and
// begin again with what is left, as another process would.
test("pruning that dies at any append leaves the thread whole", async () => {
  for (let refused = 1; refused <= 3; refused++) {
    let left = Number.POSITIVE_INFINITY;
    const faults = (): Problem<"journal-io"> | undefined =>
      --left === 0 ? problem("journal-io", "refused") : undefined;
    const journals = memoryJournalStore({ faults });
    const store = storeOn(memoryWorld({ journals }).storage);
    // More records than are copied at once.
    for (let n = 1; n <= 1500; n++) await put(store, n);
    left = refused;
    const outcome = await store.prune({ keepLast: 1400 }).then(
      () => "pruned",
      () => "refused",
    );
    left = Number.POSITIVE_INFINITY;
    expect(outcome).toBe(refused <= 2 ? "refused" : "pruned");
    const after = storeOn(memoryWorld({ journals: journals.killProcess() }).storage);
    expect((await ids(after)).length).toBe(outcome === "pruned" ? 1400 : 1500);
    expect(await after.prune({ keepLast: 10 })).toMatchObject({ kept: 10 });
    expect((await ids(after)).length).toBe(10);
  }
});

// Goal: the same for a death between two steps that touch files. Method: cut the power after any number of operations.
test("pruning survives the loss of power at any moment: all checkpoints, or those that were to stay", async () => {
  const random = seededRandom(11);
  const seen = new Set<number>();
  for (let round = 0; round < 40 * SCALE; round++) {
    const clock = virtualClock();
    const fs = memoryFileSystem({ clock });
    const world = (on: typeof fs) => {
      const journals: JournalStore = fileJournalStore({ fs: on, directory: "/threads" });
      return saverStorage({ ...memoryWorld({ fs: on, clock }).storage, journals });
    };
    const store = storeOn(world(fs), { durability: "disk" });
    for (let n = 1; n <= 6; n++) await put(store, n, "t", n - 1 || undefined);
    const pruning = store.prune({ keepLast: 2 });
    for (let step = 0; step < round % 20; step++) await Promise.resolve();
    const crashed = fs.crash(random);
    await pruning;
    const left = await ids(storeOn(world(crashed)));
    expect([2, 6]).toContain(left.length);
    seen.add(left.length);
  }
  expect([...seen].sort()).toEqual([2, 6]);
});

test("threads beyond those that are kept open are opened again when they are used", async () => {
  const { journals, storage } = memoryWorld();
  const store = storeOn(storage);
  for (let round = 1; round <= 2; round++) {
    for (let thread = 0; thread < 100; thread++) await put(store, round, `thread ${thread}`);
  }
  expect(threadIds(journals).length).toBe(100);
  for (let thread = 0; thread < 100; thread += 33)
    expect(await ids(store, `thread ${thread}`)).toEqual([idOf(2), idOf(1)]);
});

interface Step {
  readonly parent: number;
  readonly ns: boolean;
  /** Channels with a value, and channels that only count their writes. */
  readonly values: readonly string[];
  readonly deltas: readonly string[];
  /** Whether a channel is written that never has a value, as those that start a node. */
  readonly passing: boolean;
  readonly old: boolean;
}

const step = fc.record<Step>({
  parent: fc.nat(30),
  ns: fc.boolean(),
  values: fc.subarray(["a", "b", "log"]),
  passing: fc.boolean(),
  deltas: fc.subarray(["log"]),
  old: fc.boolean(),
});

const COUNTERS = { counters_since_delta_snapshot: { log: [1, 1] as [number, number] } };

async function build(store: CheckpointStore, steps: readonly Step[]): Promise<void> {
  const versions = new Map<string, Record<string, number>>();
  for (const [n, { parent, ns, values, deltas, passing, old }] of steps.entries()) {
    const name = ns ? "sub" : "";
    const from = n === 0 ? undefined : parent % n;
    const key = from !== undefined && versions.has(`${name} ${from}`) ? from : undefined;
    const before = key === undefined ? {} : versions.get(`${name} ${key}`)!;
    const bumped = [...new Set([...values, ...deltas, ...(passing ? ["start"] : [])])];
    const newVersions = Object.fromEntries(bumped.map((channel) => [channel, (before[channel] ?? 0) + 1]));
    const own = { ...before, ...newVersions };
    versions.set(`${name} ${n}`, own);
    const saved = checkpoint(n, Object.fromEntries(values.map((channel) => [channel, `${channel} at ${n}`])), own);
    await store.put(at("t", key === undefined ? undefined : idOf(key), name), {
      checkpoint: old ? { ...saved, v: 3 } : saved,
      metadata: { ...metadata(n), ...(own.log === undefined || values.includes("log") ? {} : COUNTERS) },
      newVersions,
    });
    await store.putWrites(
      at("t", idOf(n), name),
      [
        ["log", `write ${n}`],
        ["__pregel_tasks", n],
      ],
      `task ${n % 3}`,
    );
  }
}

// Goal: nobody can tell from what stays that something went. Method: random threads with forks, subgraphs, channels
// that are made up from their writes, and checkpoints of the old form; everything read before and after.
test("after pruning the newest checkpoints read exactly as before, with the history of their channels", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: 1, max: 6 }),
      async (steps, keepLast) => {
        const store = storeOn(memoryWorld().storage);
        await build(store, steps);
        const read = async (ns: string) => {
          const newest = await all(store.list(at("t", undefined, ns), { limit: keepLast }));
          // What LangGraph asks for: channels that a checkpoint has, and has no value of.
          const histories = newest.map(
            ({ config, checkpoint: { channel_versions: versions, channel_values: values } }) =>
              store.deltaHistory(
                config,
                Object.keys(versions).filter((channel) => channel === "log" && !(channel in values)),
              ),
          );
          return [newest, await Promise.all(histories)];
        };
        const before = [await read(""), await read("sub")];
        await store.prune({ keepLast });
        expect([await read(""), await read("sub")]).toEqual(before);
      },
    ),
    { numRuns: 60 * SCALE },
  );
});

test("a saver that keeps the last few checkpoints prunes by itself, and frees the values that went", async () => {
  const { clock, fs, storage } = memoryWorld();
  const store = storeOn(storage, { keepLast: 3 });
  for (let n = 1; n <= 50; n++) {
    const saved = {
      checkpoint: checkpoint(n, { big: `${n}`.repeat(5000) }),
      metadata: metadata(n),
      newVersions: { big: n },
    };
    await store.put(at("t", n === 1 ? undefined : idOf(n - 1)), saved);
    expect((await ids(store)).length).toBeLessThan(6);
  }
  await clock.advance(2 * 60 * 60 * 1000);
  const freed = await store.freeValues();
  expect(freed.kept).toBe((await ids(store)).length);
  expect(freed.removed + freed.kept).toBe(50);
  expect((await store.get(at("t")))?.checkpoint.channel_values).toEqual({ big: "50".repeat(5000) });
  expect(fs.readDirectory("/values")?.length).toBeGreaterThan(0);
});

test("a channel that only starts nodes and never has a value keeps no old checkpoint", async () => {
  const store = storeOn(memoryWorld().storage);
  for (let n = 1; n <= 10; n++) {
    const saved = checkpoint(n, { n }, { n, "branch:to:step": n });
    const newVersions = { n, "branch:to:step": n };
    await store.put(at("t", n === 1 ? undefined : idOf(n - 1)), {
      checkpoint: saved,
      metadata: metadata(n),
      newVersions,
    });
  }
  expect(await store.prune({ keepLast: 1 })).toEqual({ removed: 9, kept: 1 });
});
