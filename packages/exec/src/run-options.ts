/** What a run of a graph is given, and what it answers. */
import type {
  ActionCache,
  ActionExecutor,
  ActionProvider,
  BlobStore,
  Clock,
  Durability,
  FileStates,
  FileSystem,
  Journal,
  Problem,
  ResourceLimits,
  Result,
  RunCounts,
  RunEventBody,
  RunId,
  RunObserver,
  RunStatus,
} from "@kahn/core";
import type { FailurePolicy } from "@kahn/scheduler";
import type { DescribeExternal } from "./key-record.ts";
import type { ResultMemo } from "./result-memo.ts";
import type { RunHistory } from "./run-history.ts";
import type { RecordStore } from "./task-record.ts";

/** Everything a run stands on. Ports come from `kahn`; nothing is taken from the environment. */
export interface RunGraphOptions {
  readonly run: RunId;
  readonly provider: ActionProvider;
  readonly executor: ActionExecutor;
  readonly blobs: BlobStore;
  readonly actions: ActionCache;
  readonly records: RecordStore;
  readonly history: RunHistory;
  readonly states: FileStates;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly durability: Durability;
  readonly observers: readonly RunObserver[];
  readonly limits: ResourceLimits;
  readonly failure: FailurePolicy;
  readonly cache: {
    readonly read: boolean;
    readonly write: boolean;
    /** Of one that is not read: why, where nobody asked for --force. */
    readonly unreadBecause?: string;
  };
  /** Whose output observers want to be given once it is whole; nothing that the executor has streamed live. */
  readonly replay: { readonly executed: boolean; readonly failed: boolean; readonly cached: boolean };
  /** Results of the last run at hand; without it every node is looked up. */
  readonly memo?: ResultMemo;
  /** Where commands run according to their keys, if not here: what runs elsewhere is not recorded. */
  readonly recordedFrom?: string;
  /** Explains a changed lock file. */
  readonly describeExternal?: DescribeExternal;
  /** The facts of `run.started`. */
  readonly header: Omit<Extract<RunEventBody, { kind: "run.started" }>, "kind" | "concurrency">;
  /** Warnings known before the run, to be recorded with it. */
  readonly warnings: readonly Problem[];
  /** Awaited after the last node and before the run is called finished: what was begun in the background ends here. */
  readonly beforeFinish?: () => Promise<void>;
}

/** What became of a run. */
export interface RunOutcome {
  readonly run: RunId;
  readonly status: RunStatus;
  readonly counts: RunCounts;
  readonly durationMs: number;
}

/** A run under way. */
export interface GraphRun {
  /** Settles after `run.finished` was recorded. Problems are those that kept the run from starting. */
  readonly outcome: Promise<Result<RunOutcome, readonly Problem[]>>;
  /** Asks it to end: nothing new starts. `kill` skips the grace. `by` is shown, for example `SIGINT`. */
  cancel(how: "term" | "kill", by: string): void;
  /** Records a warning about the run as a whole; no effect once it is finished. */
  warn(problem: Problem): void;
}
