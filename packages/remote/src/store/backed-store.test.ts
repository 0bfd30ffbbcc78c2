/** A store with a cache behind it that lies, or says nothing. */
import assert from "node:assert/strict";
import type { ActionResult, BlobStore, Problem } from "@kahn/core";
import { digestOf, err, ok, problem } from "@kahn/core";
import { memoryFileSystem, seededRandom, settled, virtualClock } from "@kahn/testing";
import { test } from "vitest";
import type { BackedStore } from "./backed-store.ts";
import { backedStore } from "./backed-store.ts";
import { memoryStore, noise, value } from "./store.fixture.ts";

const NEVER = new Promise<never>(() => {});
const SCOPE = { instance: "" };
const action = digestOf(Buffer.from("action"));

function resultOf(bytes: Uint8Array): ActionResult {
  const metadata = { worker: "behind" } as ActionResult["metadata"];
  const outputFiles = [{ path: "a", digest: digestOf(bytes), executable: false }];
  return { outputFiles, outputDirectories: [], outputSymlinks: [], exitCode: 0, metadata };
}

/** A store whose cache behind answers what is given; what is not is never answered. */
async function backed(blobs: Partial<BlobStore>, result?: ActionResult) {
  const fs = memoryFileSystem();
  fs.makeDirectory("/backing");
  const clock = virtualClock();
  const store = await memoryStore({ fs });
  const told: Problem[] = [];
  const silent = () => NEVER;
  const back: BackedStore = backedStore({
    ...{ store, clock, random: seededRandom(1), write: false, keep: true, folder: "/backing" },
    backing: {
      blobs: { findMissing: silent, read: silent, write: silent, ingest: silent, materialize: silent, ...blobs },
      actionsOf: () => ({
        lookup: async () => (result === undefined ? await NEVER : ok({ kind: "hit", result })),
        record: silent,
        forget: silent,
      }),
      close: () => {},
    },
    remove: (path) => void fs.remove(path),
    report: (each) => void told.push(each),
  });
  return { back, store, clock, told, fs };
}

// Goal: whoever is behind can withhold, and nothing else. Method: other bytes than those of the digest, in memory and
// through a file, behind a result that names both.
test("bytes that are not those of the digest are never given out nor kept, and a result that needs them is not kept", async () => {
  const [small, large] = [Buffer.from("right"), noise((4 << 20) + 1)];
  const wrong = Buffer.from("wrong");
  const it = await backed(
    {
      findMissing: async () => ok([]),
      read: async () => ok(wrong),
      materialize: async (requests) => {
        for (const { path } of requests) it.fs.writeFile(path, noise((4 << 20) + 1, 7));
        return ok(requests.map(() => "done" as const));
      },
    },
    resultOf(small),
  );
  for (const bytes of [small, large]) {
    assert.deepEqual(await it.back.blobs.read(digestOf(bytes)), ok(undefined));
    assert.deepEqual(await it.back.blobs.open(digestOf(bytes)), ok(undefined));
    assert.deepEqual(value(await it.store.blobs.findMissing([digestOf(bytes)])), [digestOf(bytes)]);
  }
  assert.ok(value(await it.back.actions.get(SCOPE, action)) !== undefined);
  await settled();
  assert.equal(it.back.waiting().keeping, 0);
  assert.equal(value(await it.store.actions.get(SCOPE, action)), undefined);
  assert.deepEqual(it.fs.readDirectory("/backing"), []);
  await it.back.close();
});

test("nobody waits longer than seconds for a cache behind that says nothing, and it is left alone for a while", async () => {
  const it = await backed({});
  const first = it.back.actions.get(SCOPE, action);
  const second = it.back.blobs.findMissing([action]);
  await settled();
  it.clock.advance(5000);
  assert.deepEqual([await first, value(await second)], [ok(undefined), [action]]);
  assert.deepEqual(
    it.told.map(({ code, severity }) => [code, severity]),
    [["store-remote", "warning"]],
  );
  // Without the clock: it is not asked.
  assert.deepEqual(value(await it.back.blobs.findMissing([action])), [action]);
  assert.deepEqual(await it.back.blobs.read(action), ok(undefined));
  await it.back.close();
});

test("trouble behind while a result is being kept leaves no part of it as a result", async () => {
  const bytes = Buffer.from("right");
  const away = problem("store-remote", "gone", { next: "" });
  const it = await backed({ read: async () => err(away) }, resultOf(bytes));
  assert.ok(value(await it.back.actions.get(SCOPE, action)) !== undefined);
  await settled();
  assert.equal(value(await it.store.actions.get(SCOPE, action)), undefined);
  assert.equal(it.told.length, 1);
  await it.back.close();
});
