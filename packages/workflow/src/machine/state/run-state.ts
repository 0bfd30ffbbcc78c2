/**
 * The state of a run: a fold of its journal.
 *
 * Owns:      open visits, frames (the run itself and each running subgraph), decisions that wait.
 * Invariant: what has settled is folded away: memory grows with what is open, never with the steps made. Values of a
 *            frame are replaced, never changed, so a visit keeps what it saw when it began.
 *
 * Visits are named by paths: `plan#1` in the run's frame, `gather#2/0` a branch, `sub#1/check#3` inside of a subgraph.
 */
import type { Digest, Json } from "@kahn/core";
import type { FailureClass, NodeError } from "../../definition/failure.ts";
import type { AnyNode, ParentOutcome } from "../../definition/nodes.ts";
import type { GraphStructure } from "../../definition/structure.ts";
import type { AcceptedPayload, DecisionRecord, RecordedDecision, WriteSet } from "./records.ts";

/** Values by key. */
export type Values = Readonly<Record<string, unknown>>;

/** What a visit does. */
export type VisitPhase =
  /** Is executed, or waits for its turn. */
  | { readonly kind: "active" }
  | {
      readonly kind: "barrier";
      readonly dueMs: number | undefined;
      readonly payload: Json | undefined;
      readonly accept: AcceptedPayload | undefined;
      readonly openedMs: number;
    }
  | { readonly kind: "backoff"; readonly dueMs: number }
  | { readonly kind: "fan"; readonly fan: Fan }
  | { readonly kind: "subgraph" };

/** The branches of a visit. */
export interface Fan {
  readonly names: readonly string[] | undefined;
  readonly items: readonly unknown[] | undefined;
  readonly count: number;
  /** How many have been started. */
  started: number;
  /** What those that are done wrote, by name, in order of completion. */
  readonly done: Map<string, readonly WriteSet[]>;
  readonly failed: Map<string, NodeError>;
}

/** One visit of a node. */
export interface Visit {
  readonly id: string;
  readonly node: string;
  readonly occurrence: number;
  readonly frame: string;
  /** The visit whose branch this is. */
  readonly parent: string | undefined;
  /** The frame's values when it began; replaced by a fork that sets some. */
  input: Values;
  attempt: number;
  phase: VisitPhase;
  error: NodeError | undefined;
  parents: Readonly<Record<string, ParentOutcome>> | undefined;
  once: Record<string, Json> | undefined;
  /** Looked up by the machine when it is first needed; not part of the fold. */
  definition: AnyNode | undefined;
}

/** Whether something that a visit is in has failed, so that nothing below it matters. */
export function isDead(state: RunState, visit: Visit): boolean {
  for (let above = ownerOf(state, visit); above !== undefined; above = ownerOf(state, above)) {
    if (above.error !== undefined) return true;
  }
  return false;
}

/** The visit that a visit is in: the fan whose branch it is, or whose subgraph it is in. */
function ownerOf({ frames, visits }: RunState, { parent, frame }: Visit): Visit | undefined {
  const id = parent ?? frames.get(frame)!.owner;
  return id === undefined ? undefined : visits.get(id);
}

/**
 * Whether a visit is a barrier that waits for somebody. One that has failed, or is in what has, waits no more unless its
 * run is resumed.
 */
export function isWaiting(state: RunState, visit: Visit): boolean {
  return visit.phase.kind === "barrier" && visit.error === undefined && !isDead(state, visit);
}

/** A graph that runs: the run's own, or a subgraph's. */
export interface Frame {
  readonly id: string;
  /** The visit whose subgraph it is. */
  readonly owner: string | undefined;
  values: Values;
  /** Reducers by key. */
  keys: Readonly<Record<string, string>>;
  steps: number;
  /** Visits of each node so far. */
  readonly counts: Map<string, number>;
  /** How often counted edges were taken. */
  readonly edges: Map<string, number>;
  /** Tokens that wait at joins: by node, the parents that arrived. */
  readonly joins: Map<string, Map<string, number>>;
  /** Joins that have fired on a part of their parents: later tokens of the same round are absorbed. */
  readonly fired: Map<string, number>;
  /** What became of tokens that ended, by the node where they did. */
  readonly ends: Map<string, ParentOutcome>;
  open: number;
  ended: boolean;
}

/** A decision that waits for its barrier. */
export interface EarlyDecision {
  readonly token: string;
  readonly v: string;
  readonly decision: RecordedDecision;
  readonly by: string | undefined;
}

/** A decision for every occurrence of a barrier. */
export interface Wildcard {
  readonly token: string;
  readonly node: string;
  readonly decision: RecordedDecision;
  readonly by: string | undefined;
  readonly untilMs: number | undefined;
  left: number | undefined;
}

/** All of a run. */
export interface RunState {
  readonly run: string;
  readonly graph: string;
  version: string;
  hash: Digest;
  structure: GraphStructure;
  /** Where the times of its records count from. */
  readonly startedMs: number;
  /** When it was made: of a fork, later than it started. */
  readonly madeMs: number;
  /** Counts owners from 1: the start, and each resumption. */
  epoch: number;
  /** Who executed it last, if that was told. */
  owner: string | undefined;
  readonly trace: string;
  readonly key: string | undefined;
  readonly parent: { readonly run: string; readonly seq: number } | undefined;
  labels: Readonly<Record<string, string>>;
  maxSteps: number;
  status: "running" | "completed" | "failed" | "cancelled";
  /** A cancel was asked for and has not ended the run yet. */
  cancelling: { readonly reason: string; readonly by: string | undefined } | undefined;
  error: NodeError | undefined;
  /** Records folded. */
  seq: number;
  /** Events told so far: the number of the last. */
  events: number;
  step: number;
  cost: number;
  lastMs: number;
  readonly frames: Map<string, Frame>;
  readonly visits: Map<string, Visit>;
  early: EarlyDecision[];
  wildcards: Wildcard[];
  decisions: number;
  /** The last commands from other processes with what was answered, so that none is carried out twice. */
  commands: { readonly id: string; readonly ack: DecisionRecord["ack"] | "done"; readonly token: string }[];
  checkpoints: { readonly name: string; readonly seq: number }[];
}

/** How many answered commands are remembered. */
export const COMMANDS_KEPT = 256;

/** The frame of the run itself. */
export const ROOT = "";

/** A frame in which nothing has happened yet. */
export function newFrame(id: string, owner: string | undefined, keys: Frame["keys"]): Frame {
  return {
    id,
    owner,
    values: {},
    keys,
    steps: 0,
    counts: new Map(),
    edges: new Map(),
    joins: new Map(),
    fired: new Map(),
    ends: new Map(),
    open: 0,
    ended: false,
  };
}

/** Opens a visit of a frame's node. */
export function openVisit(state: RunState, frame: Frame, node: string): Visit {
  const occurrence = (frame.counts.get(node) ?? 0) + 1;
  frame.counts.set(node, occurrence);
  frame.steps++;
  frame.open++;
  state.step++;
  const prefix = frame.id === ROOT ? "" : `${frame.id}/`;
  return addVisit(state, {
    id: `${prefix}${node}#${occurrence}`,
    node,
    occurrence,
    frame: frame.id,
    parent: undefined,
    input: frame.values,
  });
}

/** Opens a branch of a visit. */
export function openBranch(state: RunState, parent: Visit, name: string): Visit {
  return addVisit(state, {
    id: `${parent.id}/${name}`,
    node: name,
    occurrence: parent.occurrence,
    frame: parent.frame,
    parent: parent.id,
    input: parent.input,
  });
}

function addVisit(
  state: RunState,
  head: Pick<Visit, "id" | "node" | "occurrence" | "frame" | "parent" | "input">,
): Visit {
  const { id, node, occurrence, frame, parent, input } = head;
  // Written out with every member: a spread, or a member added later, costs four times the memory and time.
  const visit: Visit = {
    id,
    node,
    occurrence,
    frame,
    parent,
    input,
    attempt: 1,
    phase: ACTIVE,
    error: undefined,
    parents: undefined,
    once: undefined,
    definition: undefined,
  };
  state.visits.set(visit.id, visit);
  return visit;
}

/** The phase of a visit that is executed. */
export const ACTIVE: VisitPhase = { kind: "active" };

/** Classes that a retry does not help by itself. */
export const FINAL_CLASSES: readonly FailureClass[] = ["Terminal", "Conflict", "Cancelled"];
