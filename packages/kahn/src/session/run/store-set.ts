/** What a run reads from and writes to, as those see it who make it and those who use it. */
import type { RemoteConfig } from "@kahn/cas";
import type { ActionCache, ActionExecutor, BlobStore, Problem, ProcessRunner, RunId } from "@kahn/core";

/** The stores of one run. */
export interface RunStores {
  readonly blobs: BlobStore;
  readonly actions: ActionCache;
  readonly read: boolean;
  readonly write: boolean;
  /** What is to be said of them when the run begins. */
  readonly warnings: readonly Problem[];
  /** Set when tasks run on a server: how keys name it, and how it is named where one ran. */
  readonly there?: { readonly place: string; readonly name: string };
  /** Known once the run is under way: where trouble with a remote is told. */
  warn: (problem: Problem) => void;
  /** The executor of the run: `local`, or one that asks a server. To be called once. */
  executor(local: ActionExecutor, here: ExecutorPlace): ActionExecutor;
  /** Waits for uploads. */
  sent(): Promise<void>;
  /** The run is being cancelled: nothing more is sent, and with `kill` nothing is waited for. */
  cancel(how: "term" | "kill"): void;
  close(): Promise<void>;
}

/** How tasks run on servers: `race` also runs them here, and takes the first success. */
export type RemoteExec = "off" | "only" | "race";

/** What running here takes, beside a server. */
export interface ExecutorPlace {
  readonly processes: ProcessRunner;
  /** Commands at once. */
  readonly slots: number;
  /** Absolute, and the run's own. */
  readonly scratch: string;
}

/** The part that a remote cache takes over. */
export interface LocalStores {
  readonly blobs: BlobStore;
  readonly actions: ActionCache;
  readonly temporary: string;
  close(): Promise<void>;
}

/** A remote cache asked for. */
export interface RemoteAsked {
  readonly server: RemoteConfig;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: RemoteExec;
  /** True when what the server has will not do. */
  readonly force: boolean;
  /** True when somebody follows output as it comes. */
  readonly live: boolean;
  readonly run: RunId;
}
