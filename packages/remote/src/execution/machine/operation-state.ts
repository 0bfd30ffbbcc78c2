/**
 * Operations and the executions behind them: what clients see, and what runs.
 *
 * Owns:      the words of `execution-machine.ts`.
 *
 *   operation: checking ── answer ──────────────────────────────────────▶ done
 *                 └─ admit ─▶ attached to a job ── its end, or a cancel ──▶ done
 *
 *   job:       checking ─▶ queued ─▶ running ─▶ storing ─▶ over
 *                             ▲         └─ its worker was lost, once ─┐
 *                             └──────────────────────────────────────┘
 *
 * An operation is what one Execute call made. A job is one execution, for all operations that were merged into it.
 */

import type { ExecutionFailure } from "./execution-listener.ts";

/** Names an operation; unguessable, so it is made outside. */
export type OperationId = string;

/** Numbers a job. */
export type JobId = number;

/** How an operation ended. */
export type Outcome =
  /** With an encoded `ExecuteResponse`. */
  | {
      readonly kind: "answered";
      readonly response: Uint8Array;
      /** True for a result that another request for the same action may be given. */
      readonly isReusable: boolean;
      /** Why there is no result; left out when there is one. */
      readonly failure?: ExecutionFailure;
    }
  /** `abandoned`: nobody had waited for the grace. `deleted`: it was forgotten by request while it ran. */
  | { readonly kind: "cancelled"; readonly because: "asked" | "abandoned" | "deleted" }
  /** The server is going away and had not started it. */
  | { readonly kind: "drained" }
  /** No worker that could run it came within the grace. */
  | { readonly kind: "unsatisfiable"; readonly pool: string }
  /** Its worker was lost each time. */
  | { readonly kind: "poisoned"; readonly losses: number };

/** What is to run, known once the action was read. */
export interface AdmittedAction {
  /** Equal for requests that may share an execution; `undefined` for an action that is never cached. */
  readonly mergeKey: string | undefined;
  /** Names the action also when it is not merged; for those that take their workers down. */
  readonly key: string;
  /** The client does not want results from before its request. */
  readonly isFresh: boolean;
  /** For whom: caller, correlated invocations, invocation. */
  readonly path: readonly string[];
  readonly priority: number;
  /** The kind of worker it needs. */
  readonly pool: string;
}

/** What can happen. Events about what is over already have no effect: they may be late. */
export type ExecutionEvent =
  | { readonly kind: "open"; readonly operation: OperationId }
  /** Ends an operation that is being checked. */
  | { readonly kind: "answer"; readonly operation: OperationId; readonly outcome: Outcome }
  | { readonly kind: "admit"; readonly operation: OperationId; readonly action: AdmittedAction }
  /** Somebody waits for it, or no longer does. */
  | { readonly kind: "watch" | "unwatch"; readonly operation: OperationId }
  | { readonly kind: "cancel" | "delete"; readonly operation: OperationId }
  /** All inputs are there. */
  | { readonly kind: "checked"; readonly job: JobId }
  /** The run has ended; the slot is free, the result is being stored. */
  | { readonly kind: "ran"; readonly job: JobId; readonly attempt: number }
  /** The run's worker is gone. */
  | { readonly kind: "lost"; readonly job: JobId; readonly attempt: number }
  /** The job is over: its inputs lack (attempt 0), or its result is stored or cannot be. */
  | { readonly kind: "settle"; readonly job: JobId; readonly attempt: number; readonly outcome: Outcome }
  | { readonly kind: "join"; readonly worker: string; readonly slots: number }
  | { readonly kind: "leave"; readonly worker: string }
  /** What has not started is answered; nothing new is taken. */
  | { readonly kind: "drain" }
  /** Time has passed: see `nextDueMs`. */
  | { readonly kind: "tick" };

/** What is to be done. */
export type ExecutionEffect =
  /** See that all inputs are there and keep them there; answer `checked` or `settle`. */
  | { readonly kind: "check"; readonly job: JobId; readonly operation: OperationId }
  /** Run it; answer `lost`, or `ran` and then `settle`. */
  | { readonly kind: "run"; readonly job: JobId; readonly attempt: number; readonly worker: string }
  /** Nobody wants that run any more: end it; its answer is still awaited. */
  | { readonly kind: "stop"; readonly job: JobId; readonly attempt: number }
  /** Tell those who watch the operation how it stands; it may be forgotten right after. */
  | { readonly kind: "changed"; readonly operation: OperationId; readonly view: OperationView }
  /** The job's blobs need no longer be kept, nor anything else about it. */
  | { readonly kind: "release"; readonly job: JobId }
  /** Nothing need be known about the operation any more. */
  | { readonly kind: "forget"; readonly operation: OperationId };

/** What a client may know of an operation. */
export type OperationView =
  | { readonly stage: "cache-check" | "queued" | "executing"; readonly job: JobId | undefined }
  | { readonly stage: "completed"; readonly outcome: Outcome };

/** Bounds and delays. */
export interface MachineLimits {
  /** Operations being checked and jobs that wait; `isFull` from then on. */
  readonly queueMax: number;
  /** Operations that are not done, those that share a job included. */
  readonly openMax: number;
  /** How long an operation is kept alive that nobody waits for. */
  readonly abandonedMs: number;
  /** How long a completed operation can be asked about; how many are kept, and how many bytes of responses. */
  readonly keptMs: number;
  readonly keptMax: number;
  readonly keptMaxBytes: number;
  /** How long the blobs of a result stay pinned after it was given out. */
  readonly pinnedMs: number;
  /** How long a job waits for a worker that could run it. */
  readonly unservedMs: number;
  /** Lost workers that an action may start again after; the next loss is its end. */
  readonly requeuesMax: number;
  /** How long an action that lost too many workers is refused, and how many such are remembered. */
  readonly poisonedMs: number;
  readonly poisonedMax: number;
}

/** Bounds for a server of a team. */
export const DEFAULT_MACHINE_LIMITS: MachineLimits = {
  queueMax: 20_000,
  openMax: 100_000,
  abandonedMs: 60_000,
  keptMs: 10 * 60_000,
  keptMax: 10_000,
  keptMaxBytes: 64 << 20,
  pinnedMs: 60_000,
  unservedMs: 60_000,
  requeuesMax: 1,
  poisonedMs: 30 * 60_000,
  poisonedMax: 1000,
};

/** How many of what there are. */
export interface MachineCounts {
  readonly checking: number;
  readonly queued: number;
  readonly running: number;
  readonly storing: number;
  readonly completed: number;
  readonly keptBytes: number;
  readonly slots: number;
  readonly slotsUsed: number;
  readonly isDraining: boolean;
}
