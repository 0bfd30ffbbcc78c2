/**
 * Events: the record of a run. Terminal, reports, traces and resume read nothing else.
 *
 * Owns:      the envelope, and the kinds that every graph of actions has; other packages add kinds of their own by
 *            giving them a prefix (`flow.…`, `change.…`).
 * Invariant: `seq` counts from 1 without gaps; each node has exactly one `node.settled`; a run has exactly one
 *            `run.finished`, the last of its events.
 */
import type { Digest } from "./digest.ts";
import type { RunId } from "./ids.ts";
import type { CacheMissReason } from "./ports/action-cache.ts";
import type { RanAt } from "./ports/action-executor.ts";
import type { Problem } from "./problem.ts";

/** What every record carries besides its kind. */
export interface EventEnvelope {
  readonly run: RunId;
  readonly seq: number;
  /** Wall time, milliseconds since the epoch. */
  readonly atMs: number;
}

/** How a node ended. `failed` = the command said no; `errored` = we could not run it. */
export type NodeEnd = "succeeded" | "failed" | "errored" | "skipped" | "cancelled";

/** Where a succeeded node's result came from. */
export type ResultSource = "executed" | "cached";

/** How a run ended. */
export type RunStatus = "succeeded" | "failed" | "cancelled" | "errored";

/** One changed part of a key, or the reason why there was nothing to compare with. */
export interface MissReason {
  readonly code:
    | "first-run"
    | "not-cacheable"
    | "forced"
    | "input-changed"
    | "input-added"
    | "input-removed"
    | "command-changed"
    | "env-changed"
    | "env-list-changed"
    | "arguments-changed"
    | "dependency-changed"
    | "external-changed"
    | "tool-changed"
    | "outputs-changed"
    | "platform-changed"
    /** On a server, and then on this machine, or the other way round. */
    | "place-changed"
    | "entry-missing"
    | "entry-corrupt"
    | "blob-missing"
    | "blob-corrupt"
    | "schema-changed"
    /** The same key ran before, but its result was not kept. */
    | "not-stored";
  /** The path, variable, dependency, package or tool meant. */
  readonly name?: string;
  /** For example `1.2.0 → 1.3.0`; never a secret's value. */
  readonly detail?: string;
}

/** Numbers of a run's nodes by how they ended. */
export interface RunCounts {
  readonly executed: number;
  readonly cached: number;
  readonly failed: number;
  readonly errored: number;
  readonly skipped: number;
  readonly cancelled: number;
}

/** The kinds of a graph run, without envelope. */
export type RunEventBody =
  | {
      readonly kind: "run.started";
      readonly version: string;
      readonly argv: readonly string[];
      readonly workspace: string;
      readonly concurrency: number;
      readonly pid: number;
    }
  /** The graph, or a part that was added while it ran. `requires` and `after` hold node ids. */
  | { readonly kind: "run.planned"; readonly nodes: readonly PlannedNodeRecord[] }
  /** A cache look-up found nothing usable; the first reason is the one to show in one line. */
  | {
      readonly kind: "node.missed";
      readonly node: number;
      readonly action?: Digest;
      /** Why there was no record, where a look-up took place. */
      readonly cache?: CacheMissReason;
      readonly reasons: readonly MissReason[];
    }
  | { readonly kind: "node.started"; readonly node: number; readonly attempt: number; readonly pid?: number }
  /** A persistent task answered its readiness probe. */
  | { readonly kind: "node.ready"; readonly node: number; readonly afterMs: number }
  | { readonly kind: "node.retried"; readonly node: number; readonly attempt: number; readonly problem: Problem }
  /** Something about one node that is not its end: a result that is not cached, an output that is missing. */
  | { readonly kind: "node.warned"; readonly node: number; readonly problem: Problem }
  | {
      readonly kind: "node.settled";
      readonly node: number;
      readonly end: NodeEnd;
      /** Left out for a node without a command. */
      readonly source?: ResultSource;
      /** Of a hit: the remote cache that had it; left out when it was at hand. */
      readonly from?: string;
      /** Of a command that ran, or whose result a server had instead: where; left out where there was no choice. */
      readonly ran?: RanAt;
      readonly action?: Digest;
      /** Digest of the outputs and of all that they rest on; what dependents put in their keys. */
      readonly closure?: Digest;
      readonly exitCode?: number;
      /** Wall time of the command; for a cached node that of the run that made it. */
      readonly durationMs?: number;
      readonly attempts?: number;
      /** Of a hit: how many files had to be written. */
      readonly restoredFiles?: number;
      /** Of skipped and cancelled nodes: the node whose failure is the root cause. */
      readonly cause?: number;
      readonly problem?: Problem;
      /** True when the result went into the cache. */
      readonly stored?: boolean;
      /** The parts of its key and the paths of its outputs: a value of the durable store. */
      readonly record?: Digest;
      /** What a command that did not succeed, or a service, printed: values of the durable store. */
      readonly stdout?: Digest;
      readonly stderr?: Digest;
    }
  | { readonly kind: "run.warned"; readonly problem: Problem }
  | { readonly kind: "run.cancelling"; readonly how: "term" | "kill"; readonly by: string }
  | {
      readonly kind: "run.finished";
      readonly status: RunStatus;
      readonly counts: RunCounts;
      readonly durationMs: number;
      /** Sum of the recorded durations of the nodes that did not have to run. */
      readonly savedMs: number;
      /** How many of the cached results came from a remote cache; left out when none did. */
      readonly remoteHits?: number;
      /** How many of the executed ones a server ran, or had a result of; left out when none. */
      readonly remoteExecuted?: number;
      readonly problem?: Problem;
    };

/** A node as the journal names it once; other events use its number. */
export interface PlannedNodeRecord {
  readonly node: number;
  readonly label: string;
  readonly requires: readonly number[];
  readonly after?: readonly number[];
  readonly validates?: readonly number[];
  /** Duration of the last executed run of this label, where known. */
  readonly estimateMs?: number;
  readonly persistent?: boolean;
}

/** One record of a run's journal. */
export type RunEvent = EventEnvelope & RunEventBody;

/** Output of a running node, as it comes or replayed. Not journalled: the bytes are in the result. */
export interface OutputEvent {
  readonly kind: "node.output";
  readonly node: number;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
  /** True when the bytes come from the cache. */
  readonly replayed: boolean;
}

/** Whoever follows a run: terminal, JSON printer, recorder. Must not throw and must not block. */
export interface RunObserver {
  /** Called for each event after it is journalled, in order. */
  event(event: RunEvent): void;
  /** Called with output, in the order of each stream. */
  output(event: OutputEvent): void;
  /** Called before the run begins, when it has to wait for another one; `text` continues "waiting". */
  waiting?(text: string): void;
}
