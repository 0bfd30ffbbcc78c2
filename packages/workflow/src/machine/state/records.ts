/**
 * What a run's journal holds: facts, from which the state is rebuilt without the graph's code.
 *
 * Owns:      the shapes of records. Members that every step writes have names of one letter: a trivial step costs less
 *            than a hundred bytes.
 * Invariant: a record says what was decided (writes, where it went on), never what has to be computed again by a
 *            predicate; only the built-in reducers are applied while reading. `t` is milliseconds since the run began.
 */
import type { Digest, Json } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import type { ParentOutcome, PayloadShape } from "../../definition/nodes.ts";
import type { GraphStructure } from "../../definition/structure.ts";

/** Version of the shapes below. */
export const RECORD_FORMAT = 1;

/** Encoded values by key. */
export type Writes = Readonly<Record<string, Json>>;

/** What an approval of a barrier has to say, for those without the graph: its words, or that code checks it. */
export type AcceptedPayload = PayloadShape | "schema";

/** What one visit writes, in this order: `s` through reducers, `p` outcomes of custom ones, `r` as they are, `d` goes. */
export interface WriteSet {
  readonly s?: Writes;
  readonly p?: Writes;
  readonly r?: Writes;
  readonly d?: readonly string[];
}

/** The first record. */
export interface StartRecord {
  readonly k: "start";
  readonly format: number;
  readonly run: string;
  readonly atMs: number;
  readonly graph: string;
  readonly version: string;
  readonly hash: Digest;
  readonly structure: GraphStructure;
  readonly start: string;
  readonly join?: true;
  readonly maxSteps: number;
  /** The state at the start: identities and input. */
  readonly state: Writes;
  readonly trace: string;
  readonly key?: string;
  /** What whoever started it wants to find again. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Who executes the run, as its lock names it. */
  readonly owner?: string;
  /** Of a fork: when it was made; `atMs` is that of its past. */
  readonly madeMs?: number;
  /** Of a fork: where it came from. */
  readonly parent?: { readonly run: string; readonly seq: number };
  /** Of a fork that goes on elsewhere: the folded state of its parent. */
  readonly base?: Json;
}

/** A visit is done: its writes and where the frame goes on, as one. */
export interface CommitRecord extends WriteSet {
  readonly k: "c";
  readonly v: string;
  readonly t: number;
  /** Nodes that start now. */
  readonly n?: readonly string[];
  /** Joins at which a token arrives. */
  readonly j?: readonly string[];
  /** Ids of the edges taken that are counted. */
  readonly e?: readonly string[];
  /** The node chose its way itself, by `goto`. */
  readonly go?: 1;
  /** Ends its whole frame. */
  readonly end?: 1;
  /** Branch writes are merged: `o` tells their order if it is that of completion. */
  readonly g?: 1;
  readonly o?: readonly string[];
  readonly cost?: number;
  /** How it went on, if not by its own success. */
  readonly how?: "fallback" | "error" | "timeout";
  readonly why?: string;
  readonly error?: NodeError;
  /** Failures that a collecting node went on with. */
  readonly observed?: NodeError;
}

/** A decision as it is recorded. Values are encoded. */
export type RecordedDecision =
  | { readonly kind: "approve"; readonly payload?: Json }
  | { readonly kind: "reject"; readonly reason: string; readonly payload?: Json }
  | { readonly kind: "modify"; readonly set: Writes }
  | { readonly kind: "reroute"; readonly to: string };

/** A decision: for one barrier (`v`), or for every occurrence of a node (`node`) in a scope. */
export interface DecisionRecord {
  readonly k: "dec";
  readonly t: number;
  readonly token: string;
  readonly v?: string;
  readonly node?: string;
  readonly count?: number;
  readonly untilMs?: number;
  readonly decision: RecordedDecision;
  readonly by?: string;
  /** What the sender was told. */
  readonly ack: "accepted" | "duplicate" | "unknown" | "late" | "invalid";
  /** The id of the inbox command that brought it. */
  readonly cmd?: string;
  readonly why?: string;
}

/** Every record. */
export type FlowRecord =
  | StartRecord
  | CommitRecord
  /** A branch of a node with branches is done; `g` as in a commit. */
  | ({
      readonly k: "b";
      readonly v: string;
      readonly t: number;
      readonly g?: 1;
      readonly o?: readonly string[];
      readonly cost?: number;
      readonly observed?: NodeError;
    } & WriteSet)
  /** A node with branches opens them: names, or the items of a map. */
  | {
      readonly k: "fan";
      readonly v: string;
      readonly t: number;
      readonly names?: readonly string[];
      readonly items?: Json;
      readonly count: number;
    }
  /** Branches start (under a limit, not all at once): so many more. */
  | { readonly k: "more"; readonly v: string; readonly t: number; readonly by: number }
  /** A subgraph begins. */
  | {
      readonly k: "sub";
      readonly v: string;
      readonly t: number;
      readonly state: Writes;
      /** Reducers by key. */
      readonly keys: GraphStructure["keys"];
      readonly start: string;
    }
  | {
      readonly k: "wait";
      readonly v: string;
      readonly t: number;
      readonly dueMs?: number;
      readonly payload?: Json;
      readonly accept?: AcceptedPayload;
    }
  /** How a barrier came out; a commit of the same visit follows. */
  | {
      readonly k: "out";
      readonly v: string;
      readonly t: number;
      readonly token?: string;
      readonly timedOut?: "approve" | "reject" | "skip";
      readonly by?: string;
      readonly decision?: RecordedDecision;
    }
  | {
      readonly k: "retry";
      readonly v: string;
      readonly t: number;
      readonly attempt: number;
      readonly dueMs: number;
      readonly error: NodeError;
    }
  /** A visit failed for good. If nothing handles it the run fails and the visit stays open. */
  | { readonly k: "x"; readonly v: string; readonly t: number; readonly error: NodeError }
  /** A join runs. `keep`: what arrives later for the same round is counted to it. */
  | {
      readonly k: "join";
      readonly f: string;
      readonly n: string;
      readonly t: number;
      readonly parents: Readonly<Record<string, ParentOutcome>>;
      readonly keep?: 1;
    }
  | { readonly k: "once"; readonly v: string; readonly t: number; readonly name: string; readonly value: Json }
  /** Of a fork: values of the run's frame that differ from its parent's, and where it goes on instead. */
  | { readonly k: "edit"; readonly t: number; readonly r?: Writes; readonly go?: string }
  | DecisionRecord
  | { readonly k: "revoke"; readonly t: number; readonly token: string; readonly cmd?: string }
  | { readonly k: "cp"; readonly t: number; readonly name: string }
  | { readonly k: "cancel"; readonly t: number; readonly reason: string; readonly by?: string; readonly cmd?: string }
  | {
      readonly k: "end";
      readonly t: number;
      readonly status: "completed" | "failed" | "cancelled";
      readonly error?: NodeError;
      readonly abandoned?: readonly string[];
    }
  /** Left in place, to be resumed. */
  | { readonly k: "left"; readonly t: number; readonly reason: string }
  | {
      readonly k: "resume";
      readonly t: number;
      readonly version: string;
      readonly hash: Digest;
      readonly structure?: GraphStructure;
      readonly mode: string;
      readonly maxSteps?: number;
      /** New names of nodes, by path without occurrences. */
      readonly rename?: Readonly<Record<string, string>>;
      /** Reducers by key of open subgraphs that have changed, by frame. */
      readonly keys?: Readonly<Record<string, Readonly<Record<string, string>>>>;
      readonly retry?: 1;
      readonly labels?: Readonly<Record<string, string>>;
      /** Who executes the run from here on: with each resumption begins an epoch. */
      readonly owner?: string;
    };
