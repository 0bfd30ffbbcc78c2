/** What a run knows of one node while it is under way. */
import type {
  ActionResult,
  Digest,
  Execution,
  MissReason,
  PlannedNode,
  Problem,
  RanAt,
  ResolvedAction,
} from "@kahn/core";
import type { KeyRecord } from "./key-record.ts";
import type { OutputEntry } from "./output-tree.ts";
import type { MemoEntry } from "./result-memo.ts";
import type { TaskRecord } from "./task-record.ts";

/** A node with what its effects have found out so far; each field is set by the effect that learns it. */
export interface NodeRuntime {
  readonly node: number;
  readonly planned: PlannedNode;
  /** Numbers of the nodes it requires. */
  readonly requires: readonly number[];
  resolved?: ResolvedAction;
  key?: KeyRecord;
  action?: Digest;
  /** The last success before this run, read on demand. */
  previous?: TaskRecord | undefined;
  missed?: readonly MissReason[];
  /** Set when the memo answered the look-up. */
  memo?: MemoEntry;
  fingerprint?: string;
  result?: ActionResult;
  /** Of a hit: the remote cache that had it. */
  from?: string;
  /** Of an executed one that could have run elsewhere. */
  ran?: RanAt;
  outputPaths?: readonly string[];
  outputEntries?: readonly OutputEntry[];
  closure?: Digest;
  unpublishable?: Problem;
  execution?: Execution;
  attempts: number;
  durationMs?: number;
  restoredFiles?: number;
  stored?: boolean;
  record?: Digest | undefined;
  stdout?: Digest | undefined;
  stderr?: Digest | undefined;
  problem?: Problem;
}

/** True for a node without a command: it only groups others. */
export function isGroup(resolved: ResolvedAction): boolean {
  return resolved.run.argv.length === 0;
}
