/**
 * Quotas: how much one subject may send in a day, and how many actions it may have under way at once.
 *
 * Invariant: bytes are counted for known subjects and for the anonymous one only, and forgotten with the day. Actions are
 *            counted by the execution pool, which knows when they end: that of a call that was cancelled goes on.
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

const DAY_MS = 86_400_000;
const BUSY_RETRY_MS = 1000;
const UNLIMITED: Quota = { tests: [], bytesPerDay: Number.POSITIVE_INFINITY, executions: Number.POSITIVE_INFINITY };

/** The quotas of a server. */
export class Quotas {
  #quotas: readonly Quota[];
  readonly #clock: Clock;
  /** Bytes of the day by subject. */
  readonly #sent = new Map<string, number>();
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
    if (this.#sentOf(subject) < bytesPerDay) return undefined;
    const retryAfterMs = DAY_MS - (this.#clock.nowMs() % DAY_MS);
    return { message: `${subject.name} has sent its ${bytesPerDay} bytes of today`, retryAfterMs };
  }

  /** Counts what a call sends, as it comes. */
  addBytes(subject: Subject, bytes: number): void {
    this.#sent.set(subject.name, this.#sentOf(subject) + bytes);
  }

  /** Whether a subject that has so many actions under way may have one more. */
  refusesExecution(subject: Pick<Subject, "name">, underWay: number): QuotaRefusal | undefined {
    const { executions } = this.#quotaOf(subject);
    if (underWay < executions) return undefined;
    const message = `${subject.name} has ${underWay} actions under way, and may have ${executions}`;
    return { message, retryAfterMs: BUSY_RETRY_MS };
  }

  #quotaOf({ name }: Pick<Subject, "name">): Quota {
    return this.#quotas.find(({ tests }) => tests.some((test) => test(name))) ?? UNLIMITED;
  }

  #sentOf({ name }: Subject): number {
    const day = Math.floor(this.#clock.nowMs() / DAY_MS);
    if (day !== this.#day) {
      this.#day = day;
      this.#sent.clear();
    }
    return this.#sent.get(name) ?? 0;
  }
}
