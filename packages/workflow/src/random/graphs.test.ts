/** Random graphs with random faults: every run ends, and its journal tells everything. */
import type { JournalStore } from "@kahn/core";
import { forEachSeed, memoryJournalStore, type SeededRandom, testScale } from "@kahn/testing";
import { expect, test } from "vitest";
import { mirrorOf } from "../flow.fixture.ts";
import type { FlowEvent, FlowGraph, LookOptions, RunResult } from "../index.ts";
import { createFlow, diffStates, eventsOf, history, isTerminal, stateAt } from "../index.ts";
import type { FlowRecord } from "../machine/state/records.ts";
import { ValueCodec } from "../machine/state/values.ts";
import { foldRecords, loadState } from "../runtime/storage/loading.ts";
import { snapshotOf } from "../runtime/storage/snapshots.ts";
import { experience, type Remains, RUN } from "./run.fixture.ts";

const SEED = Number(process.env.KAHN_TEST_SEED ?? 1);
const TIMEOUT_MS = 120_000 * testScale(process.env.KAHN_TEST_SCALE);

function given<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: unknown },
): T {
  if (!result.ok) throw new Error(JSON.stringify(result.problem));
  return result.value;
}

const ENDS: Readonly<Record<RunResult["status"], FlowEvent["type"]>> = {
  completed: "run.completed",
  failed: "run.failed",
  cancelled: "run.cancelled",
  waiting: "run.suspended",
  suspended: "run.suspended",
};

/** `toEqual` takes its time over thousands of events, and is asked only what differs. */
function expectSame(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual).toEqual(expected);
}

/** One terminal event to a life, and nothing after it; a life that died or whose journal refused has none. */
function checkEnds(events: readonly FlowEvent[]): void {
  for (const [index, event] of events.entries()) {
    expect(event.seq).toBe(index + 1);
    const next = events[index + 1];
    if (isTerminal(event) && next !== undefined) expect(next.type).toBe("run.resumed");
  }
}

/** What a reader saw live is what the journal tells, to the byte; it was told of nothing that is not there. */
function checkTold({ told, result }: Remains, events: readonly FlowEvent[]): void {
  const isBroken = result?.problem !== undefined;
  const control = isBroken ? told.slice(0, -1) : told;
  expectSame(control, events.slice(0, control.length));
  if (result === undefined) return;
  expect(told.at(-1)?.type).toBe(isBroken ? "run.suspended" : ENDS[result.status]);
  if (!isBroken) expect(control.length).toBe(events.length);
}

/** At any record: the events until then fold to the state there, and the history names what changed. */
async function checkMoment(look: LookOptions, records: readonly FlowRecord[], seq: number): Promise<void> {
  const cut = memoryJournalStore();
  const journal = given(cut.create(RUN));
  await journal.append(records.slice(0, seq) as never, { durability: "process" });
  const there = given(stateAt(RUN, { ...look, seq }));
  expectSame(mirrorOf(given(eventsOf(RUN, { ...look, journals: cut }))), there);
  const entry = given(history(RUN, look))[seq - 1]!;
  expect(entry.seq).toBe(seq);
  const before = seq === 1 ? {} : given(stateAt(RUN, { ...look, seq: seq - 1 }));
  const changed = diffStates(before, there).map(({ key }) => key);
  expect(changed.filter((key) => !entry.changed.includes(key))).toEqual([]);
}

/** Every visit is committed once, whatever happened. */
function checkOnce(records: readonly FlowRecord[]): void {
  const commits = records.flatMap((record) => (record.k === "c" || record.k === "b" ? [record.v] : []));
  expect(commits.length).toBe(new Set(commits).size);
}

/** What has failed is neither decided nor done, until its run is resumed. */
function checkFailed(records: readonly FlowRecord[]): void {
  const failed = new Set<string>();
  for (const record of records) {
    if (record.k === "resume") failed.clear();
    if (record.k === "x") failed.add(record.v);
    if (record.k === "b" || record.k === "out") expect([record.v, failed.has(record.v)]).toEqual([record.v, false]);
  }
}

/** A run that was cancelled does not complete, unless it was taken up again after that. */
function checkCancels(records: readonly FlowRecord[]): void {
  let isCancelled = false;
  for (const record of records) {
    if (record.k === "cancel") isCancelled = true;
    if (record.k !== "end") continue;
    expect([isCancelled, record.status]).not.toEqual([true, "completed"]);
    isCancelled = false;
  }
}

/** No decision answers more barriers than it was made for, and no edge of the run is taken more often than it says. */
function checkCounts(records: readonly FlowRecord[], graph: FlowGraph): void {
  const taken = new Map<string, number>();
  const count = (what: string) => taken.set(what, (taken.get(what) ?? 0) + 1);
  for (const record of records) {
    if (record.k === "out" && record.token !== undefined) count(record.token);
    if (record.k === "c" && !record.v.includes("/")) for (const edge of record.e ?? []) count(edge);
  }
  for (const record of records) {
    if (record.k !== "dec") continue;
    const most = record.ack === "accepted" ? (record.v === undefined ? record.count : 1) : 0;
    expect(taken.get(record.token) ?? 0).toBeLessThanOrEqual(most ?? Number.POSITIVE_INFINITY);
  }
  for (const { id, maxVisits = Number.POSITIVE_INFINITY } of graph.edges)
    expect([id, Math.min(taken.get(id) ?? 0, maxVisits)]).toEqual([id, taken.get(id) ?? 0]);
}

/** What a resume takes from the last snapshot and what came after it is what the whole journal says. */
function checkSnapshot(journals: JournalStore, codec: ValueCodec): void {
  const journal = given(journals.open(RUN));
  if (journal.readSnapshot() !== undefined) {
    const whole = given(foldRecords(RUN, journal.read(), { codec }));
    expectSame(snapshotOf(given(loadState(RUN, journal, codec)), codec), snapshotOf(whole, codec));
  }
  journal.close();
}

async function checkRemains(remains: Remains, random: SeededRandom): Promise<void> {
  const { journals, values, result } = remains;
  const found = journals.peek(RUN);
  const records = found.ok ? [...found.value].map(({ body }) => body as unknown as FlowRecord) : [];
  if (records.length === 0) return expect(result).toBe(undefined);
  const look = { journals, codec: new ValueCodec(values) };
  const events = given(eventsOf(RUN, look));
  checkEnds(events);
  checkTold(remains, events);
  checkOnce(records);
  checkFailed(records);
  checkCancels(records);
  checkCounts(records, remains.graph);
  checkSnapshot(journals, look.codec);
  const last = given(stateAt(RUN, look));
  expectSame(mirrorOf(events), last);
  await checkMoment(look, records, random.int(1, records.length));
  if (result === undefined) return;
  const { problem, ...rest } = result;
  const peeked = given(createFlow({ clock: remains.clock, random, journals, values }).peek(RUN));
  expect(rest).toEqual(problem === undefined ? peeked : { ...peeked, status: "suspended" });
  expect(rest.state).toEqual(last);
}

// Goal: acceptance 3 of workflows. No graph, no fault and no order of things leaves a run without an end that says
// what it is, and what is told of it is what it is. Method: random graphs of every kind of node, also in branches and
// subgraphs, whose nodes fail, go astray, end, time out, hang; lives in which people decide anything, the journal
// refuses, the process dies, the run is cancelled or left, and taken up again. Where only timers are left the clock
// moves; where only people are left somebody leaves. Default 200 runs; KAHN_TEST_SCALE=100 makes it 20,000.
test(
  "every run of a random graph ends completed, failed, cancelled or waiting, and events fold to its state",
  async () => {
    const outcome = await forEachSeed(
      { name: "random flows", count: 200, seed: SEED, scaleEnv: process.env.KAHN_TEST_SCALE, report: console.log },
      async ({ random, tally }) => {
        const check = (remains: Remains) => checkRemains(remains, random);
        tally((await experience({ random, tally, check })).status);
      },
    );
    for (const status of ["completed", "failed", "cancelled", "waiting", "deaths", "refusals"]) {
      expect([status, outcome.tallies[status] ?? 0]).not.toEqual([status, 0]);
    }
  },
  TIMEOUT_MS,
);
