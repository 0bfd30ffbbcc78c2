import { appendFileSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { collectGarbage, openDiskStore, storeStats, verifyStore } from "@kahn/cas";
import type { Digest } from "@kahn/core";
import { digestOf, encodeActionResult } from "@kahn/core";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { seededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import type { ServerStore } from "./server-store.ts";
import { noise, realPlace, value } from "./store.fixture.ts";

const SCOPE = { instance: "i" };

function resultOf(blob: Digest, stdout = ""): Uint8Array {
  return encodeActionResult({
    outputFiles: [{ path: "out", digest: blob, executable: false }],
    outputDirectories: [],
    outputSymlinks: [],
    exitCode: 0,
    metadata: { worker: "" },
    stdoutRaw: Buffer.from(stdout),
  });
}

async function blobOf(store: ServerStore, seed: number, sizeBytes = 300): Promise<Digest> {
  const bytes = noise(sizeBytes, seed);
  value(await store.blobs.write(digestOf(bytes), bytes));
  return digestOf(bytes);
}

const packsOf = (root: string) => {
  const directory = join(root, "ac/packs");
  return readdirSync(directory)
    .filter((name) => name.endsWith(".pack"))
    .map((name) => join(directory, name));
};

async function withDisk<T>(root: string, look: (disk: ReturnType<typeof opened>) => Promise<T>): Promise<T> {
  const disk = opened(root);
  const answer = await look(disk);
  await disk.close();
  return answer;
}

function opened(root: string) {
  const owner = { ...ownIdentity(), pid: process.pid };
  const disk = openDiskStore({
    fs: nodeFileSystem(),
    clock: nodeClock(),
    random: nodeRandom(),
    root,
    owner,
    livenessOf,
  });
  if (!disk.ok) throw new Error(disk.problem.message);
  return disk.value;
}

// Goal: whatever is put, replaced and forgotten, what counts is what came last, also after opening again.
// Method: random calls against a map; two servers have the store open; between calls both are closed and opened.
test("the last record counts, forgotten or not, whichever of two servers put it, also after a restart", async () => {
  const random = seededRandom(7);
  const place = realPlace();
  try {
    let stores = [await place.open(), await place.open()];
    const blob = await blobOf(stores[0]!, 1);
    const actions = Array.from({ length: 6 }, (_, number) => digestOf(`action ${number}`));
    const model = new Map<Digest, Uint8Array>();
    for (let step = 0; step < 300; step++) {
      const store = stores[random.int(0, stores.length - 1)]!;
      const action = actions[random.int(0, actions.length - 1)]!;
      const kind = random.int(0, 20);
      if (kind === 0) {
        for (const each of stores) value(await each.close());
        stores = [await place.open(), await place.open()];
      } else if (kind < 3) {
        value(await store.actions.forget(SCOPE, action));
        model.delete(action);
      } else if (kind < 12) {
        const bytes = resultOf(blob, `${step}`.repeat(10));
        value(await store.actions.put(SCOPE, action, bytes));
        model.set(action, bytes);
      }
      for (const each of stores) {
        const found = value(await each.actions.get(SCOPE, action));
        expect(found && Buffer.from(found.bytes).equals(model.get(action) ?? Buffer.alloc(0)), `${step}`).toBe(
          model.has(action) ? true : undefined,
        );
      }
    }
    for (const each of stores) value(await each.close());
  } finally {
    place.cleanup();
  }
});

test("a large record replaces a small one and a small one a large one, also after a restart", async () => {
  const place = realPlace();
  try {
    const action = digestOf("action");
    let store = await place.open();
    const blob = await blobOf(store, 1);
    for (const times of [1, 30_000, 2, 40_000, 3]) {
      const bytes = resultOf(blob, "text".repeat(times));
      value(await store.actions.put(SCOPE, action, bytes));
      expect(value(await store.actions.get(SCOPE, action))?.bytes).toStrictEqual(Buffer.from(bytes));
      value(await store.close());
      store = await place.open();
      expect(value(await store.actions.get(SCOPE, action))?.bytes).toStrictEqual(Buffer.from(bytes));
    }
    value(await store.actions.forget(SCOPE, action));
    value(await store.close());
    store = await place.open();
    expect(value(await store.actions.get(SCOPE, action))).toBeUndefined();
    value(await store.close());
  } finally {
    place.cleanup();
  }
});

test("a torn tail and a flipped byte cost the records they lie in and no other", async () => {
  for (let cut = 1; cut < 400; cut += 37) {
    const place = realPlace();
    try {
      let store = await place.open();
      const blob = await blobOf(store, 1);
      const actions = Array.from({ length: 5 }, (_, number) => digestOf(`action ${number}`));
      for (const action of actions) value(await store.actions.put(SCOPE, action, resultOf(blob)));
      // As after a death: without an index.
      const [pack = ""] = packsOf(place.root);
      truncateSync(pack, readFileSync(pack).length - cut);
      appendFileSync(pack, Buffer.alloc(cut % 3));
      const other = await place.open();
      for (const action of actions.slice(0, 3)) expect(value(await other.actions.get(SCOPE, action))).toBeDefined();
      if (cut < 100) expect(value(await other.actions.get(SCOPE, actions[4]!))).toBeUndefined();
      value(await other.actions.put(SCOPE, actions[4]!, resultOf(blob)));
      value(await other.close());
      store = await place.open();
      expect(value(await store.actions.get(SCOPE, actions[4]!))).toBeDefined();
      value(await store.close());
    } finally {
      place.cleanup();
    }
  }
});

test("a collection from the command line counts, keeps and removes records in packs with their blobs", async () => {
  const place = realPlace();
  try {
    const store = await place.open();
    for (let number = 0; number < 40; number++) {
      const blob = await blobOf(store, number, 4000);
      value(await store.actions.put(SCOPE, digestOf(`action ${number}`), resultOf(blob)));
      value(await store.actions.put(SCOPE, digestOf(`action ${number}`), resultOf(blob, "again")));
    }
    value(await store.close());
    await withDisk(place.root, async (disk) => {
      const before = await storeStats(disk);
      expect(before.ok && before.value.records).toBe(40);
      const kept = await collectGarbage(disk, {});
      expect(kept.ok && kept.value).toMatchObject({ kind: "collected", recordsKept: 40, blobsRemoved: 0 });
      const verified = await verifyStore(disk);
      expect(verified.ok && verified.value).toMatchObject({ records: 40, corrupt: [], incomplete: [] });
    });
    const later = { ...nodeClock(), nowMs: () => Date.now() + 100_000 };
    const disk = openDiskStore({
      fs: nodeFileSystem(),
      clock: later,
      random: nodeRandom(),
      root: place.root,
      owner: ownIdentity(),
      livenessOf,
    });
    if (!disk.ok) throw new Error(disk.problem.message);
    const collected = await collectGarbage(disk.value, { maxAgeMs: 1000 });
    expect(collected.ok && collected.value).toMatchObject({ kind: "collected", recordsKept: 0, recordsRemoved: 40 });
    const verified = await verifyStore(disk.value);
    expect(verified.ok && verified.value).toMatchObject({ records: 0, blobs: 0, corrupt: [], incomplete: [] });
    await disk.value.close();
    const again = await place.open();
    expect(value(await again.actions.get(SCOPE, digestOf("action 1")))).toBeUndefined();
    expect(again.status().records).toBe(0);
    value(await again.close());
  } finally {
    place.cleanup();
  }
});

test("records that are replaced again and again do not fill the store", async () => {
  const place = realPlace();
  try {
    const store = await place.open({ maxSizeBytes: 400_000 });
    const blob = await blobOf(store, 1);
    const action = digestOf("action");
    for (let number = 0; number < 200; number++) {
      value(await store.actions.put(SCOPE, action, resultOf(blob, `${number}`.padStart(10_000))));
      expect(store.status().usedBytes).toBeLessThanOrEqual(400_000);
    }
    expect(value(await store.actions.get(SCOPE, action))?.bytes).toStrictEqual(
      Buffer.from(resultOf(blob, "199".padStart(10_000))),
    );
    value(await store.close());
  } finally {
    place.cleanup();
  }
});
