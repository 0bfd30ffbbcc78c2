/** One execution, as the machine keeps it. */
import type { AdmittedAction, JobId, OperationId } from "./operation-state.ts";

/** Where a job is. */
export type JobPhase =
  | { readonly kind: "checking" | "queued" | "storing" }
  | { readonly kind: "running"; readonly worker: string; readonly sinceMs: number; readonly isStopping: boolean };

/**
 * Places of one job in the queue. Callers that come and go may be any number; those who come later wait on the places of
 * those before them.
 */
export const ENTRIES_MAX = 1000;

/** One execution for all operations that were merged into it. */
export interface Job {
  readonly id: JobId;
  /** `undefined` for an action that is never cached: such are not merged. */
  readonly mergeKey: string | undefined;
  readonly key: string;
  readonly pool: string;
  readonly operations: Set<OperationId>;
  /** For whom it waits, those who gave up meanwhile included; at most `ENTRIES_MAX`. */
  readonly entries: AdmittedAction[];
  phase: JobPhase;
  /** When its run began, as a count of events; `undefined` before. */
  startedAt: number | undefined;
  /** Counts its runs; 0 before the first. */
  attempt: number;
  /** Workers lost under it. */
  losses: number;
  /** A job for the same action was made after it: that one's result is to stay. */
  isSuperseded: boolean;
  /** It goes on although nobody waits: its operation was deleted, not cancelled. */
  isKept: boolean;
}

/** A job whose inputs are to be checked. */
export function newJob(id: JobId, { mergeKey, key, pool }: AdmittedAction): Job {
  return {
    ...{ id, mergeKey, key, pool, operations: new Set(), entries: [] },
    ...{ phase: { kind: "checking" }, startedAt: undefined, attempt: 0, losses: 0 },
    ...{ isSuperseded: false, isKept: false },
  };
}
