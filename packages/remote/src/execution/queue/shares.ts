/**
 * Fair shares: whose turn it is among callers, their correlated invocations, and each of their invocations.
 *
 * Owns:      how much slot time each share has had, in virtual milliseconds (`tag`).
 * Never:     knows an action, or looks at a clock.
 * Invariant: of two shares under one parent that both want work all the time, neither gets more slot time than the
 *            other by more than the credit and one action; a share that stays away saves up no more than the credit.
 * Method:    start-time fair queuing (Goyal, Vin, Cheng 1996) on each level. A start is charged with what actions of
 *            that share usually take, and corrected when it ends. The credit makes up for what a newcomer has to
 *            wait until the first slots come free, so that ten actions beside a thousand end within twice the time.
 */

/** One share; a leaf is an invocation. */
export interface Share {
  readonly parent: Share | undefined;
  readonly children: Map<string, Share>;
  /** The order of making, to break ties. */
  readonly order: number;
  /** Slot time charged so far, in virtual time of the parent. */
  tagMs: number;
  /** Virtual time of the children: the tag of the one that started last. */
  virtualMs: number;
  /** Entries that wait or run, below it as well. */
  load: number;
  /** What its actions take on the average; `undefined` until one has ended. */
  meanMs: number | undefined;
}

/** What a start was charged with. */
export interface Charge {
  readonly leaf: Share;
  readonly estimateMs: number;
}

/** How much the latest duration counts in an average. */
const MEAN_WEIGHT = 0.2;
/** What an action is thought to take before any has ended. */
const FIRST_ESTIMATE_MS = 1000;
/** Beyond this many shares under one parent those without load are dropped. */
const IDLE_MAX = 1024;

/** All shares. */
export class Shares {
  #root: Share = newShare(undefined, 0);
  #made = 0;
  #slots = 1;
  #meanMs = FIRST_ESTIMATE_MS;

  /** How many actions can run at once: the credit of a newcomer is one turn of each slot. */
  setSlots(slots: number): void {
    this.#slots = Math.max(1, slots);
  }

  /** The leaf of a path, outermost first, which now has one more entry. */
  enter(path: readonly string[]): Share {
    let share = this.#root;
    share.load++;
    for (const name of path) {
      const child = share.children.get(name) ?? this.#make(share, name);
      if (child.load === 0) child.tagMs = Math.max(child.tagMs, share.virtualMs - this.#slots * this.#meanMs);
      child.load++;
      share = child;
    }
    return share;
  }

  /** An entry is gone without having run, or for good. */
  leave(leaf: Share): void {
    for (let share: Share | undefined = leaf; share !== undefined; share = share.parent) share.load--;
    // Nobody waits and nothing runs: all are equal again.
    if (this.#root.load === 0) this.#root = newShare(undefined, 0);
  }

  /** An entry starts. */
  charge(leaf: Share): Charge {
    const estimateMs = leaf.meanMs ?? this.#meanMs;
    for (let share = leaf; share.parent !== undefined; share = share.parent) {
      share.parent.virtualMs = Math.max(share.parent.virtualMs, share.tagMs);
      share.tagMs += estimateMs;
    }
    return { leaf, estimateMs };
  }

  /** What started has ended; to be followed by `leave`. */
  settle({ leaf, estimateMs }: Charge, durationMs: number): void {
    for (let share = leaf; share.parent !== undefined; share = share.parent) share.tagMs += durationMs - estimateMs;
    leaf.meanMs = averaged(leaf.meanMs ?? durationMs, durationMs);
    this.#meanMs = averaged(this.#meanMs, durationMs);
  }

  #make(parent: Share, name: string): Share {
    if (parent.children.size >= IDLE_MAX) {
      for (const [each, { load }] of parent.children) if (load === 0) parent.children.delete(each);
    }
    const share = newShare(parent, ++this.#made);
    share.tagMs = Number.NEGATIVE_INFINITY;
    parent.children.set(name, share);
    return share;
  }
}

/** Below 0 when leaf `a` is to start before leaf `b`. Both lie on the same level. */
export function compareShares(a: Share, b: Share): number {
  let left = a;
  let right = b;
  // Up to the two under one parent: there it is decided.
  while (left.parent !== right.parent && left.parent !== undefined && right.parent !== undefined) {
    left = left.parent;
    right = right.parent;
  }
  return left.tagMs - right.tagMs || left.order - right.order;
}

function averaged(meanMs: number, durationMs: number): number {
  return meanMs + (durationMs - meanMs) * MEAN_WEIGHT;
}

function newShare(parent: Share | undefined, order: number): Share {
  return { parent, children: new Map(), order, tagMs: 0, virtualMs: 0, load: 0, meanMs: undefined };
}
