import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock, FileSystem, Json } from "@kahn/core";
import {
  CrashError,
  faulty,
  type MemoryFileSystem,
  memoryFileSystem,
  seededRandom,
  settled,
  virtualClock,
} from "@kahn/testing";
import { expect, test } from "vitest";
import { nodeClock } from "./clock.ts";
import { nodeFileSystem } from "./file-system.ts";
import { type InboxHandler, openInbox } from "./inbox.ts";
import { nodeRandom } from "./random.ts";

const DIRECTORY = "/runs/r/inbox";

/** A world in which nothing is told and time stands still: only polling, when the test lets it come. */
function world(makeFs = (clock: Clock): FileSystem => memoryFileSystem({ clock })) {
  const clock = virtualClock();
  const fs = makeFs(clock);
  let seed = 0;
  const inbox = (on = fs, by = clock) =>
    openInbox({
      fs: on,
      clock: by,
      random: seededRandom(++seed),
      directory: DIRECTORY,
      watchDirectory: () => ({ close: () => {} }),
    });
  const files = () => (fs.readDirectory(DIRECTORY) ?? []).map(({ name }) => name.replace(/^.*\./, "")).sort();
  /** Time passes, and whoever waits for it gets its turn. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(Math.min(500, left));
      await settled();
    }
  };
  return { fs, clock, pass, inbox, files };
}

/** An owner that remembers what it carried out, by id, as a journal does. */
function journalling(): { handler: InboxHandler; journal: Map<string, Json>; deliveries: string[] } {
  const journal = new Map<string, Json>();
  const deliveries: string[] = [];
  const handler: InboxHandler = async ({ id, command }) => {
    deliveries.push(id);
    if (!journal.has(id)) journal.set(id, command);
    return { done: journal.get(id) ?? null };
  };
  return { handler, journal, deliveries };
}

test("commands are answered in the order of sending, and nothing stays behind", async () => {
  const { pass, inbox, files } = world();
  const { handler, journal } = journalling();
  const sent = [];
  for (const text of ["first", "second", "third"]) {
    sent.push(inbox().send({ text }, { timeoutMs: 5000 }));
    await pass(1);
  }
  const owner = inbox().watch(handler);
  await pass(1000);
  expect(await Promise.all(sent)).toEqual(
    ["first", "second", "third"].map((text) => ({ ok: true, value: { done: { text } } })),
  );
  expect([...journal.values()]).toEqual([{ text: "first" }, { text: "second" }, { text: "third" }]);
  await owner.close();
  expect(files()).toEqual([]);
});

test("a command that nobody takes is taken back when time is up, and no later owner sees it", async () => {
  const { pass, inbox, files } = world();
  const { handler, deliveries } = journalling();
  const sent = inbox().send("cancel", { timeoutMs: 3000 });
  await pass(3000);
  expect(await sent).toMatchObject({ ok: false, problem: { code: "inbox-withdrawn" } });
  expect(await inbox().drain(handler)).toEqual({ ok: true, value: 0 });
  expect([deliveries, files()]).toEqual([[], []]);
});

test("a command is taken back when its sender is cancelled", async () => {
  const { inbox, files } = world();
  const abort = new AbortController();
  const sent = inbox().send("cancel", { timeoutMs: 3000, signal: abort.signal });
  abort.abort();
  expect(await sent).toMatchObject({ ok: false, problem: { code: "inbox-withdrawn" } });
  expect(files()).toEqual([]);
});

test("a sender who gives up on a command that is being carried out is told so", async () => {
  const { pass, inbox } = world();
  const sent = inbox().send("decide", { timeoutMs: 3000 });
  let answer = (_: Json) => {};
  const drained = inbox().drain(() => new Promise((resolve) => (answer = resolve)));
  await pass(3000);
  expect(await sent).toMatchObject({ ok: false, problem: { code: "inbox-unanswered" } });
  answer("too late");
  expect(await drained).toEqual({ ok: true, value: 1 });
});

test("the command of a sender that died is carried out; its answer is removed when it is old", async () => {
  const { pass, inbox, files, fs } = world();
  const dying = faulty(fs, []);
  void inbox(dying, virtualClock()).send("decide", { timeoutMs: 3000 });
  dying.kill();
  const { handler, journal } = journalling();
  expect(await inbox().drain(handler)).toEqual({ ok: true, value: 1 });
  expect([[...journal.values()], files()]).toEqual([["decide"], ["answer"]]);
  await inbox().watch(handler).close();
  expect(files()).toEqual(["answer"]);
  await pass(3_600_001);
  await inbox().watch(handler).close();
  expect(files()).toEqual([]);
});

// Goal: a command is carried out once, wherever its owners die. Method: the owner dies at each of its calls that
// change something, before or after; the next owner goes on; the sender must have its answer and the journal one
// entry, and after the answer was decided the handler must not be asked again.
test("an owner may die at any moment: the next one sees the same id, and the sender gets one answer", async () => {
  for (let at = 1; at <= 4; at++) {
    for (const when of ["before", "after"] as const) {
      const { fs, pass, inbox, files } = world();
      const { handler, journal, deliveries } = journalling();
      const sent = inbox().send({ decide: "yes" }, { timeoutMs: 60_000 });
      const dying = faulty(fs, [{ at, action: { kind: "crash", when } }]);
      await expect(inbox(dying).drain(handler)).rejects.toThrow(CrashError);
      const wasDecided = files().includes("answer") || at > 3 || (at === 3 && when === "after");
      const before = deliveries.length;
      const owner = inbox().watch(handler);
      await pass(1000);
      expect(await sent).toEqual({ ok: true, value: { done: { decide: "yes" } } });
      expect(journal.size).toBe(1);
      expect(new Set(deliveries).size).toBe(1);
      expect(deliveries.length - before, `${when} call ${at}`).toBe(wasDecided ? 0 : 1);
      await owner.close();
    }
  }
});

test("a sender and an owner that race for a command agree on who had it", async () => {
  for (let yields = 0; yields < 6; yields++) {
    const { inbox, files } = world();
    const abort = new AbortController();
    const { handler, journal } = journalling();
    const sent = inbox().send("x", { timeoutMs: 3000, signal: abort.signal });
    const drained = inbox().drain(handler);
    for (let turn = 0; turn < yields; turn++) await Promise.resolve();
    abort.abort();
    const result = await sent;
    await drained;
    if (result.ok || result.problem.code === "inbox-unanswered") expect(journal.size).toBe(1);
    else expect([journal.size, files()]).toEqual([0, []]);
  }
});

test("a device that refuses the command is a problem", async () => {
  const makeFs = () =>
    faulty(memoryFileSystem(), [
      { at: (call) => call.operation === "writeFile", action: { kind: "error", code: "ENOSPC" } },
    ]);
  const { inbox } = world(makeFs);
  expect(await inbox().send("x", { timeoutMs: 1 })).toMatchObject({ ok: false, problem: { code: "inbox-io" } });
});

test("an answer that the device refuses is given at the next poll", async () => {
  const { fs, pass, inbox } = world();
  const { handler, deliveries, journal } = journalling();
  const sent = inbox().send("x", { timeoutMs: 60_000 });
  const full = { kind: "error", code: "ENOSPC" } as const;
  const owner = inbox(faulty(fs, [{ at: (call) => call.operation === "writeFile", action: full }])).watch(handler);
  await pass(2000);
  expect(await sent).toEqual({ ok: true, value: { done: "x" } });
  expect([deliveries.length, journal.size]).toEqual([2, 1]);
  await owner.close();
});

test("a command file that is not whole is removed and does not stop the others", async () => {
  const { fs, inbox, files } = world();
  (fs as MemoryFileSystem).makeDirectory(DIRECTORY);
  fs.writeFile(`${DIRECTORY}/000000001-0123456789abcdef.command`, "\0\0\0");
  fs.writeFile(`${DIRECTORY}/notes.txt`, "not ours");
  const sent = inbox().send("x", { timeoutMs: 3000 });
  const { handler } = journalling();
  expect(await inbox().drain(handler)).toEqual({ ok: true, value: 1 });
  await settled();
  expect(files()).toEqual(["answer", "txt"]);
  void sent;
});

// Goal: on a real file system an answer comes by `fs.watch`. Method: a poll so slow that it cannot be the reason.
test("on a real file system sender and owner notice each other without polling", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kahn-inbox-"));
  const inbox = () =>
    openInbox({ fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), directory, pollMs: 3_600_000 });
  const { handler } = journalling();
  const owner = inbox().watch(handler);
  for (const text of ["one", "two"]) {
    expect(await inbox().send({ text }, { timeoutMs: 20_000 })).toEqual({ ok: true, value: { done: { text } } });
  }
  await owner.close();
  rmSync(directory, { recursive: true });
});
