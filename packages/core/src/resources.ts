/** What a node claims while it runs. A claim is taken and given back as one vector, never piecemeal. */

/** A mutual exclusion by name; shared holders exclude exclusive ones only. */
export interface MutexClaim {
  readonly name: string;
  readonly mode: "exclusive" | "shared";
}

/** A node's demand. Lookups and restores claim nothing of it. */
export interface ResourceClaim {
  /** Of the run's concurrency; 1 for an ordinary task, 0 for one that only waits. */
  readonly slots: number;
  /** Amounts of named pools. */
  readonly pools: readonly (readonly [pool: string, amount: number])[];
  readonly mutexes: readonly MutexClaim[];
  /** Each tag with a cap counts the nodes that carry it. */
  readonly tags: readonly string[];
  /** True when the node wants the terminal to itself. */
  readonly terminal: boolean;
}

/** What there is to claim. A pool or tag that is not named is unlimited (tags) or unknown (pools: rejected). */
export interface ResourceLimits {
  readonly slots: number;
  readonly pools: Readonly<Record<string, number>>;
  readonly tagCaps: Readonly<Record<string, number>>;
  /** How many lookups and restores may be in flight together. */
  readonly io: number;
}

/** The claim of an ordinary task. */
export const ONE_SLOT: ResourceClaim = { slots: 1, pools: [], mutexes: [], tags: [], terminal: false };
