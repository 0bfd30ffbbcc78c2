/**
 * Snapshots: a folded state beside the journal, so that a resume reads only what came after it.
 *
 * Invariant: a snapshot is an accelerator and nothing else: losing one costs time, and one that cannot be read is
 *            passed over. It is written after the commit that it includes.
 */
import type { Clock, Journal, Json } from "@kahn/core";
import { ProblemError } from "@kahn/core";
import type { ParentOutcome } from "../../definition/nodes.ts";
import type { Desk } from "../../machine/moves/desk.ts";
import type { FlowRecord, WriteSet } from "../../machine/state/records.ts";
import type { Fan, Frame, RunState, Values, Visit, VisitPhase } from "../../machine/state/run-state.ts";
import { freeze, type ValueCodec } from "../../machine/state/values.ts";

/** When snapshots are written. */
export type SnapshotPolicy =
  | { readonly kind: "manual" }
  /** After every commit of a node. */
  | { readonly kind: "every-node" }
  /** When a barrier opens and when the run ends. */
  | { readonly kind: "barrier" }
  /** After so many records; after more, if the snapshot would have to tell of more open visits than that. */
  | { readonly kind: "every"; readonly records: number }
  | { readonly kind: "interval"; readonly everyMs: number }
  /**
   * When what a resume would repeat or read has become worth it: a point for each millisecond since the last snapshot,
   * 1,000 for each unit of cost, 10,000 for a node with side effects. The threshold is 100, unless it is given.
   */
  | { readonly kind: "adaptive"; readonly threshold?: number };

const ADAPTIVE_THRESHOLD = 100;
const DEFAULT_EVERY = 5000;

/** Decides after each append; `undefined` when only `checkpoint()` writes snapshots. */
export function snapshotWriter(
  policy: SnapshotPolicy = { kind: "every", records: DEFAULT_EVERY },
  clock: Clock,
): ((journal: Journal, desk: Desk, records: readonly FlowRecord[]) => void) | undefined {
  if (policy.kind === "manual") return undefined;
  const last = new WeakMap<Desk, Measure>();
  return (journal, desk, records) => {
    const now = { seq: desk.state.seq, ms: clock.monotonicMs(), cost: desk.state.cost, weight: 0 };
    const before = last.get(desk) ?? { seq: 0, ms: now.ms, cost: 0, weight: 0 };
    if (!last.has(desk)) last.set(desk, before);
    if (!isDue(policy, { records, now, before, desk })) return;
    last.set(desk, now);
    // Refused for lack of room: the journal has everything that matters.
    journal.writeSnapshot(snapshotOf(desk.state, desk.codec));
  };
}

interface Measure {
  readonly seq: number;
  readonly ms: number;
  readonly cost: number;
  /** What the snapshot would have to tell when it was last thought of: not worth it for fewer records than that. */
  weight: number;
}

function isDue(
  policy: SnapshotPolicy,
  { records, now, before, desk }: { records: readonly FlowRecord[]; now: Measure; before: Measure; desk: Desk },
): boolean {
  switch (policy.kind) {
    case "every-node":
      return records.some((record) => record.k === "c");
    case "barrier":
      return records.some((record) => record.k === "wait" || record.k === "end");
    case "every": {
      const records = now.seq - before.seq;
      if (records < Math.max(policy.records, before.weight)) return false;
      before.weight = weightOf(desk.state);
      return records >= before.weight;
    }
    case "interval":
      return now.ms - before.ms >= policy.everyMs;
    case "adaptive": {
      const acts = records.filter((record) => record.k === "c" && hasSideEffects(desk, record.v)).length;
      const score = now.ms - before.ms + 1000 * (now.cost - before.cost) + 10_000 * acts;
      return score >= (policy.threshold ?? ADAPTIVE_THRESHOLD);
    }
    default:
      return false;
  }
}

/** How much a snapshot would have to tell: open visits, and branches that are done. */
function weightOf({ visits }: RunState): number {
  let weight = visits.size;
  for (const { phase } of visits.values()) if (phase.kind === "fan") weight += phase.fan.done.size;
  return weight;
}

function hasSideEffects(desk: Desk, visit: string): boolean {
  const node = desk.graph.nodes.get(visit.replace(/#\d+$/, ""));
  return node !== undefined && "sideEffects" in node && node.sideEffects === true;
}

const FORMAT = 1;

/** A state as JSON. */
export function snapshotOf(state: RunState, codec: ValueCodec): Json {
  const encodeAll = (values: Values) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, encoded(codec, value)]));
  const inputs = new Map<Values, number>();
  const tables: Json[] = [];
  const inputOf = (values: Values): number => {
    const known = inputs.get(values);
    if (known !== undefined) return known;
    inputs.set(values, tables.length);
    tables.push(encodeAll(values) as Json);
    return tables.length - 1;
  };
  const { frames, visits, ...rest } = state;
  const frameList = [...frames.values()].map((frame) => ({ ...frameJson(frame), values: inputOf(frame.values) }));
  const visitList = [...visits.values()].map(({ definition: _, ...visit }) => ({
    ...visit,
    input: inputOf(visit.input),
    phase: phaseJson(visit.phase, codec),
  }));
  return { format: FORMAT, rest, frames: frameList, visits: visitList, tables } as unknown as Json;
}

function encoded(codec: ValueCodec, value: unknown): Json {
  const json = codec.encode(value);
  if (!json.ok) throw new ProblemError(json.problem);
  return json.value;
}

function frameJson({ values: _, counts, edges, joins, fired, ends, ...rest }: Frame) {
  const waiting = [...joins].map(([node, from]) => [node, [...from]]);
  return { ...rest, counts: [...counts], edges: [...edges], joins: waiting, fired: [...fired], ends: [...ends] };
}

function phaseJson(phase: VisitPhase, codec: ValueCodec): unknown {
  if (phase.kind !== "fan") return phase;
  const { done, failed, items, ...rest } = phase.fan;
  return {
    kind: "fan",
    fan: {
      ...rest,
      items: items === undefined ? undefined : encoded(codec, items),
      done: [...done],
      failed: [...failed],
    },
  };
}

interface SnapshotJson {
  readonly format: number;
  readonly rest: Omit<RunState, "frames" | "visits">;
  readonly frames: readonly (Omit<Frame, "values" | "counts" | "edges" | "joins" | "fired" | "ends"> & {
    readonly values: number;
    readonly counts: [string, number][];
    readonly edges: [string, number][];
    readonly joins: [string, [string, number][]][];
    readonly fired: [string, number][];
    readonly ends: [string, ParentOutcome][];
  })[];
  readonly visits: readonly (Omit<Visit, "input" | "phase"> & { readonly input: number; readonly phase: PhaseJson })[];
  readonly tables: readonly Readonly<Record<string, Json>>[];
}

type PhaseJson =
  | Exclude<VisitPhase, { kind: "fan" }>
  | {
      readonly kind: "fan";
      readonly fan: Omit<Fan, "items" | "done" | "failed"> & {
        items?: Json;
        done: [string, WriteSet[]][];
        failed: [string, never][];
      };
    };

/**
 * The state of a snapshot; `undefined` for one that this version does not read, or whose values are gone: a collection
 * keeps what journals name, and a merged value of a snapshot is in no journal.
 */
export function restoreSnapshot(json: Json, codec: ValueCodec): RunState | undefined {
  const snapshot = json as unknown as SnapshotJson;
  if (snapshot.format !== FORMAT) return undefined;
  try {
    return stateOf(snapshot, codec);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

function stateOf(snapshot: SnapshotJson, codec: ValueCodec): RunState {
  const tables = snapshot.tables.map((table) =>
    Object.fromEntries(Object.entries(table).map(([key, value]) => [key, codec.decode(value)])),
  );
  const { rest } = snapshot;
  const state: RunState = {
    ...rest,
    key: rest.key,
    epoch: rest.epoch ?? 1,
    owner: rest.owner,
    parent: rest.parent,
    labels: rest.labels ?? {},
    cancelling: rest.cancelling,
    error: rest.error,
    early: [...rest.early],
    wildcards: rest.wildcards.map((each) => ({ ...each, left: each.left, untilMs: each.untilMs, by: each.by })),
    commands: [...rest.commands],
    checkpoints: [...rest.checkpoints],
    frames: new Map(),
    visits: new Map(),
  };
  for (const frame of snapshot.frames) state.frames.set(frame.id, frameOf(frame, tables[frame.values]!));
  for (const visit of snapshot.visits) {
    const { error, parents, once, parent } = visit;
    state.visits.set(visit.id, {
      ...visit,
      parent,
      error,
      parents,
      once,
      input: tables[visit.input]!,
      phase: phaseOf(visit.phase, codec),
    });
  }
  return state;
}

function frameOf(json: SnapshotJson["frames"][number], values: Values): Frame {
  return {
    ...json,
    owner: json.owner,
    values,
    counts: new Map(json.counts),
    edges: new Map(json.edges),
    joins: new Map(json.joins.map(([node, from]) => [node, new Map(from)])),
    fired: new Map(json.fired),
    ends: new Map(json.ends),
  };
}

function phaseOf(phase: PhaseJson, codec: ValueCodec): VisitPhase {
  if (phase.kind === "barrier") {
    const { dueMs, payload, accept, openedMs } = phase;
    return { kind: "barrier", dueMs, payload, accept, openedMs };
  }
  if (phase.kind !== "fan") return phase;
  const { items, done, failed, names, ...rest } = phase.fan;
  const decoded = items === undefined ? undefined : (freeze(codec.decode(items)) as readonly unknown[]);
  return { kind: "fan", fan: { ...rest, names, items: decoded, done: new Map(done), failed: new Map(failed) } };
}
