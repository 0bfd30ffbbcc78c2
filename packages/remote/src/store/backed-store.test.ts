/** A store with a cache behind it that lies, or says nothing. */
import assert from "node:assert/strict";
import type { ActionResult, BlobStore, Digest, Problem, Result, StoreProblem } from "@kahn/core";
import { digestList, digestOf, encodeActionResult, err, ok, problem } from "@kahn/core";
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
async function backed(
  blobs: Partial<BlobStore>,
  result?: ActionResult,
  record?: (action: Digest, result: ActionResult) => Promise<Result<void, StoreProblem>>,
) {
  const fs = memoryFileSystem();
  fs.makeDirectory("/backing");
  const clock = virtualClock();
  const store = await memoryStore({ fs });
  const told: Problem[] = [];
  const silent = () => NEVER;
  const back: BackedStore = backedStore({
    ...{ store, clock, random: seededRandom(1), write: record !== undefined, keep: true, folder: "/backing" },
    backing: {
      digestFunction: "sha256",
      blobs: { findMissing: silent, read: silent, write: silent, ingest: silent, materialize: silent, ...blobs },
      actionsOf: () => ({
        lookup: async () => (result === undefined ? await NEVER : ok({ kind: "hit", result })),
        record: record ?? silent,
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

test("of a list, what is neither here nor behind is missing", async () => {
  const [here, behind, nowhere] = ["here", "behind", "nowhere"].map((text) => digestOf(text)) as [
    Digest,
    Digest,
    Digest,
  ];
  const asked: Digest[][] = [];
  const it = await backed({
    findMissing: async (digests) => {
      asked.push([...digests]);
      return ok(digests.filter((digest) => digest !== behind));
    },
  });
  value(await it.store.blobs.write(here, Buffer.from("here")));
  const list = digestList("sha256", [nowhere, here, behind, nowhere]);
  assert.deepEqual(value(await it.back.blobs.findMissingIn(list)), [0]);
  assert.deepEqual(value(await it.back.blobs.findMissingIn(digestList("sha256", [here]))), []);
  assert.deepEqual(asked, [[nowhere, behind]]);
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

// Whoever was told that a blob is there does not send it: a new action may well have the outputs of an old one.
test("a result whose blobs are behind alone is complete here, and goes on", async () => {
  const bytes = Buffer.from("behind");
  const sent: Digest[] = [];
  const it = await backed({ findMissing: async () => ok([]), read: async () => ok(bytes) }, undefined, async (each) => {
    sent.push(each);
    return ok(undefined);
  });
  assert.deepEqual(value(await it.back.blobs.findMissing([digestOf(bytes)])), []);
  value(await it.back.actions.put(SCOPE, action, encodeActionResult(resultOf(bytes))));
  assert.ok(value(await it.store.actions.get(SCOPE, action)) !== undefined);
  await it.back.flush(1000);
  assert.deepEqual(sent, [action]);
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

/** Passes the pauses after failures, all of them. */
async function passPauses(clock: { advance(ms: number): void }): Promise<void> {
  for (const ms of [1000, 5000, 30_000, 1000, 5000, 30_000]) {
    await settled();
    clock.advance(ms);
  }
  await settled();
}

// Method: everything is stored in one moment, so that it goes in one batch; one blob is more than the cache behind takes.
test("a blob that the cache behind does not take keeps none of the others from it, and results that name it stay here", async () => {
  const [small, large] = [Buffer.from("small"), Buffer.alloc(1000, "large")];
  const sent: Digest[] = [];
  const it = await backed(
    {
      findMissing: async (digests) => ok([...digests]),
      write: async (digest, bytes) => {
        if (bytes.length > 500) return err(problem("blob-too-large", "too large", { next: "" }));
        sent.push(digest);
        return ok(undefined);
      },
    },
    undefined,
    async (which) => {
      sent.push(which);
      return ok(undefined);
    },
  );
  const second = digestOf(Buffer.from("second"));
  await Promise.all([large, small].map((bytes) => it.back.blobs.write(digestOf(bytes), bytes)));
  await it.back.actions.put(SCOPE, action, encodeActionResult(resultOf(large)));
  await it.back.actions.put(SCOPE, second, encodeActionResult(resultOf(small)));
  await it.back.flush(0);
  await settled();
  assert.deepEqual(sent, [digestOf(small), second]);
  assert.deepEqual(it.back.waiting(), { blobs: 0, results: 0, dropped: 2, keeping: 0 });
  assert.deepEqual(
    it.told.map(({ code }) => code),
    ["blob-too-large"],
  );
  await it.back.close();
});

// Goal: a refusal is no weather. Method: the cache behind refuses every question; calls are counted while time passes.
test("a cache behind that refuses to answer is asked once, told of once, and asked again later", async () => {
  const refused = problem("store-refused", "UNAUTHENTICATED", { next: "" });
  let asked = 0;
  let isMended = false;
  const it = await backed(
    {
      findMissing: async () => {
        asked++;
        return isMended ? ok([]) : err(refused);
      },
    },
    undefined,
    async () => ok(undefined),
  );
  const bytes = Buffer.from("here");
  await it.back.blobs.write(digestOf(bytes), bytes);
  await passPauses(it.clock);
  assert.equal(asked, 1);
  assert.deepEqual(it.back.waiting(), { blobs: 0, results: 0, dropped: 1, keeping: 0 });
  // Whoever asks for what is not here asks behind, once a minute.
  for (let each = 0; each < 5; each++) assert.deepEqual(value(await it.back.blobs.findMissing([action])), [action]);
  assert.equal(asked, 2);
  it.clock.advance(60_000);
  assert.deepEqual(value(await it.back.blobs.findMissing([action])), [action]);
  assert.deepEqual([asked, it.told.map(({ code }) => code)], [3, ["store-refused"]]);
  isMended = true;
  it.clock.advance(60_000);
  assert.deepEqual(value(await it.back.blobs.findMissing([action])), []);
  it.clock.advance(60 * 60_000);
  await it.back.blobs.write(digestOf(Buffer.from("more")), Buffer.from("more"));
  await settled();
  assert.deepEqual([asked, it.back.waiting().dropped], [5, 1]);
  await it.back.close();
});

test("a result that the cache behind refuses again and again is given up alone", async () => {
  const recorded: Digest[] = [];
  const refused = problem("store-remote", "FAILED_PRECONDITION", { next: "" });
  const it = await backed({}, undefined, async (which) => {
    if (which === actions[1]) return err(refused);
    recorded.push(which);
    return ok(undefined);
  });
  const bytes = Buffer.from("here");
  await it.store.blobs.write(digestOf(bytes), bytes);
  const actions = ["a", "b", "c", "d"].map((name) => digestOf(Buffer.from(name)));
  await Promise.all(actions.map((each) => it.back.actions.put(SCOPE, each, encodeActionResult(resultOf(bytes)))));
  await passPauses(it.clock);
  assert.deepEqual(recorded, [actions[0], actions[2], actions[3]]);
  assert.deepEqual(it.back.waiting(), { blobs: 0, results: 0, dropped: 1, keeping: 0 });
  await it.back.close();
});
