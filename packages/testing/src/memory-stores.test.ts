import assert from "node:assert/strict";
import { digestOf, problem } from "@kahn/core";
import { test } from "vitest";
import { memoryActionCache } from "./memory-action-cache.ts";
import { memoryBlobStore } from "./memory-blob-store.ts";
import { memoryFileSystem } from "./memory-file-system.ts";
import { memoryJournalStore } from "./memory-journal-store.ts";

test("a journal's faults refuse an append whole, and what came before stays", async () => {
  const full = problem("journal-full", "no space");
  const store = memoryJournalStore({ faults: ({ nth, id }) => (nth === 2 && id === "run" ? full : undefined) });
  const created = store.create("run");
  assert.ok(created.ok);
  const journal = created.value;
  assert.deepEqual(await journal.append([1], { durability: "process" }), { ok: true, value: 1 });
  assert.deepEqual(await journal.append([2, 3], { durability: "disk" }), { ok: false, problem: full });
  assert.equal(journal.lastSeq, 1);
  assert.deepEqual(await journal.append([2], { durability: "disk", expectedSeq: 1 }), { ok: true, value: 2 });
});

test("power loss takes the records after the last durable one, and a snapshot that is ahead of them", async () => {
  const store = memoryJournalStore();
  const created = store.create("run");
  assert.ok(created.ok);
  const journal = created.value;
  await journal.append([1, 2], { durability: "disk" });
  journal.writeSnapshot("two");
  await journal.append([3], { durability: "process" });
  const kept = store.crash().open("run");
  assert.ok(kept.ok);
  assert.deepEqual([kept.value.lastSeq, kept.value.readSnapshot()], [2, { seq: 2, state: "two" }]);
  journal.writeSnapshot("three");
  const lost = store.crash().open("run");
  assert.ok(lost.ok);
  assert.equal(lost.value.readSnapshot(), undefined);
  const killed = store.killProcess().open("run");
  assert.ok(killed.ok);
  assert.deepEqual([killed.value.lastSeq, killed.value.readSnapshot()?.state], [3, "three"]);
});

test("stores can be told to be in trouble", async () => {
  const trouble = problem("store-io", "the disk is gone");
  const blobs = memoryBlobStore(memoryFileSystem());
  const cache = memoryActionCache(blobs);
  const digest = digestOf("x");
  blobs.failWith(trouble);
  cache.failWith(trouble);
  const answers = [
    await blobs.read(digest),
    await blobs.findMissing([digest]),
    await blobs.write(digest, Buffer.from("x")),
    await blobs.ingest([]),
    await blobs.materialize([]),
    await cache.lookup(digest),
    await cache.forget(digest),
  ];
  assert.ok(answers.every((answer) => !answer.ok && answer.problem === trouble));
  blobs.failWith(undefined);
  assert.equal((await blobs.write(digest, Buffer.from("x"))).ok, true);
  assert.equal(blobs.size, 1);
});

test("a store without space or permission says which", async () => {
  const fs = memoryFileSystem({ capacityBytes: 5, files: { "/d/": "" } });
  const blobs = memoryBlobStore(fs);
  const digest = digestOf("123456");
  await blobs.write(digest, Buffer.from("123456"));
  const make = async (path: string) => {
    const made = await blobs.materialize([{ digest, path, executable: false, how: "copy" }]);
    return made.ok ? made.value : made.problem.code;
  };
  assert.equal(await make("/d/file"), "store-full");
  fs.setCapacity(100);
  fs.chmod("/d", 0o555);
  assert.equal(await make("/d/other"), "store-denied");
  assert.equal(await make("/none/file"), "store-io");
});
