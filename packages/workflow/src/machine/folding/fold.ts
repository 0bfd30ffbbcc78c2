/**
 * The fold: a run's state from its journal, record by record, and the events that tell of it.
 *
 * Never:     runs code of the graph: what a record holds is enough, for a run must be readable without its program.
 * Invariant: equal records give equal states and equal events. State is linear: `fold` changes what it is given.
 */
import type { Json } from "@kahn/core";
import { InvariantError, unreachable } from "@kahn/core";
import type { CommitRecord, FlowRecord, StartRecord, WriteSet } from "../state/records.ts";
import type { Fan, Frame, RunState, Values, Visit } from "../state/run-state.ts";
import { newFrame, openBranch, openVisit, ROOT } from "../state/run-state.ts";
import { closeVisit, dropDescendants, dropFrame } from "./closing.ts";
import { decodeAll, type FoldContext, fanOf, frameOf, type Place, startNode, tell, visitOf } from "./context.ts";
import { foldDecision } from "./decisions.ts";
import { foldEdit, foldRun } from "./run.ts";
import { applySets, writtenKeys } from "./writes.ts";

/** The state after the first record of a journal. */
export function foldStart(record: StartRecord, context: FoldContext): RunState {
  const state: RunState = {
    run: record.run,
    graph: record.graph,
    version: record.version,
    hash: record.hash,
    structure: record.structure,
    startedMs: record.atMs,
    madeMs: record.madeMs ?? record.atMs,
    epoch: 1,
    owner: record.owner,
    trace: record.trace,
    key: record.key,
    parent: record.parent,
    labels: record.labels ?? {},
    maxSteps: record.maxSteps,
    status: "running",
    cancelling: undefined,
    error: undefined,
    seq: 1,
    events: 0,
    step: 0,
    cost: 0,
    lastMs: record.atMs,
    frames: new Map(),
    visits: new Map(),
    early: [],
    wildcards: [],
    decisions: 0,
    commands: [],
    checkpoints: [],
  };
  const root = newFrame(ROOT, undefined, record.structure.keys);
  root.values = decodeAll(record.state, context);
  state.frames.set(ROOT, root);
  const { graph, version, trace } = record;
  tell(state, context, () => ({ type: "run.started", graph, version, trace, state: record.state }));
  if (record.start !== "") startNode({ state, context, frame: root }, record.start);
  return state;
}

/** Applies one record. */
export function fold(state: RunState, record: FlowRecord, context: FoldContext): void {
  state.seq++;
  if ("t" in record) state.lastMs = state.startedMs + record.t;
  switch (record.k) {
    case "c":
      foldCommit(state, record, context);
      return;
    case "b":
      foldBranch(state, record, context);
      return;
    case "fan":
      foldFan(state, record, context);
      return;
    case "more":
      startBranches({ state, context }, visitOf(state, record.v), record.by);
      return;
    case "sub":
      foldSubgraph(state, record, context);
      return;
    case "retry":
      foldRetry(state, record, context);
      return;
    case "x":
      foldFailure(state, record, context);
      return;
    case "join":
      foldJoin(state, record, context);
      return;
    case "once": {
      const visit = visitOf(state, record.v);
      visit.once = { ...visit.once, [record.name]: record.value };
      return;
    }
    case "wait":
    case "out":
    case "dec":
    case "revoke":
      foldDecision(state, record, (body) => tell(state, context, body));
      return;
    case "edit":
      foldEdit(state, record, context);
      return;
    case "cp":
    case "cancel":
    case "end":
    case "left":
    case "resume":
      foldRun(state, record, context);
      return;
    case "start":
      throw new InvariantError("a journal has one start");
    default:
      unreachable(record);
      return;
  }
}

function foldCommit(state: RunState, record: CommitRecord, context: FoldContext): void {
  const visit = visitOf(state, record.v);
  const frame = frameOf(state, visit.frame);
  const { how, why, error, cost, observed } = record;
  dropDescendants(state, visit, (body) => tell(state, context, body));
  if (observed !== undefined) tell(state, context, () => ({ type: "observed", path: visit.id, error: observed }));
  applyWrites({ state, context, frame }, visit, writesOf(visit, record));
  if (cost !== undefined) state.cost += cost;
  tell(state, context, () => ({
    type: "node.committed",
    path: visit.id,
    node: visit.node,
    next: [...(record.n ?? []), ...(record.j ?? [])],
    ...(how === undefined ? {} : { how }),
    ...(why === undefined ? {} : { why }),
    ...(error === undefined ? {} : { error }),
    ...(cost === undefined ? {} : { cost }),
  }));
  closeVisit(state, visit);
  for (const edge of record.e ?? []) frame.edges.set(edge, (frame.edges.get(edge) ?? 0) + 1);
  if (how === "error") frame.ends.set(visit.node, error?.class === "Cancelled" ? "cancelled" : "failed");
  else if (frame.ends.size > 0) frame.ends.delete(visit.node);
  for (const node of record.n ?? []) startNode({ state, context, frame }, node);
  for (const node of record.j ?? []) arrive(frame, node, visit.node);
  if (record.end === 1) {
    frame.ended = true;
    dropFrame(state, frame, (body) => tell(state, context, body));
  }
}

function arrive(frame: Frame, node: string, from: string): void {
  const waiting = frame.joins.get(node) ?? new Map<string, number>();
  waiting.set(from, (waiting.get(from) ?? 0) + 1);
  frame.joins.set(node, waiting);
}

/** What a visit wrote in all: its branches first, if it has any that are merged. */
function writesOf(visit: Visit, record: CommitRecord | Extract<FlowRecord, { k: "b" }>): readonly WriteSet[] {
  const own = hasWrites(record) ? [record] : [];
  if (record.g !== 1 || visit.phase.kind !== "fan") return own;
  const merged = mergedWrites(visit.phase.fan, record.o !== undefined);
  // The outcomes of custom reducers are in the commit: those writes of the branches have been counted.
  const outcomes = record.k === "c" ? Object.keys(record.p ?? {}) : [];
  return [...merged.map((set) => without(set, outcomes)), ...own];
}

function hasWrites({ s, p, r, d }: WriteSet): boolean {
  return s !== undefined || p !== undefined || r !== undefined || d !== undefined;
}

function without(set: WriteSet, keys: readonly string[]): WriteSet {
  if (keys.length === 0) return set;
  const left = (writes: WriteSet["s"]) =>
    writes === undefined ? {} : Object.fromEntries(Object.entries(writes).filter(([key]) => !keys.includes(key)));
  return { s: left(set.s), r: left(set.r), d: (set.d ?? []).filter((key) => !keys.includes(key)) };
}

/** What branches wrote, in the order in which it is reduced. */
export function mergedWrites(fan: Fan, byCompletion: boolean): readonly WriteSet[] {
  if (byCompletion) return [...fan.done.values()].flat();
  const names = fan.names ?? Array.from({ length: fan.count }, (_, index) => String(index));
  return names.flatMap((name) => fan.done.get(name) ?? []);
}

function applyWrites({ state, context, frame }: Place, visit: Visit, sets: readonly WriteSet[]): void {
  if (sets.length === 0) return;
  const before = frame.values;
  const { preview } = context;
  context.preview = undefined;
  frame.values = preview?.visit === visit.id ? preview.values : acceptedWrites(frame, sets, context);
  const { values } = frame;
  for (const key of writtenKeys(sets)) {
    // Whether two objects are one depends on who folds: a node may hand back what it was given, a journal never does.
    if (values[key] === before[key] && typeof values[key] !== "object") continue;
    tell(state, context, () => {
      const path = visit.id;
      return Object.hasOwn(values, key)
        ? { type: "state.changed", path, frame: frame.id, key, op: "put", value: values[key] as Json }
        : { type: "state.changed", path, frame: frame.id, key, op: "delete" };
    });
  }
}

/** The journal holds only writes that were accepted, so a refusal means that it was not written by us. */
function acceptedWrites(frame: Frame, sets: readonly WriteSet[], { decode }: FoldContext): Values {
  const written = applySets(frame, sets, { decode });
  if (!written.ok) throw new InvariantError(`a journalled write is refused: ${written.problem.message}`);
  return written.value;
}

function foldBranch(state: RunState, record: Extract<FlowRecord, { k: "b" }>, context: FoldContext): void {
  const visit = visitOf(state, record.v);
  const fan = fanOf(state, visit.parent!);
  dropDescendants(state, visit, (body) => tell(state, context, body));
  if (record.observed !== undefined) {
    tell(state, context, () => ({ type: "observed", path: visit.id, error: record.observed! }));
  }
  fan.done.set(visit.node, writesOf(visit, record));
  if (record.cost !== undefined) state.cost += record.cost;
  tell(state, context, () => ({
    type: "branch.committed",
    path: visit.id,
    node: visit.node,
    ...(record.cost === undefined ? {} : { cost: record.cost }),
  }));
  state.visits.delete(visit.id);
}

function foldFan(state: RunState, record: Extract<FlowRecord, { k: "fan" }>, context: FoldContext): void {
  const visit = visitOf(state, record.v);
  const items = record.items === undefined ? undefined : (context.decode(record.items) as readonly unknown[]);
  const fan = { names: record.names, items, count: record.count, started: 0, done: new Map(), failed: new Map() };
  visit.phase = { kind: "fan", fan };
  tell(state, context, () => ({ type: "fan.opened", path: visit.id, node: visit.node, count: record.count }));
}

function startBranches({ state, context }: Omit<Place, "frame">, visit: Visit, by: number): void {
  const fan = fanOf(state, visit.id);
  for (let left = by; left > 0; left--) {
    const name = fan.names?.[fan.started] ?? String(fan.started);
    fan.started++;
    const branch = openBranch(state, visit, name);
    tell(state, context, () => ({ type: "branch.started", path: branch.id, node: name, attempt: 1 }));
  }
}

function foldSubgraph(state: RunState, record: Extract<FlowRecord, { k: "sub" }>, context: FoldContext): void {
  const visit = visitOf(state, record.v);
  visit.phase = { kind: "subgraph" };
  const frame = newFrame(visit.id, visit.id, record.keys);
  frame.values = decodeAll(record.state, context);
  state.frames.set(frame.id, frame);
  tell(state, context, () => ({ type: "subgraph.opened", path: visit.id, node: visit.node }));
  startNode({ state, context, frame }, record.start);
}

function foldRetry(state: RunState, record: Extract<FlowRecord, { k: "retry" }>, context: FoldContext): void {
  const visit = visitOf(state, record.v);
  visit.attempt = record.attempt;
  visit.phase = { kind: "backoff", dueMs: record.dueMs };
  const { attempt, dueMs, error } = record;
  tell(state, context, () => ({ type: "node.retrying", path: visit.id, node: visit.node, attempt, dueMs, error }));
}

function foldFailure(state: RunState, record: Extract<FlowRecord, { k: "x" }>, context: FoldContext): void {
  const visit = visitOf(state, record.v);
  visit.error = record.error;
  tell(state, context, () => ({ type: "node.failed", path: visit.id, node: visit.node, error: record.error }));
  if (visit.parent === undefined) return;
  fanOf(state, visit.parent).failed.set(visit.node, record.error);
}

function foldJoin(state: RunState, record: Extract<FlowRecord, { k: "join" }>, context: FoldContext): void {
  const frame = frameOf(state, record.f);
  if (record.keep !== 1) frame.joins.delete(record.n);
  frame.fired.set(record.n, (frame.fired.get(record.n) ?? 0) + 1);
  const visit = openVisit(state, frame, record.n);
  visit.parents = record.parents;
  tell(state, context, () => ({ type: "join.fired", path: visit.id, node: record.n, parents: record.parents }));
  tell(state, context, () => ({
    type: "node.started",
    path: visit.id,
    node: record.n,
    attempt: 1,
    parents: record.parents,
  }));
}
