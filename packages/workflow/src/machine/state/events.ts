/**
 * What is told about a run: one union, JSON throughout.
 *
 * Invariant: control events are derived from the journal alone, so they can be told again from any point after any
 *            restart, with the same numbers. Data events (`node.data`) are not kept and have the number of the control
 *            event before them.
 */
import type { Json } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import type { ParentOutcome } from "../../definition/nodes.ts";
import type { AcceptedPayload } from "./records.ts";

/** What every control event carries. */
export interface FlowEventHead {
  readonly run: string;
  /** From 1, without gaps. */
  readonly seq: number;
  /** Wall time, milliseconds since the epoch. */
  readonly atMs: number;
}

/** What happened. */
export type FlowEventBody =
  | {
      readonly type: "run.started";
      readonly graph: string;
      readonly version: string;
      readonly trace: string;
      readonly state: Readonly<Record<string, Json>>;
    }
  | { readonly type: "run.resumed"; readonly mode: string; readonly version: string }
  | {
      readonly type: "node.started";
      readonly path: string;
      readonly node: string;
      readonly attempt: number;
      readonly parents?: Readonly<Record<string, ParentOutcome>>;
    }
  | {
      readonly type: "node.committed";
      readonly path: string;
      readonly node: string;
      readonly next: readonly string[];
      readonly how?: "fallback" | "error" | "timeout";
      readonly why?: string;
      readonly error?: NodeError;
      readonly cost?: number;
    }
  | {
      readonly type: "node.retrying";
      readonly path: string;
      readonly node: string;
      readonly attempt: number;
      readonly dueMs: number;
      readonly error: NodeError;
    }
  | { readonly type: "node.failed"; readonly path: string; readonly node: string; readonly error: NodeError }
  /** A visit that did not end by itself: its siblings decided, its frame ended. */
  | {
      readonly type: "node.skipped";
      readonly path: string;
      readonly node: string;
      readonly why: "abandoned" | "frame-ended";
    }
  | { readonly type: "fan.opened"; readonly path: string; readonly node: string; readonly count: number }
  | { readonly type: "branch.started"; readonly path: string; readonly node: string; readonly attempt: number }
  | { readonly type: "branch.committed"; readonly path: string; readonly node: string; readonly cost?: number }
  | { readonly type: "subgraph.opened"; readonly path: string; readonly node: string }
  /** After the merge: `value` is what the key holds now. */
  | {
      readonly type: "state.changed";
      readonly path: string;
      readonly frame: string;
      readonly key: string;
      readonly op: "put" | "delete";
      readonly value?: Json;
    }
  | {
      readonly type: "barrier.opened";
      readonly barrier: string;
      readonly node: string;
      readonly dueMs?: number;
      readonly payload?: Json;
      readonly accept?: AcceptedPayload;
    }
  | {
      readonly type: "barrier.decided";
      readonly barrier: string;
      readonly node: string;
      readonly decision: "approve" | "reject" | "modify" | "reroute";
      readonly by?: string;
      readonly reason?: string;
      readonly token: string;
    }
  | {
      readonly type: "barrier.timedout";
      readonly barrier: string;
      readonly node: string;
      readonly default: "approve" | "reject" | "skip";
    }
  | {
      readonly type: "decision.recorded";
      readonly target: string;
      readonly ack: string;
      readonly token: string;
      readonly by?: string;
    }
  | { readonly type: "decision.revoked"; readonly token: string }
  | {
      readonly type: "join.fired";
      readonly path: string;
      readonly node: string;
      readonly parents: Readonly<Record<string, ParentOutcome>>;
    }
  | { readonly type: "checkpoint.saved"; readonly name: string }
  | { readonly type: "observed"; readonly path: string; readonly error: NodeError }
  | { readonly type: "run.cancelling"; readonly reason: string; readonly by?: string }
  | { readonly type: "run.completed" }
  | { readonly type: "run.failed"; readonly error: NodeError; readonly abandoned?: readonly string[] }
  | { readonly type: "run.cancelled"; readonly reason: string; readonly abandoned?: readonly string[] }
  /** Left in place: waiting, detached, or its journal failed. */
  | { readonly type: "run.suspended"; readonly reason: string };

/** A control event. */
export type FlowEvent = FlowEventHead & FlowEventBody;

/** What a node emitted while it ran. */
export interface FlowDataEvent {
  readonly type: "node.data";
  readonly run: string;
  /** Of the control event before it. */
  readonly seq: number;
  readonly path: string;
  readonly data: unknown;
}

/** The events that end a stream. */
export function isTerminal(event: { readonly type: string }): boolean {
  return /^run\.(completed|failed|cancelled|suspended)$/.test(event.type);
}

/** Takes events while records are folded. */
export type EventSink = (event: FlowEvent) => void;
