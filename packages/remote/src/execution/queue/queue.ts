/**
 * The queue: which of the waiting actions starts next.
 *
 * Owns:      the order: priority first (lower is sooner), then fair shares, then the order of arrival.
 * Never:     knows a worker, or looks at a clock.
 * Invariant: an action that waits is in it; one that was taken is not, under none of its invocations. Every fourth
 *            start ignores priorities and takes the oldest action of the share whose turn it is, so that whatever
 *            the others' priorities are, none waits for ever.
 * Note:      `@kahn/scheduler` decides over graphs and claims; here are no edges, one slot per action, and what
 *            matters is whose turn it is. It has no notion of that, so it is not used.
 */
import type { Charge, Share } from "./shares.ts";
import { compareShares, Shares } from "./shares.ts";

/** An action that is to run, for one of those who wait for it. */
export interface QueueEntry {
  readonly job: number;
  /** For whom: caller, correlated invocations, invocation. Always as long. */
  readonly path: readonly string[];
  /** Lower is sooner. */
  readonly priority: number;
  /** The kind of worker it needs. */
  readonly pool: string;
}

/** Every so many starts one goes by shares and age alone. */
export const AGED_TURN = 4;

interface Waiting {
  readonly job: number;
  readonly lane: Lane;
  readonly arrival: number;
  isTaken: boolean;
}

/** The entries of one share that need one kind of worker. */
interface Lane {
  readonly share: Share;
  readonly pool: string;
  /** Sorted by priority. */
  levels: Level[];
  size: number;
  /** Entries in the levels, those that were taken included. */
  held: number;
}

interface Level {
  readonly priority: number;
  entries: Waiting[];
  head: number;
}

/** Actions that wait. An action may wait under several invocations; it is taken once. */
export class FairQueue {
  readonly #shares = new Shares();
  readonly #lanes = new Map<Share, Map<string, Lane>>();
  readonly #jobs = new Map<number, Waiting[]>();
  readonly #charges = new Map<number, Charge>();
  #arrivals = 0;
  #starts = 0;

  /** How many actions wait. */
  get size(): number {
    return this.#jobs.size;
  }

  /** How many actions can run at once. */
  setSlots(slots: number): void {
    this.#shares.setSlots(slots);
  }

  /** Adds an action, or one more who waits for it. `first` puts it before all others of its priority. */
  add(entry: QueueEntry, place: "last" | "first" = "last"): void {
    const share = this.#shares.enter(entry.path);
    const lane = this.#lane(share, entry.pool);
    const level = levelOf(lane, entry.priority);
    const arrival = place === "last" ? ++this.#arrivals : -++this.#arrivals;
    const waiting: Waiting = { job: entry.job, lane, arrival, isTaken: false };
    if (place === "last") level.entries.push(waiting);
    else level.entries.splice(level.head, 0, waiting);
    lane.size++;
    if (++lane.held > 2 * lane.size + 64) compact(lane);
    const known = this.#jobs.get(entry.job);
    if (known === undefined) this.#jobs.set(entry.job, [waiting]);
    else known.push(waiting);
  }

  /** Takes an action out that shall not start. */
  remove(job: number): void {
    for (const waiting of this.#unlink(job)) this.#shares.leave(waiting.lane.share);
  }

  /** Takes the next action whose kind of worker fits; call `ended` once it has run. */
  take(fits: (pool: string) => boolean): number | undefined {
    const isAged = this.#starts % AGED_TURN === AGED_TURN - 1;
    const order = isAged ? byTurn : byPriority;
    let best: Candidate | undefined;
    for (const lanes of this.#lanes.values()) {
      for (const lane of lanes.values()) {
        if (!fits(lane.pool)) continue;
        const candidate = isAged ? oldestOf(lane) : firstOf(lane);
        if (candidate !== undefined && (best === undefined || order(candidate, best) < 0)) best = candidate;
      }
    }
    if (best === undefined) return undefined;
    this.#starts++;
    const { job } = best.waiting;
    const taken = best.waiting;
    for (const waiting of this.#unlink(job)) if (waiting !== taken) this.#shares.leave(waiting.lane.share);
    this.#charges.set(job, this.#shares.charge(taken.lane.share));
    return job;
  }

  /** An action that was taken no longer runs. */
  ended(job: number, durationMs: number): void {
    const charge = this.#charges.get(job);
    if (charge === undefined) return;
    this.#charges.delete(job);
    this.#shares.settle(charge, durationMs);
    this.#shares.leave(charge.leaf);
  }

  #lane(share: Share, pool: string): Lane {
    let lanes = this.#lanes.get(share);
    if (lanes === undefined) this.#lanes.set(share, (lanes = new Map()));
    let lane = lanes.get(pool);
    if (lane === undefined) lanes.set(pool, (lane = { share, pool, levels: [], size: 0, held: 0 }));
    return lane;
  }

  #unlink(job: number): readonly Waiting[] {
    const all = this.#jobs.get(job) ?? [];
    this.#jobs.delete(job);
    for (const waiting of all) {
      const { lane } = waiting;
      waiting.isTaken = true;
      lane.size--;
      if (lane.size > 0) continue;
      const lanes = this.#lanes.get(lane.share);
      lanes?.delete(lane.pool);
      if (lanes?.size === 0) this.#lanes.delete(lane.share);
    }
    return all;
  }
}

interface Candidate {
  readonly waiting: Waiting;
  readonly priority: number;
}

function byPriority(a: Candidate, b: Candidate): number {
  return a.priority - b.priority || byTurn(a, b);
}

function byTurn(a: Candidate, b: Candidate): number {
  return compareShares(a.waiting.lane.share, b.waiting.lane.share) || a.waiting.arrival - b.waiting.arrival;
}

/** The first of the best priority. */
function firstOf(lane: Lane): Candidate | undefined {
  for (const level of lane.levels) {
    const waiting = headOf(level);
    if (waiting !== undefined) return { waiting, priority: level.priority };
  }
  return undefined;
}

/** The one that came first, whatever its priority. */
function oldestOf(lane: Lane): Candidate | undefined {
  let oldest: Candidate | undefined;
  for (const level of lane.levels) {
    const waiting = headOf(level);
    if (waiting !== undefined && (oldest === undefined || waiting.arrival < oldest.waiting.arrival)) {
      oldest = { waiting, priority: level.priority };
    }
  }
  return oldest;
}

/** Passes over what was taken out meanwhile. */
function headOf(level: Level): Waiting | undefined {
  while (level.entries[level.head]?.isTaken === true) level.head++;
  return level.entries[level.head];
}

/** Drops what was taken, so that a lane holds no more than about twice of what waits in it. */
function compact(lane: Lane): void {
  lane.held = 0;
  lane.levels = lane.levels.filter((level) => {
    level.entries = level.entries.filter((waiting) => !waiting.isTaken);
    level.head = 0;
    lane.held += level.entries.length;
    return level.entries.length > 0;
  });
}

function levelOf(lane: Lane, priority: number): Level {
  let low = 0;
  let high = lane.levels.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lane.levels[middle]!.priority < priority) low = middle + 1;
    else high = middle;
  }
  const found = lane.levels[low];
  if (found?.priority === priority) return found;
  const level: Level = { priority, entries: [], head: 0 };
  lane.levels.splice(low, 0, level);
  return level;
}
