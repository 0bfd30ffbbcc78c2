import { ProblemError, problem } from "@kahn/core";
import { memoryJournalStore } from "@kahn/testing";
import { expect, test } from "vitest";
import { all, at, checkpoint, idOf, memoryWorld, metadata, storeOn, TASKS } from "./checkpoint-store.fixture.ts";
import type { CheckpointStore } from "./checkpoint-store.ts";
import { openKahnSaver } from "./saver.ts";

/** Saves n checkpoints on top of each other, of which each changes `count` and none but the first `big`. */
async function chain(store: CheckpointStore, n: number, big: unknown = "big"): Promise<void> {
  for (let step = 1; step <= n; step++) {
    const versions = { big: 1, count: step };
    await store.put(at("t", step === 1 ? undefined : idOf(step - 1)), {
      checkpoint: checkpoint(step, { big, count: step }, versions),
      metadata: metadata(step),
      newVersions: step === 1 ? versions : { count: step },
    });
  }
}

function problemOf(error: unknown): string | undefined {
  return error instanceof ProblemError ? error.problems[0]?.code : undefined;
}

async function refusal(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => "nothing was refused",
    (error) => problemOf(error),
  );
}

test("without LangGraph's package a saver is a coded problem that says what to install", async () => {
  const opened = await openKahnSaver({ storage: memoryWorld().storage });
  expect(opened).toMatchObject({ ok: false, problem: { code: "langgraph-absent" } });
  expect(!opened.ok && opened.problem.next).toContain("npm install @langchain/langgraph-checkpoint");
});

// Goal: the state's size must not be paid for at each step. Method: a state of 1 MB of which steps change a number.
test("a step costs what it changed: below 500 bytes with a state of a megabyte that stays as it is", async () => {
  const { journals, fs, storage } = memoryWorld();
  const store = storeOn(storage);
  await chain(store, 100, "x".repeat(1_000_000));
  const [journal] = journals.list();
  const peeked = journals.peek(journal!);
  const sizeBytes = peeked.ok ? JSON.stringify([...peeked.value]).length : 0;
  expect(sizeBytes / 100).toBeLessThan(500);
  expect(fs.readDirectory("/values")?.filter(({ name }) => name !== "tmp").length).toBe(1);
  expect((await store.get(at("t", idOf(77))))?.checkpoint.channel_values).toEqual({
    big: "x".repeat(1_000_000),
    count: 77,
  });
});

test("after a fork each branch has its own values, although both count the same versions", async () => {
  const store = storeOn(memoryWorld().storage);
  const put = (
    n: number,
    parent: number | undefined,
    values: Record<string, unknown>,
    versions: Record<string, number>,
  ) =>
    store.put(at("t", parent === undefined ? undefined : idOf(parent)), {
      checkpoint: checkpoint(n, values, versions),
      metadata: metadata(n),
      newVersions: Object.fromEntries(Object.entries(versions).filter(([name]) => name in values)),
    });
  await put(1, undefined, { topic: "root" }, { topic: 1 });
  await put(2, 1, { topic: "left" }, { topic: 2 });
  await put(3, 1, { topic: "right" }, { topic: 2 });
  await put(4, 2, { other: "l" }, { topic: 2, other: 1 });
  await put(5, 3, { other: "r" }, { topic: 2, other: 1 });
  const values = async (n: number) => (await store.get(at("t", idOf(n))))?.checkpoint.channel_values;
  expect(await values(4)).toEqual({ topic: "left", other: "l" });
  expect(await values(5)).toEqual({ topic: "right", other: "r" });
});

test("ordinary writes are kept as they were first made, those of errors and interrupts are replaced", async () => {
  const store = storeOn(memoryWorld().storage);
  await chain(store, 1);
  await store.putWrites(
    at("t", idOf(1)),
    [
      ["a", 1],
      ["__interrupt__", "first"],
    ],
    "task",
  );
  await store.putWrites(
    at("t", idOf(1)),
    [
      ["a", 2],
      ["__interrupt__", "second"],
      ["b", 3],
    ],
    "task",
  );
  expect((await store.get(at("t")))?.pendingWrites).toEqual([
    ["task", "a", 1],
    ["task", "__interrupt__", "second"],
    ["task", "b", 3],
  ]);
});

test("a filter compares metadata by value, also lists and objects", async () => {
  const store = storeOn(memoryWorld().storage);
  await chain(store, 3);
  const found = async (filter: Record<string, unknown>) =>
    (await all(store.list(at("t"), { filter }))).map((tuple) => tuple.checkpoint.id);
  expect(await found({ parents: {}, step: 2 })).toEqual([idOf(2)]);
  expect(await found({ parents: { a: "b" } })).toEqual([]);
});

test("what is listed across threads is in the order of time, and a limit counts what passed the filter", async () => {
  const store = storeOn(memoryWorld().storage);
  for (let n = 1; n <= 6; n++) {
    const newVersions = {};
    await store.put(at(`thread ${n % 2}`), { checkpoint: checkpoint(n, {}), metadata: metadata(n % 3), newVersions });
  }
  const listed = await all(store.list({}, { limit: 2, filter: { step: 1 }, before: at("", idOf(6)) }));
  expect(listed.map(({ checkpoint: { id } }) => id)).toEqual([idOf(4), idOf(1)]);
  expect(store.threads()).toEqual(["thread 0", "thread 1"]);
});

test("threads may have any name", async () => {
  const store = storeOn(memoryWorld().storage);
  const names = ["", "../x", "__proto__", "a".repeat(1000), "ü\n", "A", "a"];
  for (const name of names) {
    await store.put(at(name), { checkpoint: checkpoint(1, { name }), metadata: metadata(1), newVersions: { name: 1 } });
  }
  for (const name of names) expect((await store.get(at(name)))?.checkpoint.channel_values).toEqual({ name });
  expect(store.threads()).toEqual([...names].sort());
});

test("a configuration that does not say where to write is a coded problem", async () => {
  const store = storeOn(memoryWorld().storage);
  const saved = { checkpoint: checkpoint(1, {}), metadata: metadata(1), newVersions: {} };
  expect(await refusal(store.put({}, saved))).toBe("langgraph-config-invalid");
  expect(await refusal(store.put({ configurable: { thread_id: 7 } }, saved))).toBe("langgraph-config-invalid");
  expect(await refusal(store.putWrites(at("t"), [["a", 1]], "task"))).toBe("langgraph-config-invalid");
  expect(await store.get({})).toBeUndefined();
});

test("a checkpoint of the old form is given the sends of its parent as a channel", async () => {
  const store = storeOn(memoryWorld().storage);
  await chain(store, 1);
  await store.putWrites(
    at("t", idOf(1)),
    [
      [TASKS, "send 1"],
      ["big", "other"],
      [TASKS, "send 2"],
    ],
    "task",
  );
  const old = { ...checkpoint(2, {}, { big: 1, count: 3 }), v: 1 };
  await store.put(at("t", idOf(1)), { checkpoint: old, metadata: metadata(2), newVersions: {} });
  const tuple = await store.get(at("t"));
  expect(tuple?.checkpoint.channel_values).toEqual({ big: "big", [TASKS]: ["send 1", "send 2"] });
  expect(tuple?.checkpoint.channel_versions[TASKS]).toBe(3);
});

test("values of bytes come back as bytes, whatever they are", async () => {
  const store = storeOn(memoryWorld().storage);
  const values = {
    text: new TextEncoder().encode("ü"),
    raw: new Uint8Array([0xff, 0, 0x80]),
    long: new Uint8Array(10_000).fill(0xfe),
  };
  await store.put(at("t"), {
    checkpoint: checkpoint(1, values),
    metadata: metadata(1),
    newVersions: { text: 1, raw: 1, long: 1 },
  });
  // Not buffers, which compare and print otherwise.
  expect((await store.get(at("t")))?.checkpoint.channel_values).toStrictEqual(values);
});

test("a value that is gone is named, and the other checkpoints can be read", async () => {
  const { fs, storage } = memoryWorld();
  const store = storeOn(storage);
  await chain(store, 2, "x".repeat(5000));
  await store.put(at("t", idOf(2)), {
    checkpoint: checkpoint(3, { big: "small" }),
    metadata: metadata(3),
    newVersions: { big: 3 },
  });
  fs.removeTree("/values");
  expect(await refusal(store.get(at("t", idOf(2))))).toBe("langgraph-value-missing");
  expect((await store.get(at("t")))?.checkpoint.channel_values).toEqual({ big: "small" });
});

test("a journal of a newer format is refused, not guessed at", async () => {
  const { journals, storage } = memoryWorld();
  const store = storeOn(storage);
  await chain(store, 1);
  const journal = journals.open(journals.list()[0]!);
  if (journal.ok) await journal.value.append([{ kind: "poem", lines: [] }], { durability: "process" });
  expect(await refusal(store.get(at("t")))).toBe("langgraph-record-unknown");
});

test("what was acknowledged survives our death, and in the class `disk` the loss of power", async () => {
  const killed = memoryWorld();
  await chain(storeOn(killed.storage), 5, "x".repeat(5000));
  const after = storeOn(memoryWorld({ ...killed, journals: killed.journals.killProcess() }).storage);
  expect((await all(after.list(at("t"), {}))).length).toBe(5);

  const world = memoryWorld();
  await chain(storeOn(world.storage, { durability: "disk" }), 5, "x".repeat(5000));
  const { seededRandom } = await import("@kahn/testing");
  const left = { clock: world.clock, fs: world.fs.crash(seededRandom(3)), journals: world.journals.crash() };
  const tuples = await all(storeOn(memoryWorld(left).storage).list(at("t"), {}));
  expect(tuples.map(({ checkpoint: { channel_values } }) => channel_values)).toEqual(
    [5, 4, 3, 2, 1].map((count) => ({ big: "x".repeat(5000), count })),
  );
});

// Goal: parallel tasks must not wait for one flush each. Method: count the appends that the journal sees.
test("writes that come together are written together", async () => {
  let appends = 0;
  const journals = memoryJournalStore({
    faults: () => {
      appends++;
      return undefined;
    },
  });
  const store = storeOn(memoryWorld({ journals }).storage, { durability: "disk" });
  await chain(store, 1);
  const before = appends;
  await Promise.all(
    Array.from({ length: 200 }, (_, n) => store.putWrites(at("t", idOf(1)), [["out", n]], `task ${n}`)),
  );
  expect(appends - before).toBeLessThan(5);
  expect((await store.get(at("t")))?.pendingWrites?.length).toBe(200);
});

test("a journal that refuses makes the call fail, and what was there before stays", async () => {
  let isFull = false;
  const journals = memoryJournalStore({ faults: () => (isFull ? problem("journal-full", "full") : undefined) });
  const store = storeOn(memoryWorld({ journals }).storage);
  await chain(store, 2);
  isFull = true;
  expect(await refusal(chain(store, 1))).toBe("journal-full");
  expect(await refusal(store.putWrites(at("t", idOf(2)), [["a", 1]], "task"))).toBe("journal-full");
  isFull = false;
  expect((await store.get(at("t")))?.checkpoint.id).toBe(idOf(2));
  await store.putWrites(at("t", idOf(2)), [["a", 2]], "task");
  expect((await store.get(at("t")))?.pendingWrites).toEqual([["task", "a", 2]]);
});
