/**
 * How many actions each caller has under way: operations that are not done, and runs that go on without theirs.
 *
 * Invariant: one for each operation from its opening to its end, whoever still waits for it; an operation that was deleted
 *            or cancelled counts until nothing runs for it. Nothing is kept of callers that have none.
 */
import type { JobId } from "../machine/operation-state.ts";

/** Counts by caller. */
export class CallerLoads {
  readonly #counts = new Map<string, number>();
  /** Callers whose operations are gone, by the job that still runs. */
  readonly #left = new Map<JobId, string[]>();

  /** How many a caller has. */
  of(caller: string): number {
    return this.#counts.get(caller) ?? 0;
  }

  begin(caller: string): void {
    this.#counts.set(caller, this.of(caller) + 1);
  }

  end(caller: string): void {
    const count = this.of(caller) - 1;
    if (count > 0) this.#counts.set(caller, count);
    else this.#counts.delete(caller);
  }

  /** Its operation is gone, the job goes on: what `begin` counted ends with that. */
  leave(caller: string, job: JobId): void {
    const before = this.#left.get(job);
    if (before === undefined) this.#left.set(job, [caller]);
    else before.push(caller);
  }

  /** A job runs no longer. May be told twice. */
  jobEnded(job: JobId): void {
    for (const caller of this.#left.get(job) ?? []) this.end(caller);
    this.#left.delete(job);
  }
}
