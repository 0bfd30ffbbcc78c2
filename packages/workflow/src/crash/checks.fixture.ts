/** What must hold of the journal and the executions of a run that died again and again. */
import { expect } from "vitest";
import type { RunResult } from "../index.ts";
import type { FlowRecord } from "../machine/state/records.ts";
import { isCachedNode, WIDTH } from "./graph.fixture.ts";
import type { Execution } from "./lives.fixture.ts";

/** One life: what it executed until it died, and the records that were on the disk then. */
export interface LifeSpan {
  readonly startedMs: number;
  readonly executions: readonly Execution[];
  readonly records: readonly FlowRecord[];
}

/** A run that has ended, after any number of lives. */
export interface WholeRun {
  readonly result: RunResult;
  /** In order; the last one is that which ended. */
  readonly lives: readonly LifeSpan[];
}

const keyOf = ({ path, attempt }: Pick<Execution, "path" | "attempt">) => `${path} ${attempt}`;

/** The executions whose outcome a journal has. */
export function settledIn(records: readonly FlowRecord[]): ReadonlySet<string> {
  const settled = new Set<string>();
  const attempts = new Map<string, number>();
  for (const record of records) {
    if (record.k === "once") settled.add(`${record.v}!${record.name} 1`);
    if (record.k === "retry") {
      settled.add(`${record.v} ${record.attempt - 1}`);
      attempts.set(record.v, record.attempt);
    }
    if (record.k === "c" || record.k === "b" || record.k === "x")
      settled.add(`${record.v} ${attempts.get(record.v) ?? 1}`);
  }
  return settled;
}

/** What was under way when a life ended, or done and not recorded. */
export function inFlightOf({ executions, records }: LifeSpan): readonly string[] {
  const settled = settledIn(records);
  const closed = records.flatMap((record) => (record.k === "c" ? [`${record.v}/`] : []));
  return executions
    .filter((each) => !settled.has(keyOf(each)) && !closed.some((head) => each.path.startsWith(head)))
    .map(keyOf);
}

const outcomesOf = (records: readonly FlowRecord[]) =>
  records.flatMap((record) =>
    ["c", "b", "out", "wait"].includes(record.k) ? [`${record.k} ${(record as { v: string }).v}`] : [],
  );

/** Checks a run against one that did not die. @returns how many executions were repeated. */
export function checkRun(run: WholeRun, undisturbed: WholeRun, clock: "exact" | "real" = "exact"): number {
  const facts = ({ status, state, steps, cost, error }: RunResult) => ({ status, state, steps, cost, error });
  expect(facts(run.result)).toEqual(facts(undisturbed.result));
  const records = run.lives.at(-1)!.records;
  const outcomes = outcomesOf(records);
  expect(new Set(outcomes).size, "each commit once").toBe(outcomes.length);
  expect([...outcomes].sort()).toEqual(outcomesOf(undisturbed.lives.at(-1)!.records).sort());
  checkTimers(run, records, clock);
  return repeatedIn(run, undisturbed);
}

function repeatedIn({ lives }: WholeRun, undisturbed: WholeRun): number {
  const seen = new Set<string>();
  let allowed = new Set<string>();
  let repeated = 0;
  for (const [index, life] of lives.entries()) {
    const recorded = index === 0 ? new Set<string>() : settledIn(lives[index - 1]!.records);
    const inLife = new Set<string>();
    for (const key of life.executions.map(keyOf)) {
      expect([key, inLife.has(key)], "twice in one life").toEqual([key, false]);
      expect([key, recorded.has(key)], "again though it was recorded").toEqual([key, false]);
      inLife.add(key);
      if (!seen.has(key)) continue;
      repeated++;
      expect([key, allowed.has(key)], "again though it was not in flight").toEqual([key, true]);
    }
    for (const key of inLife) seen.add(key);
    const inFlight = inFlightOf(life).filter((key) => !key.includes("!"));
    expect(inFlight.length, inFlight.join(", ")).toBeLessThanOrEqual(WIDTH);
    // What was in flight at an earlier death and has not been begun again since may still run.
    allowed = new Set([...allowed, ...inFlightOf(life)]);
  }
  const expected = undisturbed.lives.at(-1)!.executions.filter(({ path }) => !isCachedNode(path));
  const executed = [...seen].filter((key) => !isCachedNode(key));
  expect(executed.sort()).toEqual([...new Set(expected.map(keyOf))].sort());
  return repeated;
}

/**
 * A timer fires when it was due, or when the run was taken up again if that was later; by a real clock, not before, as
 * the records say. It is set once per visit (each `wait` is there once), so that a resume never starts it anew.
 */
function checkTimers({ lives }: WholeRun, records: readonly FlowRecord[], clock: "exact" | "real"): void {
  const first = records[0] as Extract<FlowRecord, { k: "start" }>;
  const barriers = new Map<string, number>();
  const attempts = new Map<string, number>();
  let resumedMs = first.atMs;
  for (const record of records) {
    const atMs = "t" in record ? first.atMs + record.t : first.atMs;
    if (record.k === "resume") resumedMs = atMs;
    if (record.k === "wait" && record.dueMs !== undefined) barriers.set(record.v, record.dueMs);
    if (record.k === "out" && record.timedOut !== undefined) {
      const dueMs = Math.max(barriers.get(record.v)!, clock === "exact" ? resumedMs : 0);
      expect([record.v, atMs]).toEqual([record.v, clock === "exact" ? dueMs : Math.max(atMs, dueMs)]);
    }
    // What an attempt came to is not recorded before it was due.
    if (record.k === "retry" || record.k === "b" || record.k === "c" || record.k === "x")
      expect([record.v, atMs]).toEqual([record.v, Math.max(atMs, attempts.get(record.v) ?? 0)]);
    if (record.k !== "retry") continue;
    attempts.set(record.v, record.dueMs);
    if (clock === "exact") checkBegin(lives, record);
  }
}

function checkBegin(lives: readonly LifeSpan[], retry: Extract<FlowRecord, { k: "retry" }>): void {
  for (const { startedMs, executions } of lives) {
    for (const each of executions) {
      if (each.path !== retry.v || each.attempt !== retry.attempt) continue;
      expect([keyOf(each), each.atMs]).toEqual([keyOf(each), Math.max(retry.dueMs, startedMs)]);
    }
  }
}
