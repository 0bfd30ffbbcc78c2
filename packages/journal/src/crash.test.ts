/**
 * Crashes of the process and of the machine, at every call and inside every write.
 *
 * The program under test appends lists of records that name themselves, snapshots how many there are, and remembers
 * what was acknowledged. After the crash the journal must hold an unbroken run of whole appends that includes
 * everything acknowledged, and a snapshot that tells the truth about it.
 */
import { isDeepStrictEqual } from "node:util";
import type { Journal, Json } from "@kahn/core";
import type { Fault, MemoryFileSystem } from "@kahn/testing";
import { CrashError, faulty, memoryFileSystem, randomFault, seededRandom } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fileJournalStore } from "./file-journal-store.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const SEGMENT_BYTES = 220;

/** What the program knows when it dies: each append in the order of the calls, with the strongest promise made. */
interface History {
  readonly appends: { readonly records: readonly Json[]; promise: "none" | "process" | "disk" }[];
}

type Step =
  | { readonly kind: "append"; readonly sizes: readonly number[]; readonly durability: "process" | "disk" }
  /** That many appends at once, every third disk-durable. */
  | { readonly kind: "burst"; readonly count: number }
  | { readonly kind: "snapshot" }
  | { readonly kind: "reopen" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        sizes: fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 4 }),
        durability: fc.constantFrom("process" as const, "disk" as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("burst" as const), count: fc.integer({ min: 2, max: 9 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("snapshot" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  ),
  { minLength: 1, maxLength: 10 },
);

function open(fs: Parameters<typeof fileJournalStore>[0]["fs"]): Journal {
  // Under a clock that stands still every flush is quick: after the first one they are done in place.
  const clock = { monotonicMs: () => 0 };
  const store = fileJournalStore({ fs, directory: "/j", segmentBytes: SEGMENT_BYTES, clock });
  const created = store.create("run");
  const isThere = !created.ok && created.problem.code === "journal-exists";
  const found = isThere ? store.open("run") : created;
  if (!found.ok) throw new Error(`${found.problem.code}: ${found.problem.message}`);
  return found.value;
}

const count = (history: History) => history.appends.reduce((sum, append) => sum + append.records.length, 0);

/** Appends and files the outcome: refused ones leave no trace, unless the journal can no longer tell. */
async function append(
  journal: Journal,
  history: History,
  request: { readonly records: readonly Json[]; readonly durability: "process" | "disk" },
): Promise<void> {
  const entry: History["appends"][number] = { records: request.records, promise: "none" };
  history.appends.push(entry);
  const result = await journal.append(request.records, { durability: request.durability });
  if (result.ok) {
    entry.promise = request.durability;
    return;
  }
  const isBroken = !(await journal.append([], { durability: "process" })).ok;
  if (!isBroken) history.appends.splice(history.appends.indexOf(entry), 1);
}

async function run(fs: Parameters<typeof fileJournalStore>[0]["fs"], program: readonly Step[], history: History) {
  let journal = open(fs);
  let serial = count(history);
  const record = (size: number) => ({ n: ++serial, pad: "é".repeat(size) });
  for (const step of program) {
    if (step.kind === "append") {
      await append(journal, history, { records: step.sizes.map(record), durability: step.durability });
    } else if (step.kind === "burst") {
      const appends = Array.from({ length: step.count }, (_, index) =>
        append(journal, history, { records: [record(index)], durability: index % 3 === 0 ? "disk" : "process" }),
      );
      const outcomes = await Promise.allSettled(appends);
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    } else if (step.kind === "snapshot") {
      journal.writeSnapshot([...journal.read()].map(({ body }) => body));
    } else {
      journal.close();
      journal = open(fs);
    }
  }
}

/** Runs the program until it ends or dies; whatever it does not survive is a crash, never a rejection. */
async function runToItsEnd(fs: MemoryFileSystem, program: readonly Step[], faults: readonly Fault[], history: History) {
  const world = faulty(fs, faults);
  try {
    await run(world, program, history);
  } catch (error) {
    // An open that the device refuses ends the program in good order.
    const isRefusal = error instanceof Error && /^journal-(io|full)/.test(error.message);
    if (!(error instanceof CrashError || isRefusal)) throw error;
  }
  world.kill();
}

/** Checks the journal, of which refused appends may or may not be part, against the history, and takes what is there as the history from here on. */
function check(fs: MemoryFileSystem, history: History, survives: "process" | "disk"): void {
  const journal = open(fs);
  const found = [...journal.read()].map(({ body }) => body);
  const kept: History["appends"] = [];
  let length = 0;
  for (const entry of history.appends) {
    const end = length + entry.records.length;
    if (isDeepStrictEqual(found.slice(length, end), entry.records)) {
      kept.push(entry);
      length = end;
    } else if (entry.promise !== "none") {
      expect(length, "an acknowledged append is lost, yet others follow").toBe(found.length);
      expect(survives === "disk" && entry.promise === "process", "lost an acknowledged append").toBe(true);
    }
  }
  expect(found).toEqual(kept.flatMap(({ records }) => records));
  expect(journal.lastSeq).toBe(found.length);
  const snapshot = journal.readSnapshot();
  if (snapshot !== undefined) expect(snapshot.state).toEqual(found.slice(0, snapshot.seq));
  journal.close();
  history.appends.splice(0, Number.POSITIVE_INFINITY, ...kept);
}

async function mutationsOf(program: readonly Step[]): Promise<number> {
  const world = faulty(memoryFileSystem(), []);
  await run(world, program, { appends: [] });
  return world.mutations;
}

// Goal: `kill -9` loses nothing acknowledged. Method: random programs; for each, a death before, after and in the
// middle of each of its calls that change something.
test("whatever call the process dies at, every acknowledged record is there and the journal opens", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat({ max: 90 }), async (program, landedBytes) => {
      const mutations = await mutationsOf(program);
      for (let at = 1; at <= mutations; at++) {
        const torn = { kind: "torn", landedBytes } as const;
        for (const action of [{ kind: "crash", when: "before" }, { kind: "crash", when: "after" }, torn] as const) {
          const fs = memoryFileSystem();
          const history: History = { appends: [] };
          await runToItsEnd(fs, program, [{ at, action }], history);
          check(fs.killProcess(), history, "process");
        }
      }
    }),
    { numRuns: Math.round(12 * SCALE) },
  );
});

// Goal: R11, WAL replay without a snapshot; two crashes in a row. Method: a program dies, its successor dies too while
// it goes on with what it found, then the snapshots are removed; each time everything acknowledged is read back.
test("R11: replay needs no snapshot, and a second crash during the continuation loses nothing either", async () => {
  await fc.assert(
    fc.asyncProperty(steps, steps, fc.integer(), async (first, second, seed) => {
      const random = seededRandom(seed);
      const history: History = { appends: [] };
      let fs = memoryFileSystem();
      for (const program of [first, second, second]) {
        const mutationsMax = await mutationsOf(program);
        await runToItsEnd(fs, program, [randomFault(random, { mutationsMax, kinds: ["torn", "crash"] })], history);
        fs = fs.killProcess();
        check(fs, history, "process");
      }
      for (const { name } of fs.readDirectory("/j/run")!) if (name.endsWith(".snapshot")) fs.remove(`/j/run/${name}`);
      check(fs, history, "process");
    }),
    { numRuns: Math.round(100 * SCALE) },
  );
});

// Goal: power loss costs only what was not promised to survive it, and the journal always opens. Method: as above,
// with a device that loses, keeps, tears or blanks what was not flushed; refusals of the device on the way.
test("after any loss of power every disk-durable record is there and the journal opens", async () => {
  await fc.assert(
    fc.asyncProperty(steps, steps, fc.integer(), async (first, second, seed) => {
      const random = seededRandom(seed);
      const history: History = { appends: [] };
      let fs = memoryFileSystem();
      for (const program of [first, second, first]) {
        const mutationsMax = await mutationsOf(program);
        const faults = [randomFault(random, { mutationsMax }), randomFault(random, { mutationsMax })];
        await runToItsEnd(fs, program, faults, history);
        fs = fs.crash(random);
        check(fs, history, "disk");
      }
    }),
    { numRuns: Math.round(200 * SCALE) },
  );
});

// Goal: P14 at the level of the journal, replay of any prefix of the log gives that prefix. Method: every byte of a
// log of three segments as its end.
test("P14: a log cut at any byte replays to the longest run of whole appends before it", async () => {
  const fs = memoryFileSystem();
  const history: History = { appends: [] };
  const sizes = [0, 12, 3];
  const program: Step[] = Array.from({ length: 8 }, () => ({ kind: "append", sizes, durability: "process" }));
  await run(fs, program, history);
  const paths = fs
    .readDirectory("/j/run")!
    .map(({ name }) => `/j/run/${name}`)
    .sort();
  expect(paths.length).toBe(3);
  let seqBefore = 0;
  for (const [index, path] of paths.entries()) {
    const whole = fs.readFile(path)!;
    for (let cut = whole.length; cut >= 0; cut--) {
      const part = fs.killProcess();
      for (const later of paths.slice(index + 1)) part.remove(later);
      part.writeFile(path, whole.subarray(0, cut));
      const journal = open(part);
      const kept = journal.lastSeq;
      expect([...journal.read()].map(({ body }) => (body as { n: number }).n)).toEqual(
        Array.from({ length: kept }, (_, at) => at + 1),
      );
      expect(kept % sizes.length).toBe(0);
      if (cut === whole.length) seqBefore = kept;
      else expect(kept).toBeLessThan(seqBefore);
      journal.close();
      const again = open(part);
      expect(again.tornTail).toBe(undefined);
      expect(again.lastSeq).toBe(kept);
      again.close();
    }
  }
});
