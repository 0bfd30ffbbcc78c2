/** Two writers of one journal, of which one has been taken over and does not know. */
import type { Journal, JournalProblem, Json, Result } from "@kahn/core";
import { faulty, type MemoryFileSystem, memoryFileSystem, seededRandom } from "@kahn/testing";
import { expect, test } from "vitest";
import { fileJournalStore } from "./file-journal-store.ts";

const PROCESS = { durability: "process" } as const;

const storeOn = (fs: Parameters<typeof fileJournalStore>[0]["fs"], segmentBytes = 120) =>
  fileJournalStore({ fs, directory: "/j", segmentBytes });

function value<T>(result: Result<T, JournalProblem>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

function kept(fs: MemoryFileSystem): readonly Json[] {
  return [...value(storeOn(fs).peek("run"))].map(({ body }) => body);
}

/** Appends until it is refused; answers with what was acknowledged. */
async function appendAll(journal: Journal, name: string, acknowledged: Json[]): Promise<void> {
  for (let n = 1; n <= 6; n++) {
    const body = { [name]: n };
    const { lastSeq } = journal;
    const result = await journal.append([body], { ...PROCESS, expectedSeq: lastSeq });
    if (!result.ok) {
      expect(result.problem.code).toBe("journal-conflict");
      return;
    }
    acknowledged.push(body);
  }
}

// Goal: whatever a writer is doing when it is taken over, what either was told is written is written once and in
// order, and nothing else. Method: the other takes over before and after each call to the file system, segments being
// so small that some of those calls begin one.
test("a takeover at any call of the writer loses and doubles nothing that was acknowledged", async () => {
  for (let at = 1; ; at++) {
    let isDone = false;
    for (const when of ["before", "after"] as const) {
      const fs = memoryFileSystem();
      const acknowledged: Json[] = [];
      let other: Journal | undefined;
      const run = () => {
        other = value(storeOn(fs).open("run", { fence: true }));
      };
      value(storeOn(fs).create("run")).close();
      const slow = faulty(fs, [{ at, action: { kind: "meanwhile", when, run } }]);
      const journal = value(storeOn(slow).open("run"));
      await appendAll(journal, "old", acknowledged);
      if (other === undefined) isDone = true;
      else await appendAll(other, "new", acknowledged);
      const told = [...acknowledged];
      await journal.append([{ old: "again" }], PROCESS).then((result) => {
        if (result.ok) told.push({ old: "again" });
      });
      expect([at, when, kept(fs)]).toEqual([at, when, told]);
      expect(other === undefined || told.some((body) => "new" in (body as object)) || told.length >= 6).toBe(true);
    }
    if (isDone) return;
  }
});

// Goal: the same from the other side: the old writer goes on in the middle of a takeover.
test("a writer that goes on at any call of a takeover is in the journal wholly or not at all, and has then lost it", async () => {
  for (let at = 1; ; at++) {
    const fs = memoryFileSystem();
    const acknowledged: Json[] = [];
    const old = value(storeOn(fs, 4000).create("run"));
    await appendAll(old, "old", acknowledged);
    let late: Promise<Result<number, JournalProblem>> | undefined;
    const run = () => {
      late = old.append([{ old: "late" }], PROCESS);
    };
    const other = faulty(fs, [{ at, action: { kind: "meanwhile", when: "before", run } }]);
    const opened = value(storeOn(other, 4000).open("run", { fence: true }));
    const first = await opened.append([{ new: 1 }], PROCESS);
    const wasIn = (await late)?.ok === true;
    if (wasIn) acknowledged.push({ old: "late" });
    if (first.ok) acknowledged.push({ new: 1 });
    expect(await old.append([{ old: "later" }], PROCESS)).toMatchObject({ problem: { code: "journal-conflict" } });
    expect(value(await opened.append([{ new: 2 }], PROCESS))).toBe(acknowledged.length + 1);
    expect([at, kept(fs)]).toEqual([at, [...acknowledged, { new: 2 }]]);
    if (late === undefined) return;
  }
});

test("a takeover that dies at any call, or loses power, leaves the journal as it was, to be taken over again", async () => {
  for (let at = 1; ; at++) {
    for (const end of ["kill", "power"] as const) {
      const fs = memoryFileSystem();
      const acknowledged: Json[] = [];
      const old = value(storeOn(fs, 4000).create("run"));
      await appendAll(old, "old", acknowledged);
      await old.append([], { durability: "disk" });
      const dying = faulty(fs, [{ at, action: { kind: "crash", when: "before" } }]);
      let isWritten = false;
      try {
        const opened = value(storeOn(dying, 4000).open("run", { fence: true }));
        isWritten = (await opened.append([{ new: 1 }], { durability: "disk" })).ok;
      } catch {
        expect(dying.crashed).toBe(true);
      }
      const left = end === "kill" ? fs.killProcess() : fs.crash(seededRandom(at));
      if (isWritten) acknowledged.push({ new: 1 });
      const again = value(storeOn(left, 4000).open("run", { fence: true }));
      expect([at, end, again.lastSeq >= acknowledged.length]).toEqual([at, end, true]);
      value(await again.append([{ last: 1 }], PROCESS));
      expect(kept(left).slice(0, acknowledged.length)).toEqual(acknowledged);
      const last = value(storeOn(left, 4000).open("run", { fence: true }));
      expect([...last.read()].at(-1)?.body).toEqual({ last: 1 });
      if (!dying.crashed && end === "power") return;
    }
  }
});

test("a full disk under a writer that was taken over does not cut what came after it", async () => {
  const fs = memoryFileSystem();
  const isLate = { now: false };
  const full = faulty(fs, [
    {
      at: ({ operation }) => operation === "append" && isLate.now,
      action: { kind: "partial", landedBytes: 9, code: "ENOSPC" },
    },
  ]);
  const old = value(storeOn(full, 4000).create("run"));
  value(await old.append([{ old: 1 }], PROCESS));
  const other = value(storeOn(fs, 4000).open("run", { fence: true }));
  isLate.now = true;
  expect(await old.append([{ old: 2 }], PROCESS)).toMatchObject({ problem: { code: "journal-conflict" } });
  expect(await old.append([{ old: 3 }], PROCESS)).toMatchObject({ problem: { code: "journal-conflict" } });
  value(await other.append([{ new: 1 }], PROCESS));
  expect(kept(fs)).toEqual([{ old: 1 }, { new: 1 }]);
});
