/**
 * Quotas: how much one subject may send in a day, and how many actions it may have running at once.
 *
 * Invariant: counts are kept for known subjects and for the anonymous one only, and forgotten with the day; a call that
 *            was let through is counted once, whatever becomes of it.
 * Note:      bytes are counted as they come. A call that has begun is not cut off, so the last ones of a day may go
 *            beyond the quota by what calls hold.
 */
import type { Clock } from "@kahn/core";
import type { QuotaSettings } from "../operation/server-settings.ts";
import type { Subject } from "./subject.ts";
import { pattern } from "./subject.ts";

/** Why a call is refused, and when it may be made again. */
export interface QuotaRefusal {
  readonly message: string;
  readonly retryAfterMs: number;
}

interface Quota {
  readonly tests: readonly ((name: string) => boolean)[];
  readonly bytesPerDay: number;
  readonly executions: number;
}

interface Use {
  bytes: number;
  executions: number;
}

const DAY_MS = 86_400_000;
const BUSY_RETRY_MS = 1000;
const UNLIMITED: Quota = { tests: [], bytesPerDay: Number.POSITIVE_INFINITY, executions: Number.POSITIVE_INFINITY };

/** The quotas of a server. */
export class Quotas {
  #quotas: readonly Quota[];
  readonly #clock: Clock;
  readonly #uses = new Map<string, Use>();
  #day = 0;

  constructor(settings: readonly QuotaSettings[], clock: Clock) {
    this.#quotas = settings.map(({ who, bytesPerDay, executions }) => ({
      tests: who.map(pattern),
      bytesPerDay: bytesPerDay ?? Number.POSITIVE_INFINITY,
      executions: executions ?? Number.POSITIVE_INFINITY,
    }));
    this.#clock = clock;
  }

  /** Holds subjects to the quotas of the other one from now on; what they have used stays counted. */
  adopt(other: Quotas): void {
    this.#quotas = other.#quotas;
  }

  /** True when nothing is ever refused. */
  get isEmpty(): boolean {
    return this.#quotas.length === 0;
  }

  /** Whether a call that sends bytes may begin. */
  refusesBytes(subject: Subject): QuotaRefusal | undefined {
    const { bytesPerDay } = this.#quotaOf(subject);
    const use = this.#use(subject);
    if (use.bytes < bytesPerDay) return undefined;
    const retryAfterMs = DAY_MS - (this.#clock.nowMs() % DAY_MS);
    return { message: `${subject.name} has sent its ${bytesPerDay} bytes of today`, retryAfterMs };
  }

  /** Counts what a call sends, as it comes. */
  addBytes(subject: Subject, bytes: number): void {
    this.#use(subject).bytes += bytes;
  }

  /** Whether an action may begin; counts it if so. */
  beginExecution(subject: Subject): QuotaRefusal | undefined {
    const { executions } = this.#quotaOf(subject);
    const use = this.#use(subject);
    if (use.executions >= executions) {
      const message = `${subject.name} has ${executions} actions under way, as many as it may`;
      return { message, retryAfterMs: BUSY_RETRY_MS };
    }
    use.executions++;
    return undefined;
  }

  /** An action that began is over. */
  endExecution(subject: Subject): void {
    const use = this.#use(subject);
    use.executions = Math.max(0, use.executions - 1);
  }

  #quotaOf({ name }: Subject): Quota {
    return this.#quotas.find(({ tests }) => tests.some((test) => test(name))) ?? UNLIMITED;
  }

  #use({ name }: Subject): Use {
    const day = Math.floor(this.#clock.nowMs() / DAY_MS);
    if (day !== this.#day) {
      this.#day = day;
      for (const [each, use] of this.#uses) {
        use.bytes = 0;
        if (use.executions === 0) this.#uses.delete(each);
      }
    }
    let use = this.#uses.get(name);
    if (use === undefined) {
      use = { bytes: 0, executions: 0 };
      this.#uses.set(name, use);
    }
    return use;
  }
}
