/**
 * The machine's desk: the state, what a step has produced so far, and what is still to be decided in it.
 *
 * Owns:      the queue of moves, so that deciding is a loop and never a recursion; what is in flight and what is being
 *            waited for before a move may be made.
 * Invariant: `emit` folds each record as it is produced, so every decision sees the state that readers will rebuild.
 */
import type { Json } from "@kahn/core";
import { InvariantError } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import { nodeErrorOf } from "../../definition/failure.ts";
import type { AnyNode, FlowGraph, RouteFacts } from "../../definition/nodes.ts";
import type { FoldContext } from "../folding/context.ts";
import { fold } from "../folding/fold.ts";
import type { FlowEvent } from "../state/events.ts";
import type { DecisionRecord, FlowRecord } from "../state/records.ts";
import type { Frame, RunState, Visit } from "../state/run-state.ts";
import { isDead, ROOT } from "../state/run-state.ts";
import type { ValueCodec } from "../state/values.ts";
import type { Output } from "./output.ts";

/** Why a running node is told to stop. */
export type AbortWhy = "cancelled" | "sibling-failed" | "not-needed" | "run-failed" | "left";

/** What the world is asked to do. */
export type FlowEffect =
  /** Start an attempt; answered by `succeeded` or `failed`. */
  | { readonly kind: "run"; readonly visit: Visit; readonly node: AnyNode; readonly attempt: number }
  | { readonly kind: "abort"; readonly visit: string; readonly why: AbortWhy }
  /** Tell at this wall time; a later effect for the same visit replaces it. */
  | { readonly kind: "timer"; readonly visit: string; readonly dueMs: number }
  /** Tell after the grace that those still in flight are to be given up. */
  | { readonly kind: "grace"; readonly id: number }
  | {
      readonly kind: "answer";
      readonly ack: DecisionRecord["ack"];
      readonly token: string;
      readonly why?: string;
      readonly again?: true;
    }
  /** The last: the run has ended, or is left in place. */
  | { readonly kind: "stopped"; readonly how: "completed" | "failed" | "cancelled" | "left" };

/** Something to be decided within a step. */
export type Move =
  | { readonly move: "launch"; readonly visit: Visit }
  | { readonly move: "complete"; readonly visit: Visit; readonly output: Output; readonly facts?: RouteFacts }
  | { readonly move: "fail"; readonly visit: Visit; readonly error: NodeError }
  /** A failure that is recorded already looks for whoever handles it. */
  | { readonly move: "escalate"; readonly visit: Visit; readonly error: NodeError }
  | { readonly move: "advance"; readonly visit: Visit }
  | { readonly move: "settle"; readonly frame: string };

/** Waits until nothing below a path is in flight. */
interface Drain {
  readonly id: number;
  readonly below: string;
  left: number;
  readonly then: () => void;
}

/** Why nothing is started any more. */
export type Stopping = {
  readonly how: "completed" | "failed" | "cancelled" | "left" | "passive";
  readonly error?: NodeError;
  readonly reason?: string;
};

/** See the head of the file. */
export class Desk {
  readonly graph: FlowGraph;
  readonly state: RunState;
  readonly codec: ValueCodec;
  readonly context: FoldContext;
  nowMs = 0;
  /** A number from 0 to 1, for jitter. */
  fraction = 0;
  records: FlowRecord[] = [];
  effects: FlowEffect[] = [];
  events: FlowEvent[] = [];
  readonly moves: Move[] = [];
  /** Attempts that run, by visit. */
  readonly inFlight = new Map<string, number>();
  stopping: Stopping | undefined;
  /** The number of the grace that ends the stopping. */
  stopGrace = 0;
  isStopped = false;
  #drains: Drain[] = [];
  #graces = 0;
  #wantsEvents: () => boolean;

  /** @param wantsEvents asked before events are made; they are numbered anyway. */
  constructor(options: { graph: FlowGraph; state: RunState; codec: ValueCodec; wantsEvents: () => boolean }) {
    this.graph = options.graph;
    this.state = options.state;
    this.codec = options.codec;
    this.#wantsEvents = options.wantsEvents;
    const sink = (event: FlowEvent) => void this.events.push(event);
    this.context = { decode: (json: Json) => options.codec.decode(json), sink };
    this.#sink = sink;
  }
  readonly #sink: (event: FlowEvent) => void;

  /** Records a fact and folds it. */
  emit(record: FlowRecord): void {
    (this.context as { sink: unknown }).sink = this.#wantsEvents() ? this.#sink : undefined;
    this.records.push(record);
    fold(this.state, record, this.context);
  }

  /** Milliseconds since the run began, for records. */
  get t(): number {
    return Math.max(this.state.lastMs, this.nowMs) - this.state.startedMs;
  }

  /** The graph of a frame. */
  graphOf(frame: Frame): FlowGraph {
    if (frame.owner === undefined) return this.graph;
    const node = this.nodeOf(this.state.visits.get(frame.owner)!);
    if (node?.kind !== "subgraph") throw new InvariantError(`${frame.owner} has a frame and is no subgraph`);
    return node.graph;
  }

  /** The node that a visit visits; `undefined` when the graph does not have it (any more). */
  nodeOf(visit: Visit): AnyNode | undefined {
    if (visit.definition !== undefined) return visit.definition;
    const found = this.#find(visit);
    if (found !== undefined) visit.definition = found;
    return found;
  }

  #find(visit: Visit): AnyNode | undefined {
    if (visit.parent === undefined) return this.graphOf(this.frameOf(visit)).nodes.get(visit.node);
    return this.branchOf(this.state.visits.get(visit.parent)!, visit.node);
  }

  /** The branch of an open fan, also one that has not begun. */
  branchOf(fan: Visit, name: string): AnyNode | undefined {
    const node = this.nodeOf(fan);
    if (node?.kind === "parallel") return node.branches[name] as AnyNode | undefined;
    if (node?.kind !== "map" || fan.phase.kind !== "fan") return undefined;
    const index = Number(name);
    return node.body(fan.phase.fan.items?.[index], index) as AnyNode;
  }

  /** The frame of a visit. */
  frameOf(visit: Visit): Frame {
    return this.state.frames.get(visit.frame)!;
  }

  /** See `isDead`. */
  isDead(visit: Visit): boolean {
    return isDead(this.state, visit);
  }

  /** Calls code of the graph, which may throw. */
  guard<T>(
    what: string,
    call: () => T,
  ): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: NodeError } {
    try {
      return { ok: true, value: call() };
    } catch (thrown) {
      const error = nodeErrorOf(thrown);
      return {
        ok: false,
        error: { ...error, class: "Terminal", code: "flow-code-failed", message: `${what} threw: ${error.message}` },
      };
    }
  }

  /**
   * Aborts what is in flight below a path (`""`: everywhere), and calls `then` once all of it has answered, at the
   * latest when the grace is over. With nothing in flight it is called at once.
   */
  drain(below: string, why: AbortWhy, then: () => void): void {
    let left = 0;
    for (const id of this.inFlight.keys()) {
      if (!isBelow(id, below)) continue;
      left++;
      this.effects.push({ kind: "abort", visit: id, why });
    }
    this.#drains = this.#drains.filter((each) => !(isBelow(each.below, below) && each.below !== below));
    if (left === 0) {
      then();
      return;
    }
    const drain = { id: ++this.#graces, below, left, then };
    this.#drains.push(drain);
    this.effects.push({ kind: "grace", id: drain.id });
  }

  /** Whether the outcome of a visit matters to nobody, because something above it is being closed. */
  isDrained(visit: string): boolean {
    return this.#drains.length > 0 && this.#drains.some((each) => isBelow(visit, each.below));
  }

  /** Whether what becomes of a visit still matters: it has not ended, and nothing above it is being closed. */
  isOpen(visit: Visit): boolean {
    return this.state.visits.get(visit.id) === visit && !this.isDrained(visit.id);
  }

  /** An attempt has answered; completes the drains that waited for it last. */
  landed(visit: string): void {
    this.inFlight.delete(visit);
    for (const drain of this.#drains) if (isBelow(visit, drain.below)) drain.left--;
    this.#finishDrains();
  }

  /** The grace is over: what a drain still waits for is given up. */
  giveUp(id: number): void {
    const drain = this.#drains.find((each) => each.id === id);
    if (drain === undefined) return;
    const abandoned = [...this.inFlight.keys()].filter((each) => isBelow(each, drain.below));
    for (const visit of abandoned) this.landed(visit);
  }

  /** A number for a grace that no drain has. */
  nextGrace(): number {
    return ++this.#graces;
  }

  #finishDrains(): void {
    for (const drain of this.#drains.filter((each) => each.left <= 0)) {
      if (!this.#drains.includes(drain)) continue;
      this.#drains = this.#drains.filter((each) => each !== drain);
      drain.then();
    }
  }
}

/** Whether a path lies inside of another; everything lies inside of the root. */
export function isBelow(path: string, outer: string): boolean {
  return outer === ROOT || path.startsWith(`${outer}/`);
}
