/**
 * Looking back: what a run did, what its state was, how two states differ, and what a changed graph would have done.
 *
 * Never: executes anything, or changes a journal.
 */
import type { Digest, JournalStore, Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import { decodeAll } from "../../machine/folding/context.ts";
import type { FlowEvent } from "../../machine/state/events.ts";
import type { FlowRecord } from "../../machine/state/records.ts";
import type { RunState, Values } from "../../machine/state/run-state.ts";
import { ROOT } from "../../machine/state/run-state.ts";
import type { ValueCodec } from "../../machine/state/values.ts";
import { peekRun } from "../storage/loading.ts";
import { ExecutionTimes } from "./execution-times.ts";
import { StateDigests, textOf } from "./state-digests.ts";

/** One thing that a run did. */
export interface HistoryEntry {
  /** Of the record: what `stateAt` and `fork` take. */
  readonly seq: number;
  readonly atMs: number;
  readonly kind:
    | "started"
    | "committed"
    | "branch"
    | "waiting"
    | "decided"
    | "failed"
    | "retrying"
    | "checkpoint"
    | "resumed"
    | "ended"
    | "cancelling"
    | "other";
  readonly path?: string;
  /** Visits made by then. */
  readonly step: number;
  /** Keys of the run's state that it changed. */
  readonly changed: readonly string[];
  /** Of the run's state then: equal states have equal digests, in any run. */
  readonly digest: Digest;
  readonly next?: readonly string[];
  readonly error?: NodeError;
  readonly name?: string;
  /** Of a visit that ended: how long it was executed, in milliseconds; barriers only wait. */
  readonly tookMs?: number;
  /** Of a barrier that was decided, or whose time was up: how long it had waited, in milliseconds. */
  readonly waitedMs?: number;
  /** Of a barrier that was decided: what, by whom, and why. */
  readonly decision?: DecidedEntry;
  /** Of a cancel, or of a run that was left: why, and who asked for it. */
  readonly reason?: string;
  readonly by?: string;
}

/** How a barrier came out. */
export interface DecidedEntry {
  readonly kind: "approve" | "reject" | "modify" | "reroute" | "timeout";
  readonly by?: string;
  readonly reason?: string;
  readonly payload?: unknown;
  /** Of a modification: what it put into the state. */
  readonly set?: Values;
  /** Of a rerouting: where it went on. */
  readonly to?: string;
  /** Of a timeout: what was done instead. */
  readonly default?: "approve" | "reject" | "skip";
}

/** Where to look, and what reads values. */
export interface LookOptions {
  readonly journals: JournalStore;
  readonly codec: ValueCodec;
}

const KINDS: Readonly<Record<FlowRecord["k"], HistoryEntry["kind"]>> = {
  start: "started",
  c: "committed",
  b: "branch",
  wait: "waiting",
  out: "decided",
  x: "failed",
  retry: "retrying",
  cp: "checkpoint",
  resume: "resumed",
  end: "ended",
  fan: "other",
  more: "other",
  sub: "other",
  join: "other",
  once: "other",
  dec: "other",
  revoke: "other",
  cancel: "cancelling",
  left: "other",
  edit: "other",
};

/** Everything a run did, oldest first. */
export function history(run: string, { journals, codec }: LookOptions): Result<readonly HistoryEntry[], Problem> {
  const entries: HistoryEntry[] = [];
  let before: Values = {};
  const digests = new StateDigests();
  let digest = digests.of(before);
  const times = new ExecutionTimes();
  let ended: readonly [path: string, tookMs: number] | undefined;
  const sink = (event: FlowEvent) => {
    const tookMs = times.take(event);
    if (tookMs !== undefined && "path" in event) ended = [event.path, tookMs];
  };
  const each = (state: RunState, record: FlowRecord, seq: number) => {
    const now = state.frames.get(ROOT)!.values;
    const changed = now === before ? [] : changedKeys(before, now);
    if (now !== before) digest = digests.of(now);
    before = now;
    const path = "v" in record && record.v !== undefined ? { path: record.v } : {};
    const error = "error" in record && record.error !== undefined ? { error: record.error } : {};
    const next = record.k === "c" ? { next: [...(record.n ?? []), ...(record.j ?? [])] } : {};
    const name = record.k === "cp" ? { name: record.name } : {};
    const took = "v" in record && ended?.[0] === record.v ? { tookMs: ended[1] } : {};
    ended = undefined;
    if (record.k === "edit") times.restart();
    entries.push({
      seq,
      atMs: state.lastMs,
      kind: KINDS[record.k],
      step: state.step,
      changed,
      digest,
      ...path,
      ...next,
      ...error,
      ...name,
      ...took,
      ...(record.k === "out" ? { decision: decidedOf(record, codec), ...waitedAt(state, record.v) } : {}),
      ...(record.k === "cancel" || record.k === "left" ? { reason: record.reason } : {}),
      ...(record.k === "cancel" && record.by !== undefined ? { by: record.by } : {}),
    });
  };
  const state = peekRun(journals, run, { codec, sink, each });
  return state.ok ? ok(entries) : state;
}

/** A barrier is open until the record after its outcome. */
function waitedAt({ visits, lastMs }: RunState, visit: string): Pick<HistoryEntry, "waitedMs"> {
  const phase = visits.get(visit)?.phase;
  return phase?.kind === "barrier" ? { waitedMs: lastMs - phase.openedMs } : {};
}

function decidedOf({ decision, by, timedOut }: Extract<FlowRecord, { k: "out" }>, codec: ValueCodec): DecidedEntry {
  if (decision === undefined) return { kind: "timeout", default: timedOut ?? "reject" };
  const who = by === undefined ? {} : { by };
  switch (decision.kind) {
    case "modify":
      return { kind: "modify", ...who, set: decodeAll(decision.set, { decode: (json) => codec.decode(json) }) };
    case "reroute":
      return { kind: "reroute", ...who, to: decision.to };
    default: {
      const payload = decision.payload === undefined ? {} : { payload: codec.decode(decision.payload) };
      return {
        kind: decision.kind,
        ...who,
        ...(decision.kind === "reject" ? { reason: decision.reason } : {}),
        ...payload,
      };
    }
  }
}

function changedKeys(before: Values, now: Values): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...keys].filter((key) => before[key] !== now[key]);
}

/** The state of a run after a record; `seq` left out: now. `flow-record-unknown` if there is no such record. */
export function stateAt(run: string, options: LookOptions & { readonly seq?: number }): Result<Values, Problem> {
  const state = stateThrough(run, options.seq, options);
  return state.ok ? ok(state.value.frames.get(ROOT)!.values) : state;
}

/** All of a run after a record. */
export function stateThrough(
  run: string,
  seq: number | undefined,
  { journals, codec }: LookOptions,
): Result<RunState, Problem> {
  if (seq === undefined) return peekRun(journals, run, { codec });
  const state = peekRun(journals, run, { codec, throughSeq: Math.max(seq, 1) });
  return !state.ok || state.value.seq === seq ? state : err(unknownRecord(run, seq, state.value.seq));
}

function unknownRecord(run: string, seq: number, last: number): Problem {
  return problem("flow-record-unknown", `the run "${run}" has no record ${seq}`, {
    facts: [["records", seq > last ? `1 to ${last}` : "from 1 on"]],
    next: "Take a number that its history lists.",
  });
}

/** Every event of a run, again: the same numbers and the same contents at every telling. */
export function eventsOf(run: string, { journals, codec }: LookOptions): Result<readonly FlowEvent[], Problem> {
  const events: FlowEvent[] = [];
  const state = peekRun(journals, run, { codec, sink: (event) => events.push(event) });
  return state.ok ? ok(events) : state;
}

/** One key that differs. */
export interface StateDifference {
  readonly key: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** How two states differ, by key. */
export function diffStates(before: Values, after: Values): readonly StateDifference[] {
  return changedKeys(before, after)
    .filter((key) => !isEqual(key, before, after))
    .sort()
    .map((key) => ({
      key,
      ...(Object.hasOwn(before, key) ? { before: before[key] } : {}),
      ...(Object.hasOwn(after, key) ? { after: after[key] } : {}),
    }));
}

function isEqual(key: string, before: Values, after: Values): boolean {
  if (!Object.hasOwn(before, key) || !Object.hasOwn(after, key)) return false;
  return textOf(before[key]) === textOf(after[key]);
}
