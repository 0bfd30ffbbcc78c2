import type { Digest } from "@kahn/core";
import { digestOf } from "@kahn/core";
import type { MemoryFileSystem } from "@kahn/testing";
import { countingFileSystem, interceptFileSystem, memoryFileSystem, seededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import type { ServerStore } from "./server-store.ts";
import { codeOf, isBlob, memoryOptions, memoryStore, noise, turningClock, value } from "./store.fixture.ts";

const KIB = 1024;
const FACTS = { tag: "t" };

const name = (index: number) => `name ${index}`;
const put = (store: ServerStore, index: number, sizeBytes = 300) =>
  store.entries.putBytes("n", name(index), { bytes: noise(sizeBytes, index), facts: FACTS });

/** What stands under a name: nothing, or an entry whose blob is what was put. */
async function found(store: ServerStore, index: number, sizeBytes = 300): Promise<Digest | undefined> {
  const entry = value(await store.entries.get("n", name(index)));
  if (entry === undefined) return undefined;
  expect(entry).toStrictEqual({ digest: digestOf(noise(sizeBytes, index)), facts: FACTS });
  expect(isBlob(value(await store.blobs.read(entry.digest)), entry.digest)).toBe(true);
  return entry.digest;
}

test("values that come during one flush share the next: one write and one flush of each of two packs", async () => {
  const clock = turningClock();
  const fs = countingFileSystem(memoryFileSystem({ clock }));
  const store = await memoryStore({ clock, fs });
  value(await put(store, 0));
  fs.reset();
  const appends = () => fs.pathsOf("append").filter((path) => path.endsWith(".pack")).length;
  value(await put(store, 1));
  expect([appends(), fs.count("sync")]).toStrictEqual([2, 2]);
  fs.reset();
  for (const stored of await Promise.all(Array.from({ length: 50 }, (_, index) => put(store, 2 + index))))
    value(stored);
  expect(appends()).toBeLessThan(10);
  expect(fs.count("sync")).toBeLessThan(10);
  for (let index = 0; index < 52; index++) expect(await found(store, index)).toBeDefined();
});

// Goal: whenever the power goes, a name is nothing or whole, and whole once it was acknowledged. Method: lose power before
// each call to the file system while values of sizes around the limit of packs are put, and look at what is left.
test.each([["strict", 40 * KIB] as const, ["batched", 300] as const, ["batched", 70 * KIB] as const])(
  "%s: at any moment of a power loss a named value of %i bytes is missing or whole, and whole once acknowledged",
  async (durability, sizeBytes) => {
    let isOver = false;
    let whole = 0;
    for (let at = 0; !isOver; at++) {
      const clock = turningClock();
      const memory = memoryFileSystem({ clock });
      let crashed: MemoryFileSystem | undefined;
      let calls = 0;
      const acknowledged: number[] = [];
      let kept: readonly number[] = [];
      const fs = interceptFileSystem(memory, (call, perform) => {
        if (call.mutates && calls++ === at) {
          crashed = memory.crash(seededRandom(at));
          kept = [...acknowledged];
        }
        return perform();
      });
      const options = memoryOptions({ clock, fs, durability });
      const store = await memoryStore(options);
      const one = async (index: number) => {
        value(await put(store, index, sizeBytes));
        acknowledged.push(index);
      };
      await one(1);
      await Promise.all([one(2), one(3)]);
      isOver = crashed === undefined;
      if (crashed === undefined) break;
      const owner = { ...options.owner, bootId: "boot-2/ns" };
      const after = await memoryStore({ ...options, fs: crashed, owner, livenessOf: () => "dead" });
      for (const index of [1, 2, 3]) {
        const digest = await found(after, index, sizeBytes);
        if (kept.includes(index)) expect(digest).toBeDefined();
        if (digest !== undefined) whole++;
      }
    }
    expect(whole).toBeGreaterThan(0);
  },
);

test("a value for which the disk has no room leaves no name, and space heals it", async () => {
  const clock = turningClock();
  const fs = memoryFileSystem({ clock, capacityBytes: 200 * KIB });
  const store = await memoryStore({ clock, fs });
  let index = 1;
  for (; ; index++) {
    const stored = await put(store, index, 50 * KIB);
    if (stored.ok) continue;
    expect(codeOf(stored)).toBe("store-full");
    break;
  }
  expect(index).toBeGreaterThan(2);
  expect(await found(store, index, 50 * KIB)).toBeUndefined();
  fs.setCapacity(1 << 20);
  value(await put(store, index, 50 * KIB));
  for (let each = 1; each <= index; each++) expect(await found(store, each, 50 * KIB)).toBeDefined();
});

test("of two values for a name that must be new the first is stored; the same bytes under two names are one blob", async () => {
  const store = await memoryStore();
  const bytes = noise(500, 1);
  const outcomes = await Promise.all(
    ["a", "b"].map((tag) => store.entries.putBytes("n", "x", { bytes, facts: { tag }, exclusive: true })),
  );
  expect(outcomes.map(value)).toStrictEqual(["stored", "exists"]);
  expect(value(await store.entries.get("n", "x"))?.facts).toStrictEqual({ tag: "a" });
  value(await store.entries.putBytes("n", "y", { bytes, facts: {} }));
  expect(store.status().blobs).toBe(1);
});

// Goal: memory spares the disk and promises nothing that the disk does not. Method: count reads; take blobs away.
test.each([300, 200 * KIB])(
  "a blob of %i bytes that is asked for again is read no more, until it is gone",
  async (size) => {
    const clock = turningClock();
    const fs = countingFileSystem(memoryFileSystem({ clock }));
    const store = await memoryStore({ clock, fs });
    value(await put(store, 1, size));
    const read = async () => {
      const reader = value(await store.blobs.open(digestOf(noise(size, 1))));
      const bytes = reader && Buffer.from(value(await reader.read(0, size)));
      reader?.close();
      return bytes;
    };
    for (let time = 0; time < 3; time++) expect(isBlob(await read(), digestOf(noise(size, 1)))).toBe(true);
    fs.reset();
    expect(isBlob(await read(), digestOf(noise(size, 1)))).toBe(true);
    expect([...fs.pathsOf("readRange"), ...fs.pathsOf("openRead")]).toStrictEqual([]);
    await clock.advance(5000);
    fs.removeTree("/store/cas/sha256");
    expect(await read()).toBeUndefined();
    expect(value(await store.entries.get("n", name(1)))).toBeUndefined();
  },
);
