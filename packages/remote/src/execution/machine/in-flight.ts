/**
 * In-flight merging: which execution a request may share.
 *
 * Owns:      the current job of each action, and results that ended while requests for the same action were still
 *            being read: such a request found nothing in the cache and finds nothing to join, and would run it again.
 * Invariant: a request that wants fresh results shares only what begins after it; of two jobs for one action the
 *            younger one's result stays; a result that no request being read could use is not held.
 */
import type { Job } from "./job.ts";
import type { AdmittedAction, Outcome } from "./operation-state.ts";

interface RecentResult {
  readonly outcome: Outcome;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** Jobs and recent results by what may be merged. Times are counts of events. */
export class InFlight {
  readonly #current = new Map<string, Job>();
  /** In the order of their ends. */
  readonly #recent = new Map<string, RecentResult>();

  /** The result that a request opened at `openedAt` may be given. */
  recent({ mergeKey, isFresh }: AdmittedAction, openedAt: number): Outcome | undefined {
    const recent = mergeKey === undefined ? undefined : this.#recent.get(mergeKey);
    if (recent === undefined) return undefined;
    return (isFresh ? recent.startedAt : recent.endedAt) > openedAt ? recent.outcome : undefined;
  }

  /** The job that it may join. */
  joinable({ mergeKey, isFresh }: AdmittedAction, openedAt: number): Job | undefined {
    const job = mergeKey === undefined ? undefined : this.#current.get(mergeKey);
    if (job === undefined) return undefined;
    return isFresh && job.startedAt !== undefined && job.startedAt < openedAt ? undefined : job;
  }

  /** Requests for its action join this job from now on. */
  begin(job: Job): void {
    if (job.mergeKey === undefined) return;
    const before = this.#current.get(job.mergeKey);
    if (before !== undefined) before.isSuperseded = true;
    this.#current.set(job.mergeKey, job);
  }

  /** Nobody joins it any more. */
  end(job: Job): void {
    if (job.mergeKey !== undefined && this.#current.get(job.mergeKey) === job) this.#current.delete(job.mergeKey);
  }

  /** Its result may be given to requests that are being read now. */
  ended({ mergeKey, startedAt }: Job, outcome: Outcome, endedAt: number): void {
    if (mergeKey === undefined || startedAt === undefined) return;
    if (outcome.kind !== "answered" || !outcome.isReusable) return;
    this.#recent.delete(mergeKey);
    this.#recent.set(mergeKey, { outcome, startedAt, endedAt });
  }

  /** No request is being read that was opened before this. */
  forgetBefore(openedAt: number): void {
    for (const [key, { endedAt }] of this.#recent) {
      if (endedAt >= openedAt) return;
      this.#recent.delete(key);
    }
  }
}
