import { faulty, memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { fileJournalStore } from "../file-journal-store.ts";
import { FlushPace } from "./flush-pace.ts";

/** A clock that passes while a handle flushes, and which way each flush took. */
function device() {
  let nowMs = 0;
  const ways: string[] = [];
  const handle = (tookMs: number) => ({
    sync: async () => {
      ways.push("pool");
      nowMs += tookMs;
    },
    syncNow: () => {
      ways.push("in place");
      nowMs += tookMs;
    },
  });
  return { ways, handle, pace: new FlushPace({ monotonicMs: () => nowMs }) };
}

test("flushes are done in place while they are quick, and in the pool for a while after one was held up", async () => {
  const { ways, handle, pace } = device();
  const journal = {};
  for (const tookMs of [0.2, 0.2, 0.2, 5]) await pace.flush(journal, handle(tookMs));
  expect(ways.splice(0)).toEqual(["pool", "in place", "in place", "in place"]);
  for (let count = 0; count < 100; count++) await pace.flush(journal, handle(0.2));
  const back = ways.indexOf("in place");
  expect(back).toBe(64);
  expect(ways.slice(back).every((way) => way === "in place")).toBe(true);
});

test("a flush in the pool that was held up is followed by another one there", async () => {
  const { ways, handle, pace } = device();
  const journal = {};
  for (const tookMs of [5, 5, 0.2, 0.2]) await pace.flush(journal, handle(tookMs));
  expect(ways).toEqual(["pool", "pool", "pool", "in place"]);
});

test("flushes of several journals go to the pool, where they run side by side", async () => {
  const { ways, handle, pace } = device();
  const [one, other] = [{}, {}];
  for (const journal of [one, other, one, other, other]) await pace.flush(journal, handle(0.2));
  expect(ways).toEqual(["pool", "pool", "pool", "pool", "in place"]);
});

test("a handle that cannot flush in place is flushed in the pool", async () => {
  const { ways, handle, pace } = device();
  const { sync } = handle(0.2);
  for (let count = 0; count < 3; count++) await pace.flush(pace, { sync });
  expect(ways).toEqual(["pool", "pool", "pool"]);
});

// Goal: a flush in place keeps and breaks the same promises. Method: the second flush, which is in place, fails.
test("after a failed flush in place nothing more is acknowledged", async () => {
  let flushes = 0;
  const isSecondFlush = ({ operation }: { operation: string }) => operation === "sync" && ++flushes === 2;
  const fs = faulty(memoryFileSystem(), [{ at: isSecondFlush, action: { kind: "error", code: "EIO" } }]);
  const made = fileJournalStore({ fs, directory: "/j", clock: { monotonicMs: () => 0 } }).create("run");
  if (!made.ok) throw new Error(made.problem.message);
  const refused = { ok: false, problem: { code: "journal-io" } };
  expect(await made.value.append(["kept"], { durability: "disk" })).toEqual({ ok: true, value: 1 });
  expect(await made.value.append(["doubtful"], { durability: "disk" })).toMatchObject(refused);
  expect(await made.value.append(["refused"], { durability: "process" })).toMatchObject(refused);
});
