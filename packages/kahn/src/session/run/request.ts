/** How a planned graph is to be run, whoever asks: the command line or the library. */
import type { RunObserver } from "@kahn/core";
import type { RunGraphOptions } from "@kahn/exec";
import type { LockWaiting } from "../workspace-lock.ts";
import type { CacheOption } from "./cache-choice.ts";
import type { RemoteExec } from "./store-set.ts";

/** Ends a run; see `GraphRun.cancel`. */
export type Cancel = (how: "term" | "kill", by: string) => void;

/** A run asked for. */
export interface RunRequest {
  /** The command line without the program, for records and for those who wait. */
  readonly argv: readonly string[];
  /** `undefined`: as configured. */
  readonly concurrency: number | undefined;
  readonly failFast: boolean;
  /** Asks no cache; stores all the same. */
  readonly force: boolean;
  /** What `--cache` says; left out: as configured. */
  readonly cache?: CacheOption;
  /** Tasks that can be are run on the server. */
  readonly remoteExec?: RemoteExec;
  /** True when an observer shows output as it comes. */
  readonly live: boolean;
  readonly replay: RunGraphOptions["replay"];
  readonly observers: readonly RunObserver[];
  /** How the workspace is waited for; left out: a signal of the host ends it, and standard error is told. */
  readonly waiting?: Pick<LockWaiting, "signal" | "onWait">;
  /** Called once the run can be cancelled; the answer is called when it no longer can. */
  onCancel(cancel: Cancel): () => void;
}
