/**
 * Looking back: what a run did, what its state was, how two states differ, and what a changed graph would have done.
 *
 * Never: executes anything, or changes a journal.
 */
import type { JournalStore, Json, Problem, Result } from "@kahn/core";
import { canonicalJson, ok } from "@kahn/core";
import type { NodeError } from "../definition/failure.ts";
import type { FlowGraph } from "../definition/nodes.ts";
import type { FlowEvent } from "../machine/events.ts";
import type { CommitRecord, FlowRecord } from "../machine/records.ts";
import { routeConditional, routeError, routeNormal, routeTo } from "../machine/route.ts";
import type { RunState, Values, Visit } from "../machine/run-state.ts";
import { ROOT } from "../machine/run-state.ts";
import type { ValueCodec } from "../machine/values.ts";
import { applySets } from "../machine/writes.ts";
import { peekRun } from "./loading.ts";

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
    | "other";
  readonly path?: string;
  /** Visits made by then. */
  readonly step: number;
  /** Keys of the run's state that it changed. */
  readonly changed: readonly string[];
  readonly next?: readonly string[];
  readonly error?: NodeError;
  readonly name?: string;
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
  cancel: "other",
  left: "other",
  edit: "other",
};

/** Everything a run did, oldest first. */
export function history(run: string, { journals, codec }: LookOptions): Result<readonly HistoryEntry[], Problem> {
  const entries: HistoryEntry[] = [];
  let before: Values = {};
  const each = (state: RunState, record: FlowRecord, seq: number) => {
    const now = state.frames.get(ROOT)!.values;
    const changed = now === before ? [] : changedKeys(before, now);
    before = now;
    const path = "v" in record && record.v !== undefined ? { path: record.v } : {};
    const error = "error" in record && record.error !== undefined ? { error: record.error } : {};
    const next = record.k === "c" ? { next: [...(record.n ?? []), ...(record.j ?? [])] } : {};
    const name = record.k === "cp" ? { name: record.name } : {};
    entries.push({
      seq,
      atMs: state.lastMs,
      kind: KINDS[record.k],
      step: state.step,
      changed,
      ...path,
      ...next,
      ...error,
      ...name,
    });
  };
  const state = peekRun(journals, run, { codec, each });
  return state.ok ? ok(entries) : state;
}

function changedKeys(before: Values, now: Values): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...keys].filter((key) => before[key] !== now[key]);
}

/** The state of a run after a record; `seq` left out: now. */
export function stateAt(run: string, options: LookOptions & { readonly seq?: number }): Result<Values, Problem> {
  const { journals, codec, seq } = options;
  const state = peekRun(journals, run, { codec, ...(seq === undefined ? {} : { throughSeq: seq }) });
  return state.ok ? ok(state.value.frames.get(ROOT)!.values) : state;
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
    .filter((key) => textOf(before[key]) !== textOf(after[key]))
    .sort()
    .map((key) => ({
      key,
      ...(Object.hasOwn(before, key) ? { before: before[key] } : {}),
      ...(Object.hasOwn(after, key) ? { after: after[key] } : {}),
    }));
}

function textOf(value: unknown): string {
  return value === undefined ? "" : canonicalJson(value as Json);
}

/** A place where a changed graph would not have done what the journal says. */
export interface ReplayDifference {
  readonly seq: number;
  readonly path: string;
  readonly what: "node-missing" | "key-missing" | "route" | "cannot-route";
  readonly recorded: readonly string[];
  readonly now: readonly string[];
  readonly why?: string;
}

/**
 * Goes through a real journal with another version of its graph: no node runs, and what each wrote is taken from the
 * journal; its way on is asked of the new graph. Empty: every run like this one would go the same way.
 */
export function replay(
  run: string,
  graph: FlowGraph,
  { journals, codec }: LookOptions,
): Result<readonly ReplayDifference[], Problem> {
  const differences: ReplayDifference[] = [];
  const visits = new Map<
    string,
    { readonly visit: Visit; readonly frame: RunState["frames"] extends Map<string, infer F> ? F : never }
  >();
  const each = (state: RunState, record: FlowRecord, seq: number) => {
    const open = record.k === "c" ? visits.get(record.v) : undefined;
    if (record.k === "c" && open !== undefined) {
      const found = compareRoute(record, { graph, ...open, codec });
      if (found !== undefined) differences.push({ seq, path: record.v, ...found });
    }
    visits.clear();
    const root = state.frames.get(ROOT)!;
    // A copy: folding goes on with the frame itself.
    const frame = { ...root, edges: new Map(root.edges) };
    for (const visit of state.visits.values()) {
      if (visit.frame === ROOT && visit.parent === undefined) visits.set(visit.id, { visit, frame });
    }
  };
  const state = peekRun(journals, run, { codec, each });
  return state.ok ? ok(differences) : state;
}

type Found = Omit<ReplayDifference, "seq" | "path">;

interface RouteQuestion {
  readonly graph: FlowGraph;
  readonly visit: Visit;
  readonly frame: NonNullable<ReturnType<RunState["frames"]["get"]>>;
  readonly codec: ValueCodec;
}

function compareRoute(record: CommitRecord, { graph, visit, frame, codec }: RouteQuestion): Found | undefined {
  const recorded = [...(record.n ?? []), ...(record.j ?? [])];
  if (!graph.nodes.has(visit.node)) return { what: "node-missing", recorded, now: [] };
  const written = Object.keys({ ...record.s, ...record.r, ...record.p });
  const missing = written.filter((key) => !Object.hasOwn(graph.schema.keys, key));
  if (missing.length > 0) return { what: "key-missing", recorded: missing, now: [] };
  if (record.end === 1 || record.how === "timeout" || record.g === 1) return undefined;
  const applied = applySets(frame, [record], { decode: (json) => codec.decode(json) });
  const values = applied.ok ? applied.value : frame.values;
  const place = { graph, frame, visit, after: () => values, facts: {} };
  try {
    if (record.how === "error")
      return sameWay(recorded, record.error === undefined ? undefined : routeError(place, record.error)?.to);
    if (record.go === 1) {
      const target = recorded[0];
      const legal = target === undefined ? undefined : routeTo(place, target);
      return legal?.ok === false ? { what: "cannot-route", recorded, now: [], why: legal.problem.message } : undefined;
    }
    const conditional = routeConditional(place);
    const routed = conditional === undefined ? routeNormal(place) : ok(conditional);
    if (routed.ok) return sameWay(recorded, routed.value.to);
    return { what: "cannot-route", recorded, now: [], why: routed.problem.message };
  } catch (thrown) {
    return { what: "cannot-route", recorded, now: [], why: String(thrown) };
  }
}

function sameWay(recorded: readonly string[], now: readonly string[] = []): Found | undefined {
  const isSame = recorded.length === now.length && recorded.every((node) => now.includes(node));
  return isSame ? undefined : { what: "route", recorded, now };
}
