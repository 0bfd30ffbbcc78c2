import type { Journal } from "@kahn/core";
import { ProblemError } from "@kahn/core";
import type { MemoryFileSystem } from "@kahn/testing";
import { memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { fileJournalStore } from "../file-journal-store.ts";
import { crc32 } from "./crc32.ts";
import { SEGMENT_HEADER_BYTES, view } from "./frame.ts";

const LOG = "/j/run/000001.log";

function storeOn(fs: MemoryFileSystem, segmentBytes = 1 << 20) {
  return fileJournalStore({ fs, directory: "/j", segmentBytes });
}

async function logOf(appends: readonly string[], durability: "process" | "disk" = "process", segmentBytes = 1 << 20) {
  const fs = memoryFileSystem();
  const created = storeOn(fs, segmentBytes).create("run");
  if (!created.ok) throw new Error(created.problem.message);
  for (const text of appends) await created.value.append([text], { durability });
  created.value.close();
  return fs;
}

function edit(fs: MemoryFileSystem, path: string, change: (bytes: Buffer) => Uint8Array | undefined): void {
  const bytes = Buffer.from(fs.readFile(path)!);
  fs.writeFile(path, change(bytes) ?? bytes);
}

function open(fs: MemoryFileSystem): Journal {
  const found = storeOn(fs).open("run");
  if (!found.ok) throw new Error(found.problem.message);
  return found.value;
}

/** A frame made by hand, of any kind. */
function frame(kind: number, text: string): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(12), Buffer.from(text)]);
  bytes.writeUInt32LE(text.length, 4);
  bytes.writeUInt32LE(((kind << 24) | 1) >>> 0, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

// Goal: no byte that rots goes unnoticed, and damage is never taken for a crash. Method: flip every bit pattern of
// every byte before the last record, then of the last record, where a torn write looks the same.
test("a changed byte before the last record is refused with its place and cuts nothing", async () => {
  const pristine = await logOf(["first", "second", "third"]);
  const whole = pristine.readFile(LOG)!;
  const lastFrame = whole.length - ('"third"\n'.length + 12);
  for (let at = 0; at < whole.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const fs = pristine.killProcess();
      edit(fs, LOG, (bytes) => void (bytes[at]! ^= mask));
      const before = fs.readFile(LOG)!;
      const found = storeOn(fs).open("run");
      if (at >= lastFrame) {
        expect(found.ok && found.value.lastSeq, `byte ${at}`).toBe(2);
        expect(found.ok && found.value.tornTail?.droppedBytes).toBe(whole.length - lastFrame);
      } else {
        const isVersion = at >= 8 && at < 12;
        const code = found.ok ? "opened" : found.problem.code;
        expect(code, `byte ${at}`).toMatch(isVersion ? /^journal-(format-newer|corrupt)$/ : /^journal-corrupt$/);
        expect(fs.readFile(LOG)).toEqual(before);
        if (!found.ok && !isVersion) expect(found.problem.message).toMatch(/000001\.log.* byte \d+/);
      }
    }
  }
});

test("damage in an older segment stops reading there, with the file and the place", async () => {
  const fs = await logOf(["first", "second", "third", "fourth"], "process", 40);
  const second = "/j/run/000002.log";
  edit(fs, second, (bytes) => void (bytes[SEGMENT_HEADER_BYTES + 14]! ^= 1));
  for (const read of [() => open(fs).read(), () => (storeOn(fs).peek("run") as { value: Iterable<unknown> }).value]) {
    const seen: unknown[] = [];
    let thrown: unknown;
    try {
      for (const record of read()) seen.push(record);
    } catch (error) {
      thrown = error;
    }
    expect(seen).toEqual([{ seq: 1, body: "first" }]);
    expect(thrown).toBeInstanceOf(ProblemError);
    expect((thrown as ProblemError).problems[0]).toMatchObject({ code: "journal-corrupt", where: { file: second } });
  }
});

test("a missing segment and a segment out of order are damage", async () => {
  const pristine = await logOf(["first", "second", "third"], "process", 40);
  const lacking = pristine.killProcess();
  lacking.remove("/j/run/000002.log");
  expect(storeOn(lacking).open("run")).toMatchObject({ ok: false, problem: { code: "journal-corrupt" } });
  const swapped = pristine.killProcess();
  swapped.writeFile("/j/run/000003.log", swapped.readFile("/j/run/000001.log")!);
  expect(storeOn(swapped).open("run")).toMatchObject({ ok: false, problem: { code: "journal-corrupt" } });
});

// Goal: power loss that kept a later page and lost an earlier one is a torn end, for nothing there was promised.
// Method: records larger than a page; blank the second page of an unflushed log, then of one whose later records say
// that everything before them had been flushed.
test("a lost page among unflushed records is a torn end; among flushed ones it is damage", async () => {
  const appends = ["a".repeat(3000), "b".repeat(7000), "c".repeat(3000)];
  const blankSecondPage = (bytes: Buffer) => void bytes.fill(0, 4096, 8192);
  const unflushed = await logOf(appends);
  edit(unflushed, LOG, blankSecondPage);
  const journal = open(unflushed);
  expect(journal.lastSeq).toBe(1);
  expect(journal.tornTail).toEqual({ droppedBytes: 10_000 + 2 * 15, lastSeq: 1 });
  const flushed = await logOf(appends, "disk");
  edit(flushed, LOG, blankSecondPage);
  expect(storeOn(flushed).open("run")).toMatchObject({ ok: false, problem: { code: "journal-corrupt" } });
});

test("a journal of a newer format, or with a record kind of one, is refused and not changed", async () => {
  const newerFormat = await logOf(["first"]);
  edit(newerFormat, LOG, (bytes) => void bytes.writeUInt32LE(2, 8));
  const newerKind = await logOf(["first"]);
  edit(newerKind, LOG, (bytes) => Buffer.concat([bytes, frame(2, "?")]));
  for (const fs of [newerFormat, newerKind]) {
    const before = fs.snapshot();
    expect(storeOn(fs).open("run")).toMatchObject({ ok: false, problem: { code: "journal-format-newer" } });
    expect(fs.snapshot()).toEqual(before);
  }
  expect(storeOn(newerFormat).peek("run")).toMatchObject({ ok: false, problem: { code: "journal-format-newer" } });
});

test("a record kind that may be skipped is skipped and takes no sequence number", async () => {
  const fs = await logOf(["first"]);
  edit(fs, LOG, (bytes) => Buffer.concat([bytes, frame(2 | 0x40, "a note of the future")]));
  const journal = open(fs);
  expect(journal.tornTail).toBe(undefined);
  expect(await journal.append(["second"], { durability: "process" })).toEqual({ ok: true, value: 2 });
  expect([...journal.read()].map(({ body }) => body)).toEqual(["first", "second"]);
});

test("a file that was never a journal is refused and not changed", () => {
  const fs = memoryFileSystem({ files: { [LOG]: "build log of yesterday, in plain text\n" } });
  expect(storeOn(fs).open("run")).toMatchObject({ ok: false, problem: { code: "journal-corrupt" } });
  expect(storeOn(fs).peek("run")).toMatchObject({ ok: false, problem: { code: "journal-corrupt" } });
  expect(Buffer.from(fs.readFile(LOG)!).toString()).toBe("build log of yesterday, in plain text\n");
});

// Goal: a snapshot of records that the log lost is not believed later, when other records have their numbers.
// Method: put a snapshot of a longer history beside a shorter log, as a power loss can leave it; also without the
// clean-up at opening, by putting it back afterwards.
test("a snapshot of a lost history is passed over, also after the log has grown past it", async () => {
  const long = await logOf(["first", "second"]);
  const journal = open(long);
  journal.writeSnapshot("first and second");
  const snapshot = long.readFile("/j/run/2.snapshot")!;
  expect(journal.readSnapshot()).toEqual({ seq: 2, state: "first and second" });
  const short = await logOf(["first"]);
  short.writeFile("/j/run/2.snapshot", snapshot);
  const reopened = open(short);
  expect(reopened.readSnapshot()).toBe(undefined);
  await reopened.append(["two!!!"], { durability: "process" });
  expect(reopened.readSnapshot()).toBe(undefined);
  short.writeFile("/j/run/2.snapshot", snapshot);
  expect(reopened.readSnapshot()).toBe(undefined);
});

test("of several snapshots the newest whole one is read and two are kept", async () => {
  const fs = await logOf(["first"]);
  const journal = open(fs);
  for (const text of ["second", "third", "fourth"]) {
    await journal.append([text], { durability: "process" });
    journal.writeSnapshot(`until ${text}`);
  }
  const names = () =>
    fs
      .readDirectory("/j/run")!
      .map(({ name }) => name)
      .sort();
  expect(names()).toEqual(["000001.log", "3.snapshot", "4.snapshot"]);
  expect(journal.readSnapshot()).toEqual({ seq: 4, state: "until fourth" });
  const whole = fs.readFile("/j/run/4.snapshot")!;
  for (let at = 0; at < whole.length; at++) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 0x41;
    fs.writeFile("/j/run/4.snapshot", bytes);
    expect(journal.readSnapshot(), `byte ${at}`).toEqual({ seq: 3, state: "until third" });
    fs.writeFile("/j/run/4.snapshot", whole.subarray(0, at));
    expect(journal.readSnapshot(), `cut at ${at}`).toEqual({ seq: 3, state: "until third" });
  }
});

test("an older snapshot's bytes under a newer one's name are passed over", async () => {
  const fs = await logOf(["first"]);
  const journal = open(fs);
  journal.writeSnapshot("until first");
  await journal.append(["second"], { durability: "process" });
  fs.writeFile("/j/run/2.snapshot", fs.readFile("/j/run/1.snapshot")!);
  expect(journal.readSnapshot()).toEqual({ seq: 1, state: "until first" });
});

test("a journal whose creator died before its header was whole opens as an empty one", async () => {
  const header = (await logOf([])).readFile(LOG)!;
  expect(view(header).length).toBe(SEGMENT_HEADER_BYTES);
  for (let landed = 0; landed < header.length; landed++) {
    const fs = memoryFileSystem({ files: { [LOG]: "" } });
    fs.writeFile(LOG, header.subarray(0, landed));
    const peeked = storeOn(fs).peek("run");
    expect(peeked.ok && [...peeked.value]).toEqual([]);
    const journal = open(fs);
    await journal.append(["first"], { durability: "process" });
    expect([...open(fs).read()]).toEqual([{ seq: 1, body: "first" }]);
  }
});
