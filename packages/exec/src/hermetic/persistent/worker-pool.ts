/**
 * Which worker gets the next piece of work.
 *
 * Owns:      the count of workers, who waits for one, and when an idle one goes.
 * Invariant: never more than `workersMax` workers live; one that is not usable any more is given to nobody; those who
 *            wait are served in order.
 */
import type { Clock, Timer } from "@kahn/core";

/** A worker as the pool sees it. */
export interface PooledWorker {
  readonly isUsable: boolean;
  end(how: "term" | "kill"): Promise<void>;
}

/** How many workers, and how long. */
export interface WorkerPoolOptions {
  readonly clock: Clock;
  /** At least 1. */
  readonly workersMax: number;
  /** One that has had nothing to do for so long is ended. */
  readonly idleMs: number;
}

/** What kind of worker is wanted. */
export interface WorkerWanted {
  readonly key: string;
  /** Pieces of work that one of this kind may have at once. */
  readonly workMax: number;
  /** An abort ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** A worker of which one piece of work may be asked. */
export interface WorkerLease<W> {
  readonly worker: W;
  /** To be called once. `retire`: it must not be given to anybody again. */
  release(retire: boolean): void;
}

interface Member<W> {
  readonly key: string;
  readonly worker: W;
  busy: number;
  idleTimer: Timer | undefined;
}

/** Workers by key. */
export class WorkerPool<W extends PooledWorker> {
  readonly #options: WorkerPoolOptions;
  readonly #members = new Set<Member<W>>();
  readonly #waiting: (() => void)[] = [];
  /** Ended, and not yet gone. */
  readonly #ending = new Set<Promise<void>>();
  #made = 0;
  #leased = 0;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** How many live. */
  get size(): number {
    return this.#members.size;
  }

  /** Since it was made: workers made, and leases of one that had been made for another. */
  counts(): { readonly live: number; readonly started: number; readonly reused: number } {
    return { live: this.size, started: this.#made, reused: this.#leased - this.#made };
  }

  /**
   * A worker of that key which has less than `workMax` to do; a new one where none has and there is room; else waits.
   *
   * @param make starts nothing by itself that would have to be ended when it throws.
   * @returns `undefined` when the signal aborts while it waits.
   */
  async lease({ key, workMax, signal }: WorkerWanted, make: () => W): Promise<WorkerLease<W> | undefined> {
    let isTurn = this.#waiting.length === 0;
    let hasWaited = false;
    for (;;) {
      const member = isTurn ? (this.#free(key, workMax) ?? this.#add(key, make)) : undefined;
      if (member !== undefined) return this.#take(member);
      await this.#turn(hasWaited ? "first" : "last", signal);
      if (signal?.aborted === true) {
        // If the turn had come, it is the next one's.
        this.#waiting.shift()?.();
        return undefined;
      }
      isTurn = true;
      hasWaited = true;
    }
  }

  /** Ends all workers; resolves when they are gone. */
  async close(): Promise<void> {
    for (const member of [...this.#members]) this.#remove(member, "term");
    await Promise.all(this.#ending);
  }

  /** Resolves when it is ours to look for a worker, or when the signal aborts. */
  #turn(place: "first" | "last", signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        const at = this.#waiting.indexOf(wake);
        if (at >= 0) this.#waiting.splice(at, 1);
        wake();
      };
      // First: somebody was faster, and the turn is still ours.
      if (place === "first") this.#waiting.unshift(wake);
      else this.#waiting.push(wake);
      signal?.addEventListener("abort", leave);
      if (signal?.aborted === true) leave();
    });
  }

  #free(key: string, workMax: number): Member<W> | undefined {
    for (const member of this.#members) {
      if (member.worker.isUsable) {
        if (member.key === key && member.busy < workMax) return member;
      } else if (member.busy === 0) this.#remove(member, "kill");
    }
    return undefined;
  }

  #add(key: string, make: () => W): Member<W> | undefined {
    if (this.#members.size >= this.#options.workersMax) {
      // The set is in order of last use.
      const idle = [...this.#members].find(({ busy }) => busy === 0);
      if (idle === undefined) return undefined;
      this.#remove(idle, "term");
    }
    this.#made++;
    return { key, worker: make(), busy: 0, idleTimer: undefined };
  }

  #take(member: Member<W>): WorkerLease<W> {
    member.idleTimer?.cancel();
    member.busy++;
    this.#leased++;
    this.#members.add(member);
    return { worker: member.worker, release: (retire) => this.#release(member, retire) };
  }

  #release(member: Member<W>, retire: boolean): void {
    member.busy--;
    if (this.#members.has(member)) {
      if (retire || !member.worker.isUsable) this.#remove(member, "kill");
      else if (member.busy === 0) {
        // Last in the set is last to go.
        this.#members.delete(member);
        this.#members.add(member);
        member.idleTimer = this.#options.clock.setTimer(this.#options.idleMs, () => this.#remove(member, "term"));
      }
    }
    this.#waiting.shift()?.();
  }

  #remove(member: Member<W>, how: "term" | "kill"): void {
    member.idleTimer?.cancel();
    this.#members.delete(member);
    const ending: Promise<void> = member.worker.end(how).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
