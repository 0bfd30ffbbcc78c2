/**
 * Port: who is told what becomes of operations and runs, to make numbers of it.
 *
 * Invariant: each operation that was opened ends once, each run that began ends once.
 */
import type { HermeticTimings } from "@kahn/exec";

/** Why an operation ended without a result. */
export type ExecutionFailure =
  | "timeout"
  | "cancelled"
  | "missing_inputs"
  /** The action itself is at fault. */
  | "invalid"
  /** The server is going away. */
  | "drained"
  /** No worker has what the action needs. */
  | "unsatisfiable"
  /** It took down the workers that ran it. */
  | "poisoned"
  /** We are at fault, or this machine. */
  | "error";

/** How an operation got its result. `merged`: another one's run gave it. */
export type ExecutionSource = "executed" | "merged" | "cached";

/** How a run ended. */
export type RunEnd =
  /** With exit code 0, or another one. */
  | "success"
  | "failure"
  /** Its worker went away under it. */
  | "lost"
  | Extract<ExecutionFailure, "timeout" | "cancelled" | "missing_inputs" | "invalid" | "error">;

/** Who is told. Nothing is asked of it; it does not throw. */
export interface ExecutionListener {
  operationEnded(end: ExecutionSource | ExecutionFailure): void;
  /** A run has got its slot, so long after it was put into the queue. */
  runStarted(queuedMs: number): void;
  /** `timings` as far as it got. */
  runEnded(end: RunEnd, timings: HermeticTimings | undefined): void;
}

/** Nobody. */
export const NO_LISTENER: ExecutionListener = {
  operationEnded: () => {},
  runStarted: () => {},
  runEnded: () => {},
};
