/** The contract of `JournalStore` and `Journal`. */
import assert from "node:assert/strict";
import type { Journal, JournalProblem, JournalRecord, JournalStore, Json, Result } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** A journal store under test. */
export interface JournalStoreSubject extends ContractSubject {
  readonly store: JournalStore;
  /** The store that the next process finds after this one was killed. The old one is not used again. */
  readonly afterKill: () => JournalStore | Promise<JournalStore>;
  /** The store that is found after power loss, where that can be had. */
  readonly afterPowerLoss?: () => JournalStore | Promise<JournalStore>;
  /** Leaves part of a record at the end of a closed journal, where that can be done. */
  readonly tearTail?: (id: string) => void;
}

function value<T>(result: Result<T, JournalProblem>): T {
  assert.ok(result.ok, result.ok ? "" : `${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

function refusedWith(code: JournalProblem["code"], result: Result<unknown, JournalProblem>): void {
  assert.ok(!result.ok, `expected ${code}`);
  assert.equal(result.problem.code, code);
}

const PROCESS = { durability: "process" } as const;
const DISK = { durability: "disk" } as const;

async function fill(journal: Journal, count: number): Promise<void> {
  for (let index = 1; index <= count; index++) value(await journal.append([{ n: index }], PROCESS));
}

const bodies = (records: Iterable<JournalRecord>): Json[] => Array.from(records, ({ body }) => body);
const numbers = (records: Iterable<JournalRecord>): number[] => Array.from(records, ({ seq }) => seq);

/** The cases for a journal store. */
export function journalStoreContract(make: MakeSubject<JournalStoreSubject>): readonly ContractCase[] {
  return contractCases<JournalStoreSubject>(make, { ...APPENDING, ...SNAPSHOTS, ...FENCES, ...STORES });
}

type Experiments = Readonly<Record<string, (subject: JournalStoreSubject) => Promise<void>>>;

const APPENDING: Experiments = {
  "a new journal is empty": async ({ store }) => {
    const journal = value(store.create("new"));
    assert.equal(journal.lastSeq, 0);
    assert.equal(journal.tornTail, undefined);
    assert.deepEqual(bodies(journal.read()), []);
    assert.equal(journal.readSnapshot(), undefined);
    journal.close();
  },
  "sequence numbers count from 1 without gaps, through any number of appends": async ({ store }) => {
    const journal = value(store.create("run"));
    assert.equal(value(await journal.append([{ a: 1 }], PROCESS)), 1);
    assert.equal(value(await journal.append([{ b: 2 }, { c: 3 }, "text"], DISK)), 4);
    assert.equal(journal.lastSeq, 4);
    assert.deepEqual(numbers(journal.read()), [1, 2, 3, 4]);
    assert.deepEqual(bodies(journal.read()), [{ a: 1 }, { b: 2 }, { c: 3 }, "text"]);
    journal.close();
  },
  "appending nothing answers with the last sequence number": async ({ store }) => {
    const journal = value(store.create("run"));
    assert.equal(value(await journal.append([], PROCESS)), 0);
    await fill(journal, 2);
    assert.equal(value(await journal.append([], DISK)), 2);
    assert.equal(journal.lastSeq, 2);
    journal.close();
  },
  "records come back as they were, whatever JSON can hold": async ({ store }) => {
    const journal = value(store.create("run"));
    const odd: Json[] = [null, true, -0.5, 1e21, "", "ü\n\u0000\u2028😀", [], {}, { "": [{ deep: [1, [2]] }] }];
    odd.push({ long: "x".repeat(200_000) }, { __proto__x: 1, constructor: "fine" });
    value(await journal.append(odd, PROCESS));
    assert.deepEqual(bodies(journal.read()), odd);
    journal.close();
  },
  "a record does not change with the object that was appended": async ({ store }) => {
    const journal = value(store.create("run"));
    const body = { n: 1 };
    const appended = journal.append([body], PROCESS);
    body.n = 2;
    value(await appended);
    assert.deepEqual(bodies(journal.read()), [{ n: 1 }]);
    journal.close();
  },
  "appends are ordered as called, whatever class each waits for": async ({ store }) => {
    const journal = value(store.create("run"));
    const appended = Array.from({ length: 40 }, (_, index) =>
      journal.append([{ n: index + 1 }], { durability: index % 3 === 0 ? "disk" : "process" }),
    );
    const seqs = (await Promise.all(appended)).map(value);
    assert.deepEqual(
      seqs,
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
    assert.deepEqual(
      bodies(journal.read()),
      seqs.map((n) => ({ n })),
    );
    journal.close();
  },
  "an append that expects another end is refused whole, and the journal goes on": async ({ store }) => {
    const journal = value(store.create("run"));
    await fill(journal, 2);
    refusedWith("journal-conflict", await journal.append([{ x: 1 }, { y: 2 }], { ...PROCESS, expectedSeq: 1 }));
    refusedWith("journal-conflict", await journal.append([{ x: 1 }], { ...DISK, expectedSeq: 3 }));
    assert.equal(journal.lastSeq, 2);
    assert.equal(value(await journal.append([{ n: 3 }], { ...PROCESS, expectedSeq: 2 })), 3);
    assert.deepEqual(bodies(journal.read()), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    journal.close();
  },
  "of appends that expect the same end only the first is taken": async ({ store }) => {
    const journal = value(store.create("run"));
    const options = { ...PROCESS, expectedSeq: 0 };
    const results = await Promise.all([journal.append([{ n: 1 }], options), journal.append([{ n: 2 }], options)]);
    assert.equal(value(results[0]!), 1);
    refusedWith("journal-conflict", results[1]!);
    assert.deepEqual(bodies(journal.read()), [{ n: 1 }]);
    journal.close();
  },
  "reading starts where it is told, inclusive": async ({ store }) => {
    const journal = value(store.create("run"));
    await fill(journal, 5);
    assert.deepEqual(numbers(journal.read(4)), [4, 5]);
    assert.deepEqual(numbers(journal.read(6)), []);
    assert.deepEqual(numbers(journal.read(1)), [1, 2, 3, 4, 5]);
    journal.close();
  },
};

const SNAPSHOTS: Experiments = {
  "a snapshot stands for the records up to the last one": async ({ store }) => {
    const journal = value(store.create("run"));
    await fill(journal, 3);
    value(journal.writeSnapshot({ sum: 6 }));
    assert.deepEqual(journal.readSnapshot(), { seq: 3, state: { sum: 6 } });
    await fill(journal, 1);
    assert.deepEqual(journal.readSnapshot(), { seq: 3, state: { sum: 6 } });
    assert.equal(journal.lastSeq, 4);
    journal.close();
  },
  "the newest snapshot counts, and survives our death": async ({ store, afterKill }) => {
    const journal = value(store.create("run"));
    await fill(journal, 1);
    value(journal.writeSnapshot({ at: 1 }));
    await fill(journal, 1);
    value(journal.writeSnapshot({ at: 2 }));
    journal.close();
    const again = value((await afterKill()).open("run"));
    assert.deepEqual(again.readSnapshot(), { seq: 2, state: { at: 2 } });
    assert.equal(again.lastSeq, 2);
    again.close();
  },
};

const FENCES: Experiments = {
  "who opens with a fence shuts out whoever had it open, and nothing that one appends is in the journal": async ({
    store,
    afterKill,
  }) => {
    const before = value(store.create("run"));
    await fill(before, 2);
    const after = value(store.open("run", { fence: true }));
    assert.equal(after.lastSeq, 2);
    assert.equal(value(await after.append([{ by: "new" }], { ...PROCESS, expectedSeq: 2 })), 3);
    refusedWith("journal-conflict", await before.append([{ by: "old" }], { ...PROCESS, expectedSeq: 2 }));
    refusedWith("journal-conflict", await before.append([{ by: "old" }], DISK));
    assert.equal(value(await after.append([{ by: "new" }], { ...DISK, expectedSeq: 3 })), 4);
    const expected = [{ n: 1 }, { n: 2 }, { by: "new" }, { by: "new" }];
    assert.deepEqual(bodies(after.read()), expected);
    assert.deepEqual(bodies(value(store.peek("run"))), expected);
    after.close();
    const again = value((await afterKill()).open("run"));
    assert.deepEqual([again.lastSeq, bodies(again.read(2))], [4, expected.slice(1)]);
    assert.equal(value(await again.append([{ n: 5 }], { ...PROCESS, expectedSeq: 4 })), 5);
    again.close();
  },
  "of those who open with a fence one after the other, the last one that appends keeps the journal": async ({
    store,
  }) => {
    value(store.create("run")).close();
    const journals = [1, 2, 3].map(() => value(store.open("run", { fence: true })));
    const last = journals.at(-1)!;
    value(await last.append([{ n: 1 }], PROCESS));
    for (const journal of journals.slice(0, -1))
      refusedWith("journal-conflict", await journal.append([{ n: 2 }], { ...PROCESS, expectedSeq: 0 }));
    assert.equal(value(await last.append([{ n: 2 }], PROCESS)), 2);
    assert.deepEqual(bodies(value(store.peek("run"))), [{ n: 1 }, { n: 2 }]);
    last.close();
  },
};

const STORES: Experiments = {
  "creating twice is refused, opening what is not there too": async ({ store }) => {
    value(store.create("one")).close();
    refusedWith("journal-exists", store.create("one"));
    refusedWith("journal-missing", store.open("none"));
    refusedWith("journal-missing", store.peek("none"));
  },
  "the store lists ids, sorted": async ({ store }) => {
    assert.deepEqual(store.list(), []);
    for (const id of ["b", "a.1", "A", "01J-x_y"]) value(store.create(id)).close();
    assert.deepEqual(store.list(), ["01J-x_y", "A", "a.1", "b"]);
  },
  "an opened journal goes on where it ended": async ({ store }) => {
    const journal = value(store.create("run"));
    await fill(journal, 2);
    journal.close();
    const again = value(store.open("run"));
    assert.deepEqual([again.lastSeq, again.tornTail], [2, undefined]);
    assert.equal(value(await again.append([{ n: 3 }], { ...PROCESS, expectedSeq: 2 })), 3);
    assert.deepEqual(numbers(again.read()), [1, 2, 3]);
    again.close();
  },
  "what an append of class `process` confirmed survives our death": async ({ store, afterKill }) => {
    const journal = value(store.create("run"));
    await fill(journal, 7);
    const next = await afterKill();
    assert.deepEqual(next.list(), ["run"]);
    const again = value(next.open("run"));
    assert.deepEqual([again.lastSeq, again.tornTail], [7, undefined]);
    again.close();
  },
  "what an append of class `disk` confirmed survives power loss, with all before it": async (subject) => {
    if (subject.afterPowerLoss === undefined) return;
    const journal = value(subject.store.create("run"));
    await fill(journal, 3);
    value(await journal.append([{ n: 4 }], DISK));
    value(await journal.append([{ n: 5 }], PROCESS));
    const again = value((await subject.afterPowerLoss()).open("run"));
    assert.ok(again.lastSeq >= 4 && again.lastSeq <= 5);
    assert.deepEqual(bodies(again.read()).slice(0, 4), [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
    assert.equal(value(await again.append([{ n: "next" }], DISK)), again.lastSeq);
    again.close();
  },
  "peeking reads while the journal is open for writing, from where it is told": async ({ store }) => {
    const journal = value(store.create("run"));
    await fill(journal, 3);
    assert.deepEqual(numbers(value(store.peek("run"))), [1, 2, 3]);
    assert.deepEqual(numbers(value(store.peek("run", 3))), [3]);
    await fill(journal, 1);
    assert.deepEqual(numbers(value(store.peek("run", 2))), [2, 3, 4]);
    journal.close();
  },
  "opening cuts a torn tail and tells so, once; peeking stops before it": async ({ store, tearTail }) => {
    if (tearTail === undefined) return;
    const journal = value(store.create("run"));
    await fill(journal, 2);
    journal.close();
    tearTail("run");
    assert.deepEqual(numbers(value(store.peek("run"))), [1, 2]);
    const torn = value(store.open("run"));
    assert.equal(torn.tornTail?.lastSeq, 2);
    assert.ok(torn.tornTail.droppedBytes > 0);
    assert.equal(value(await torn.append([{ n: 3 }], PROCESS)), 3);
    torn.close();
    const whole = value(store.open("run"));
    assert.equal(whole.tornTail, undefined);
    assert.deepEqual(bodies(whole.read()), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    whole.close();
  },
  "removing takes journal and snapshots away; no effect when there is none": async ({ store }) => {
    const journal = value(store.create("run"));
    await fill(journal, 1);
    value(journal.writeSnapshot({ n: 1 }));
    journal.close();
    store.remove("run");
    store.remove("run");
    assert.deepEqual(store.list(), []);
    refusedWith("journal-missing", store.open("run"));
    const fresh = value(store.create("run"));
    assert.deepEqual([fresh.lastSeq, fresh.readSnapshot()], [0, undefined]);
    fresh.close();
  },
};
