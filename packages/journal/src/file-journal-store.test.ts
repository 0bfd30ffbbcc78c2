import type { Journal, Json } from "@kahn/core";
import { countingFileSystem, faulty, memoryFileSystem } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fileJournalStore } from "./file-journal-store.ts";
import { encodeFrame, SEGMENT_HEADER_BYTES } from "./internal/frame.ts";
import { segmentPath } from "./internal/segment.ts";

const PROCESS = { durability: "process" } as const;
const DISK = { durability: "disk" } as const;
const LOG = "/j/run/000001.log";

function storeOn(fs = memoryFileSystem(), segmentBytes?: number) {
  return fileJournalStore({ fs, directory: "/j", ...(segmentBytes === undefined ? {} : { segmentBytes }) });
}

function created(fs = memoryFileSystem(), segmentBytes?: number): Journal {
  const made = storeOn(fs, segmentBytes).create("run");
  if (!made.ok) throw new Error(made.problem.message);
  return made.value;
}

function opened(fs: ReturnType<typeof memoryFileSystem>, segmentBytes?: number): Journal {
  const found = storeOn(fs, segmentBytes).open("run");
  if (!found.ok) throw new Error(found.problem.message);
  return found.value;
}

const bodies = (journal: { read(from?: number): Iterable<{ body: Json }> }, from?: number) =>
  [...journal.read(from)].map((record) => record.body);

// Goal: whatever is appended is read back, whatever happens in between that is not a fault. Method: random appends,
// reopenings, snapshots and reads against a plain list; small segments, so that most runs rotate.
test("any sequence of appends, reopenings and snapshots reads back equal", async () => {
  const command = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("append" as const), bodies: fc.array(fc.jsonValue()) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("reopen" as const, "snapshot" as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command), fc.integer({ min: 1, max: 400 }), async (commands, segmentBytes) => {
      const fs = memoryFileSystem();
      let journal = created(fs, segmentBytes);
      const expected: Json[] = [];
      let snapshotSeq: number | undefined;
      for (const [index, command] of commands.entries()) {
        if (command.kind === "append") {
          const added = JSON.parse(JSON.stringify(command.bodies)) as Json[];
          const result = await journal.append(added, {
            durability: index % 2 === 0 ? "process" : "disk",
            expectedSeq: expected.length,
          });
          expected.push(...added);
          expect(result).toEqual({ ok: true, value: expected.length });
        } else if (command.kind === "snapshot") {
          expect(journal.writeSnapshot({ count: expected.length }).ok).toBe(true);
          snapshotSeq = expected.length;
        } else {
          journal.close();
          journal = opened(fs, segmentBytes);
          expect(journal.tornTail).toBe(undefined);
        }
        expect(journal.lastSeq).toBe(expected.length);
      }
      expect([...journal.read()]).toEqual(expected.map((body, at) => ({ seq: at + 1, body })));
      const from = Math.ceil(expected.length / 2);
      expect(bodies(journal, from)).toEqual(expected.slice(Math.max(0, from - 1)));
      const peeked = storeOn(fs).peek("run", from);
      expect(peeked.ok && [...peeked.value].map((record) => record.body)).toEqual(
        expected.slice(Math.max(0, from - 1)),
      );
      const snapshot = snapshotSeq === undefined ? undefined : { seq: snapshotSeq, state: { count: snapshotSeq } };
      expect(journal.readSnapshot()).toEqual(snapshot);
    }),
  );
});

test("a process-durable append is in the file before append returns", () => {
  const fs = memoryFileSystem();
  const journal = created(fs);
  void journal.append([{ step: 1 }], PROCESS);
  expect(Buffer.from(fs.readFile(LOG)!).toString("latin1")).toContain('{"step":1}\n');
});

// Goal: the two costs that callers count on. Method: count the calls that reach the file system.
test("a process-durable append is one write and no flush; concurrent disk-durable appends share a flush", async () => {
  const memory = memoryFileSystem();
  created(memory).close();
  const fs = countingFileSystem(memory);
  const journal = fileJournalStore({ fs, directory: "/j" }).open("run");
  if (!journal.ok) throw new Error(journal.problem.message);
  fs.reset();
  await journal.value.append([1, 2, 3], PROCESS);
  expect(fs.calls.map((call) => call.operation)).toEqual(["append"]);
  fs.reset();
  await Promise.all(Array.from({ length: 50 }, (_, index) => journal.value.append([index], DISK)));
  expect(fs.count("append")).toBe(50);
  expect(fs.count("sync")).toBe(1);
});

test("a disk-durable append that comes during a flush waits for the next one, which serves all that came", async () => {
  const memory = memoryFileSystem();
  const journal = created(memory);
  await Promise.all([
    journal.append(["first"], DISK),
    Promise.resolve().then(() => Promise.resolve().then(() => journal.append(["second"], DISK))),
  ]);
  const after = memory.crash();
  expect(bodies(opened(after))).toEqual(["first", "second"]);
});

test("a writer whose expectation is wrong is refused and leaves nothing", async () => {
  const fs = memoryFileSystem();
  const journal = created(fs);
  await journal.append(["a"], { durability: "process", expectedSeq: 0 });
  const refused = await journal.append(["b"], { durability: "process", expectedSeq: 0 });
  expect(refused).toMatchObject({ ok: false, problem: { code: "journal-conflict" } });
  expect(bodies(journal)).toEqual(["a"]);
});

test("a second writer of the same file is noticed at the next append", async () => {
  const fs = memoryFileSystem();
  const first = created(fs);
  const second = opened(fs);
  await second.append(["from the second"], PROCESS);
  expect(await first.append(["from the first"], PROCESS)).toMatchObject({
    ok: false,
    problem: { code: "journal-conflict" },
  });
  expect((await first.append(["again"], PROCESS)).ok).toBe(false);
});

// Goal: a refused append leaves the journal as it was, at each place where the device can refuse it. Method: every
// number of bytes that may land before the refusal.
test("an append that the device refuses half way is undone, and the next one succeeds", async () => {
  const frameBytes = encodeFrame(Buffer.alloc(100), ["refused"], false)!.length;
  for (let landedBytes = 0; landedBytes <= frameBytes; landedBytes++) {
    const memory = memoryFileSystem();
    created(memory).close();
    const fs = faulty(memory, [
      { at: (call) => call.operation === "append", action: { kind: "partial", landedBytes, code: "ENOSPC" } },
    ]);
    const journal = fileJournalStore({ fs, directory: "/j" }).open("run");
    if (!journal.ok) throw new Error(journal.problem.message);
    expect(await journal.value.append(["refused"], PROCESS)).toMatchObject({
      ok: false,
      problem: { code: "journal-full" },
    });
    expect(await journal.value.append(["taken"], PROCESS)).toEqual({ ok: true, value: 1 });
    expect(bodies(opened(memory))).toEqual(["taken"]);
  }
});

test("a journal that cannot undo a half written record takes no more of them, and reopening mends it", async () => {
  const memory = memoryFileSystem();
  const before = created(memory);
  await before.append(["kept"], PROCESS);
  before.close();
  const fs = faulty(memory, [
    { at: (call) => call.operation === "append", action: { kind: "partial", landedBytes: 5, code: "EIO" } },
    { at: (call) => call.operation === "truncate", action: { kind: "error", code: "EIO" } },
  ]);
  const journal = fileJournalStore({ fs, directory: "/j" }).open("run");
  if (!journal.ok) throw new Error(journal.problem.message);
  const refused = { ok: false, problem: { code: "journal-io" } };
  expect(await journal.value.append(["lost"], PROCESS)).toMatchObject(refused);
  expect(await journal.value.append(["also lost"], PROCESS)).toMatchObject(refused);
  expect(bodies(journal.value)).toEqual(["kept"]);
  const mended = opened(memory);
  expect(mended.tornTail).toEqual({ droppedBytes: 5, lastSeq: 1 });
  expect(bodies(mended)).toEqual(["kept"]);
});

test("after a failed flush nothing more is acknowledged", async () => {
  const memory = memoryFileSystem();
  created(memory).close();
  const fs = faulty(memory, [{ at: (call) => call.operation === "sync", action: { kind: "error", code: "EIO" } }]);
  const journal = fileJournalStore({ fs, directory: "/j" }).open("run");
  if (!journal.ok) throw new Error(journal.problem.message);
  const refused = { ok: false, problem: { code: "journal-io" } };
  expect(await journal.value.append(["doubtful"], DISK)).toMatchObject(refused);
  expect(await journal.value.append(["refused"], PROCESS)).toMatchObject(refused);
});

test("appends during a change of segments keep their order", async () => {
  const fs = memoryFileSystem();
  const journal = created(fs, 60);
  const results = Array.from({ length: 40 }, (_, index) =>
    journal.append([index], { durability: index % 3 === 0 ? "disk" : "process" }),
  );
  journal.close();
  expect((await Promise.all(results)).map((result) => result.ok && result.value)).toEqual(
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
  expect(fs.lstat(segmentPath("/j/run", 5))).toBeDefined();
  expect(bodies(opened(fs))).toEqual(Array.from({ length: 40 }, (_, index) => index));
});

test("a segment that cannot be begun refuses that append only", async () => {
  const memory = memoryFileSystem();
  const before = created(memory, 40);
  await before.append(["first"], PROCESS);
  before.close();
  const fs = faulty(memory, [
    { at: (call) => call.operation === "writeFile", action: { kind: "partial", landedBytes: 9, code: "ENOSPC" } },
  ]);
  const journal = fileJournalStore({ fs, directory: "/j", segmentBytes: 40 }).open("run");
  if (!journal.ok) throw new Error(journal.problem.message);
  const [refused, taken] = await Promise.all([
    journal.value.append(["refused"], PROCESS),
    journal.value.append(["taken"], PROCESS),
  ]);
  expect(refused).toMatchObject({ ok: false, problem: { code: "journal-full" } });
  expect(taken).toEqual({ ok: true, value: 2 });
  expect(bodies(opened(memory))).toEqual(["first", "taken"]);
});

test("peeking at a journal that is being written yields whole records, across segments begun meanwhile", async () => {
  const fs = memoryFileSystem();
  const journal = created(fs, 50);
  await journal.append(["one"], PROCESS);
  const peeked = storeOn(fs).peek("run");
  if (!peeked.ok) throw new Error(peeked.problem.message);
  const reader = peeked.value[Symbol.iterator]();
  expect(reader.next().value).toEqual({ seq: 1, body: "one" });
  for (const body of ["two", "three", "four", "five"]) await journal.append([body], PROCESS);
  const handle = fs.openAppend(segmentPath("/j/run", 3));
  handle.append(Buffer.from([1, 2, 3]));
  expect(Array.from({ length: 5 }, () => (reader.next().value as { body: Json } | undefined)?.body)).toEqual([
    "two",
    "three",
    "four",
    "five",
    undefined,
  ]);
});

test("creating twice, opening what is not there and names that lead elsewhere are problems", () => {
  const fs = memoryFileSystem({ files: { "/secret/000001.log": "x" } });
  const store = storeOn(fs);
  created(fs).close();
  expect(store.create("run")).toMatchObject({ ok: false, problem: { code: "journal-exists" } });
  expect(store.open("other")).toMatchObject({ ok: false, problem: { code: "journal-missing" } });
  expect(store.peek("other")).toMatchObject({ ok: false, problem: { code: "journal-missing" } });
  for (const id of ["", ".", "..", "../secret", "a/b", ".hidden", "a\0b", "é", "x".repeat(129)]) {
    for (const call of [store.create(id), store.open(id), store.peek(id)]) {
      expect(call).toMatchObject({ ok: false, problem: { code: "journal-id-invalid" } });
    }
    store.remove(id);
  }
  expect(store.list()).toEqual(["run"]);
  expect(fs.lstat("/secret/000001.log")).toBeDefined();
});

test("a create that the device refuses leaves an existing journal alone and a new one absent", async () => {
  for (const code of ["EACCES", "ENOSPC", "EMFILE"]) {
    const memory = memoryFileSystem();
    await created(memory).append(["kept"], PROCESS);
    const partial = { kind: "partial", landedBytes: 3, code } as const;
    const action = { kind: "error", code } as const;
    const again = faulty(memory, [{ at: (call) => call.operation === "writeFile", action }]);
    expect(fileJournalStore({ fs: again, directory: "/j" }).create("run").ok).toBe(false);
    expect(bodies(opened(memory))).toEqual(["kept"]);
    const fresh = faulty(memory, [{ at: (call) => call.operation === "writeFile", action: partial }]);
    expect(fileJournalStore({ fs: fresh, directory: "/j" }).create("new").ok).toBe(false);
    expect(storeOn(memory).list()).toEqual(["run"]);
  }
});

test("a removed journal is gone whole, even when removing was interrupted", () => {
  const fs = memoryFileSystem();
  const store = storeOn(fs);
  for (const id of ["b", "a"]) {
    const made = store.create(id);
    if (made.ok) made.value.close();
  }
  expect(store.list()).toEqual(["a", "b"]);
  const dying = faulty(fs, [
    {
      at: (call) => call.operation === "removeTree" && fs.lstat("/j/a") === undefined,
      action: { kind: "crash", when: "before" },
    },
  ]);
  expect(() => fileJournalStore({ fs: dying, directory: "/j" }).remove("a")).toThrow();
  expect(store.list()).toEqual(["b"]);
  store.remove("b");
  store.remove("never there");
  expect(store.list()).toEqual([]);
  expect(fs.readDirectory("/j")).toEqual([]);
});

test("an append larger than a frame is refused and the journal goes on", async () => {
  const journal = created();
  const huge = "x".repeat(65 * 1024 * 1024);
  expect(await journal.append([huge], PROCESS)).toMatchObject({ ok: false, problem: { code: "journal-full" } });
  expect(await journal.append(["small"], PROCESS)).toEqual({ ok: true, value: 1 });
});

test("an append beyond the encoder's scratch memory reads back", async () => {
  const fs = memoryFileSystem();
  const large = "ü€😀".repeat(60_000);
  const journal = created(fs);
  await journal.append([large, { large }], PROCESS);
  expect(bodies(opened(fs))).toEqual([large, { large }]);
  expect(fs.lstat(LOG)!.sizeBytes).toBeGreaterThan(SEGMENT_HEADER_BYTES + 2 * 9 * 60_000);
});
