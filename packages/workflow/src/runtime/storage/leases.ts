/**
 * Locks for stores that no kernel watches: a lease that its owner renews, and that others may take when it has run out.
 *
 * Owns:      the life of a lease: taken, renewed at a third of its time, let go, lost.
 * Invariant: each taking has an epoch of its own, one more than the last; a lease changes only by compare-and-set, so
 *            of two that take it at once one does. Who has slept through its lease learns so before its next append.
 * Note:      a lease alone cannot fence: its owner may fall asleep between looking and writing. What can is the
 *            journal: `open(…, { fence: true })` and the expected sequence number of every append.
 */
import type { Clock, Problem, Result, Timer } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { type RunLock, type RunLocks, takenOver } from "./run-lock.ts";

/** Who executes a run, and for how long it may be believed. */
export interface Lease {
  readonly owner: string;
  /** Counts takings from 1. */
  readonly epoch: number;
  /** Wall time; 0: let go. */
  readonly untilMs: number;
}

/** Where leases are kept: one value for each run, changed by compare-and-set. */
export interface LeaseStore {
  read(run: string): Promise<Result<Lease | undefined, Problem>>;
  /** Replaces the lease if what is there equals `before`; answers whether it did. */
  swap(run: string, before: Lease | undefined, after: Lease): Promise<Result<boolean, Problem>>;
}

/** How leases are taken. */
export interface LeaseOptions {
  readonly leases: LeaseStore;
  readonly clock: Clock;
  /** Names this process; no other may have the same. */
  readonly owner: string;
  /** How long a lease lasts unless it is renewed, in milliseconds; default 30,000. */
  readonly ttlMs?: number;
  /** By how much clocks of different machines may differ, in milliseconds; default 1,000. */
  readonly skewMs?: number;
}

/** Locks that are leases. */
export function leaseLocks(options: LeaseOptions): RunLocks {
  return { acquire: (run) => acquire(run, options) };
}

/** Leases in memory, for tests and for flows that share a process. */
export function memoryLeases(): LeaseStore {
  const leases = new Map<string, Lease>();
  return {
    read: async (run) => ok(leases.get(run)),
    swap: async (run, before, after) => {
      if (JSON.stringify(leases.get(run)) !== JSON.stringify(before)) return ok(false);
      leases.set(run, after);
      return ok(true);
    },
  };
}

async function acquire(run: string, options: LeaseOptions): Promise<Result<RunLock, Problem>> {
  const { leases, clock, owner, ttlMs = 30_000, skewMs = 1000 } = options;
  const found = await leases.read(run);
  if (!found.ok) return found;
  const before = found.value;
  if (before !== undefined && before.untilMs > 0 && clock.nowMs() < before.untilMs + skewMs)
    return err(held(run, before));
  const lease = { owner, epoch: (before?.epoch ?? 0) + 1, untilMs: clock.nowMs() + ttlMs };
  const taken = await leases.swap(run, before, lease);
  if (!taken.ok) return taken;
  if (taken.value) return ok(new HeldLease(run, lease, { ...options, ttlMs }));
  const winner = await leases.read(run);
  return winner.ok ? err(held(run, winner.value)) : winner;
}

class HeldLease implements RunLock {
  readonly owner: string;
  readonly #run: string;
  readonly #options: LeaseOptions & { readonly ttlMs: number };
  #lease: Lease;
  #timer: Timer | undefined;
  #isRenewing = false;
  #state: "held" | "released" | "lost" = "held";
  #lost: (problem: Problem) => void = () => {};

  constructor(run: string, lease: Lease, options: LeaseOptions & { readonly ttlMs: number }) {
    this.#run = run;
    this.#lease = lease;
    this.#options = options;
    this.owner = lease.owner;
    this.#renewLater();
  }

  isHeld(): boolean {
    return this.#state === "held" && this.#options.clock.nowMs() < this.#lease.untilMs;
  }

  onLost(lost: (problem: Problem) => void): void {
    this.#lost = lost;
  }

  release(): void {
    if (this.#state !== "held") return;
    this.#state = "released";
    this.#timer?.cancel();
    // A renewal on its way changes what there is to let go: it goes on with that.
    if (!this.#isRenewing) void this.#replace(0);
  }

  #renewLater(): void {
    const { clock, ttlMs } = this.#options;
    this.#timer = clock.setTimer(ttlMs / 3, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { clock, ttlMs } = this.#options;
    this.#isRenewing = true;
    const replaced = await this.#replace(clock.nowMs() + ttlMs);
    this.#isRenewing = false;
    // If it cannot be told, the lease runs out by itself.
    if (this.#state === "released") return void this.#replace(0);
    // Trouble on the way is no answer: tried again, until the time is over.
    if (replaced.kind === "taken" || (replaced.kind === "unknown" && !this.isHeld())) return this.#lose(replaced);
    this.#renewLater();
  }

  /** Replaces our lease. What is there may be ours and newer than we know: a renewal whose answer was lost. */
  async #replace(untilMs: number): Promise<Replaced> {
    const { leases } = this.#options;
    for (let tries = 0; tries < 2; tries++) {
      const next = { ...this.#lease, untilMs };
      const swapped = await leases.swap(this.#run, this.#lease, next);
      if (!swapped.ok) return { kind: "unknown" };
      if (swapped.value) {
        this.#lease = next;
        return { kind: "replaced" };
      }
      const found = await leases.read(this.#run);
      if (!found.ok) return { kind: "unknown" };
      if (found.value?.owner !== this.owner || found.value.epoch !== this.#lease.epoch)
        return { kind: "taken", now: found.value };
      this.#lease = found.value;
    }
    return { kind: "unknown" };
  }

  #lose({ now }: Exclude<Replaced, { kind: "replaced" }>): void {
    this.#state = "lost";
    this.#lost(takenOver(this.#run, now?.owner === this.owner ? undefined : now?.owner, now?.epoch));
  }
}

/** What became of a lease that was to be replaced. */
type Replaced =
  | { readonly kind: "replaced" }
  /** The store did not say. */
  | { readonly kind: "unknown"; readonly now?: undefined }
  | { readonly kind: "taken"; readonly now: Lease | undefined };

function held(run: string, lease: Lease | undefined): Problem {
  const who = lease === undefined ? "another process" : lease.owner;
  return problem("lock-held", `the run "${run}" is executed by ${who}`, {
    facts: lease === undefined ? [] : [["lease until", new Date(lease.untilMs).toISOString()]],
    next: "Wait until it has ended, or until its lease has run out.",
  });
}
