import type { Digest } from "@kahn/core";
import { digestOf, encodeActionResult } from "@kahn/core";
import { countingFileSystem, memoryFileSystem, seededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import type { ServerStoreOptions } from "./open-server-store.ts";
import type { ServerStore } from "./server-store.ts";
import { codeOf, isBlob, memoryOptions, memoryStore, noise, turningClock, value } from "./store.fixture.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SCOPE = { instance: "main" };

function limited(options: Partial<ServerStoreOptions> = {}) {
  const clock = turningClock();
  return { clock, options: memoryOptions({ clock, maxSizeBytes: MIB, ...options }) };
}

/** One result of two blobs, a small and a large one. */
async function storeResult(store: ServerStore, number: number): Promise<{ action: Digest; blobs: Digest[] }> {
  const action = digestOf(`action ${number}`);
  const blobs: Digest[] = [];
  for (const [index, sizeBytes] of [3000 + number, 70 * KIB + number].entries()) {
    const bytes = noise(sizeBytes, 2 * number + index + 1);
    value(await store.blobs.write(digestOf(bytes), bytes));
    blobs.push(digestOf(bytes));
  }
  const outputFiles = blobs.map((digest, index) => ({ path: `${index}`, digest, executable: false }));
  const result = { outputFiles, outputDirectories: [], outputSymlinks: [], exitCode: 0, metadata: { worker: "w" } };
  value(await store.actions.put(SCOPE, action, encodeActionResult(result)));
  return { action, blobs };
}

// Goal: the limit holds at every moment, what is used stays, what is pinned stays, and no result is left without its
// blobs. Method: write four times the limit, using one old result again and again, with a restart in between.
test("a store that is filled far beyond its limit drops what was not used for longest, results before blobs", async () => {
  const { clock, options } = limited();
  let store = await memoryStore(options);
  const first = await storeResult(store, 0);
  const pinned = await storeResult(store, 1);
  let pin = store.pin(pinned.blobs);
  const all = [first, pinned];
  for (let number = 2; number < 60; number++) {
    await clock.advance(5000);
    all.push(await storeResult(store, number));
    expect(value(await store.actions.get(SCOPE, first.action))).toBeDefined();
    expect(store.status().usedBytes).toBeLessThanOrEqual(MIB);
    if (number === 30) {
      pin.release();
      value(await store.close());
      store = await memoryStore(options);
      pin = store.pin(pinned.blobs);
    }
  }
  expect(value(await store.blobs.findMissing(pinned.blobs))).toStrictEqual([]);
  expect(value(await store.actions.get(SCOPE, all.at(-1)!.action))).toBeDefined();
  expect(value(await store.actions.get(SCOPE, all[5]!.action))).toBe(undefined);
  expect(value(await store.blobs.findMissing(all[5]!.blobs))).toStrictEqual(all[5]!.blobs);
  // What is left is as it was.
  for (const { blobs } of all) {
    for (const blob of blobs) {
      const bytes = value(await store.blobs.read(blob));
      if (bytes !== undefined) expect(digestOf(bytes)).toBe(blob);
    }
  }
  pin.release();
});

test("when everything is pinned a write is refused with store-limit, reads go on, and later writes are well", async () => {
  const { clock, options } = limited();
  const store = await memoryStore(options);
  const kept: Digest[] = [];
  for (let number = 0; number < 9; number++) {
    const bytes = noise(100 * KIB, number + 1);
    value(await store.blobs.write(digestOf(bytes), bytes));
    kept.push(digestOf(bytes));
  }
  const pin = store.pin(kept);
  await clock.advance(5000);
  const more = noise(200 * KIB, 99);
  expect(codeOf(await store.blobs.write(digestOf(more), more))).toBe("store-limit");
  expect(store.status().trouble?.code).toBe("store-limit");
  expect(value(await store.blobs.findMissing(kept))).toStrictEqual([]);
  const { usedBytes } = store.status();
  expect(usedBytes).toBeLessThanOrEqual(MIB);
  pin.release();
  // What has been asked for in this very moment would stay.
  await clock.advance(1);
  value(await store.blobs.write(digestOf(more), more));
  expect(store.status().trouble).toBe(undefined);
  expect(Buffer.compare(value(await store.blobs.read(digestOf(more)))!, more)).toBe(0);
});

test("a blob above the limit for one is refused before a byte of it is taken", async () => {
  const { options } = limited({ maxBlobBytes: 100 * KIB });
  const store = await memoryStore(options);
  const bytes = noise(101 * KIB, 1);
  expect(codeOf(await store.blobs.create(digestOf(bytes)))).toBe("blob-too-large");
  expect(codeOf(await store.blobs.write(digestOf(bytes), bytes))).toBe("blob-too-large");
  const receiver = value(await store.blobs.receive("sha256"));
  expect(codeOf(await receiver.write(bytes))).toBe("blob-too-large");
  expect(store.status().usedBytes).toBe(0);
});

test("a full disk is store-full, not a blob that is missing; what is there can be read, and space heals it", async () => {
  const clock = turningClock();
  const fs = memoryFileSystem({ clock, capacityBytes: 500 * KIB });
  const store = await memoryStore({ clock, fs });
  const [small, large] = [noise(1000, 1), noise(300 * KIB, 2)];
  for (const bytes of [small, large]) value(await store.blobs.write(digestOf(bytes), bytes));
  const more = noise(301 * KIB, 3);
  expect(codeOf(await store.blobs.write(digestOf(more), more))).toBe("store-full");
  for (const bytes of [small, large])
    expect(isBlob(value(await store.blobs.read(digestOf(bytes))), digestOf(bytes))).toBe(true);
  expect(value(await store.blobs.findMissing([digestOf(more)]))).toHaveLength(1);
  fs.setCapacity(5 * MIB);
  value(await store.blobs.write(digestOf(more), more));
});

// D25. Method: lose power at random moments after writes were acknowledged, with random fates of what nobody flushed.
test.each(["strict", "batched"] as const)(
  "D25: %s: what was acknowledged survives a power loss",
  async (durability) => {
    for (let seed = 1; seed <= 5 * Number(process.env.KAHN_TEST_SCALE ?? 1); seed++) {
      const clock = turningClock();
      const fs = memoryFileSystem({ clock });
      const options = memoryOptions({ clock, fs, durability });
      const store = await memoryStore(options);
      const sizes = [100, 64 * KIB, 65 * KIB, 600 * KIB];
      const blobs = sizes.map((sizeBytes, index) => noise(sizeBytes, seed * 10 + index));
      await Promise.all(blobs.map(async (bytes) => value(await store.blobs.write(digestOf(bytes), bytes))));
      const results = await storeResult(store, seed);
      // Begun, and not acknowledged.
      const open = value(await store.blobs.create(digestOf(noise(900 * KIB, 7))));
      if (open !== "present") await open.write(noise(700 * KIB, 7));
      const after = await memoryStore({
        ...options,
        fs: fs.crash(seededRandom(seed)),
        owner: { ...options.owner, bootId: "boot-2/ns" },
        livenessOf: () => "dead",
      });
      for (const bytes of blobs) {
        expect(isBlob(value(await after.blobs.read(digestOf(bytes))), digestOf(bytes))).toBe(true);
      }
      expect(value(await after.actions.get(SCOPE, results.action))).toBeDefined();
      expect(after.status().usedBytes).toBeLessThan(2 * MIB);
    }
  },
);

test("D25: none: after a power loss nothing is served that is not whole, and what is damaged is missing", async () => {
  let lost = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const clock = turningClock();
    const fs = memoryFileSystem({ clock });
    const options = memoryOptions({ clock, fs, durability: "none" });
    const store = await memoryStore(options);
    const blobs = [100, 65 * KIB, 600 * KIB].map((sizeBytes, index) => noise(sizeBytes, seed * 10 + index));
    for (const bytes of blobs) value(await store.blobs.write(digestOf(bytes), bytes));
    const { action } = await storeResult(store, seed);
    const crashed = { fs: fs.crash(seededRandom(seed)), owner: { ...options.owner, bootId: "boot-2/ns" } };
    const after = await memoryStore({ ...options, ...crashed });
    const missing = new Set(value(await after.blobs.findMissing(blobs.map((bytes) => digestOf(bytes)))));
    for (const bytes of blobs) {
      const read = value(await after.blobs.read(digestOf(bytes)));
      expect(read === undefined).toBe(missing.has(digestOf(bytes)));
      if (read !== undefined) expect(isBlob(read, digestOf(bytes))).toBe(true);
      else lost++;
    }
    const result = value(await after.actions.get(SCOPE, action));
    const named = result?.result.outputFiles.map(({ digest }) => digest) ?? [];
    for (const digest of named) expect(value(await after.blobs.read(digest))).toBeDefined();
  }
  expect(lost).toBeGreaterThan(0);
});

test("D26: a collection walks no tree", async () => {
  const { clock, options } = limited();
  const fs = countingFileSystem(options.fs);
  const store = await memoryStore({ ...options, fs });
  await storeResult(store, 0);
  fs.reset();
  for (let number = 1; number < 60; number++) {
    await clock.advance(5000);
    await storeResult(store, number);
  }
  expect(fs.count("remove")).toBeGreaterThan(40);
  // It lists the uses of other processes and what the dead have left, and no folder of records or of all blobs.
  const walked = fs
    .pathsOf("readDirectory")
    .filter((path) => path === "/store/cas/sha256" || (path.startsWith("/store/ac") && path !== "/store/ac/packs"));
  expect(walked).toStrictEqual([]);
});
