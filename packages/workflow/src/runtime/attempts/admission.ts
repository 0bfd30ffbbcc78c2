/**
 * Admission of attempts that claim something, through the kernel: places, mutexes, pools and tags of a flow.
 *
 * Invariant: attempts that claim nothing never come here, so a chain of trivial steps costs no kernel node. Settled
 *            nodes are folded away: when nothing is admitted, or when many have settled, a fresh kernel takes over what
 *            runs and waits. Work that ends as it starts lets more work start: that is a loop and never a recursion,
 *            and nothing of a flow is called while the kernel takes events, or while it is replaced.
 */
import type { ResourceClaim, ResourceLimits } from "@kahn/core";
import type { KernelEvent, KernelState, NodeSpec } from "@kahn/scheduler";
import { createKernel, step } from "@kahn/scheduler";

interface Entry {
  readonly claim: ResourceClaim;
  readonly start: () => void;
  node: number;
  effect: number;
  /** `gone`: given up before its turn. The kernel knows no way back for one node, so it ends as soon as it is admitted. */
  phase: "waiting" | "running" | "gone" | "over";
}

/** A place in the queue, or what it led to. */
export interface Admitted {
  /** Gives back what was claimed, or leaves the queue. May be repeated. */
  done(): void;
}

const SETTLED_MAX = 10_000;

/** The admission of one flow. */
export class Admission {
  readonly #limits: ResourceLimits;
  #kernel: KernelState;
  #entries = new Map<number, Entry>();
  #settled = 0;
  #admittedNodes = 0;
  /** Admitted, and not told yet. */
  readonly #starts: Entry[] = [];
  #isStarting = false;

  /** @param limits of the flow. */
  constructor(limits: ResourceLimits) {
    this.#limits = limits;
    this.#kernel = this.#fresh();
  }

  /**
   * Calls `start` once the claim can be taken: before this returns if it can be now, unless it is asked for by what
   * another `start` does. `undefined`: it never can.
   */
  admit(claim: ResourceClaim, start: () => void): Admitted | undefined {
    const entry: Entry = { claim, start, node: -1, effect: -1, phase: "waiting" };
    if (!this.#enter(entry)) return undefined;
    this.#startAll();
    let isDone = false;
    return {
      done: () => {
        if (isDone) return;
        isDone = true;
        this.#leave(entry);
      },
    };
  }

  /** How many attempts wait for what they claim. */
  get waiting(): number {
    let waiting = 0;
    for (const { phase } of this.#entries.values()) if (phase === "waiting") waiting++;
    return waiting;
  }

  #fresh(): KernelState {
    return createKernel({ limits: this.#limits, failure: "keep-going" });
  }

  #enter(entry: Entry): boolean {
    entry.node = this.#admittedNodes++;
    this.#entries.set(entry.node, entry);
    const isAccepted = this.#feed({ kind: "admit", nodes: [specOf(entry.claim)] });
    if (isAccepted) return true;
    this.#admittedNodes--;
    this.#entries.delete(entry.node);
    return false;
  }

  #leave(entry: Entry): void {
    if (entry.phase === "waiting") {
      entry.phase = "gone";
      return;
    }
    this.#settle(entry);
    this.#startAll();
  }

  #settle(entry: Entry): void {
    entry.phase = "over";
    this.#entries.delete(entry.node);
    this.#settled++;
    this.#feed({ kind: "executed", id: entry.effect, outcome: "succeeded" });
  }

  /** A new kernel takes over: what runs first, so that it gets its claims back, then what waits, in order. */
  #renew(): void {
    const entries = [...this.#entries.values()];
    for (const entry of entries) if (entry.phase === "gone") entry.phase = "over";
    this.#kernel = this.#fresh();
    this.#entries = new Map();
    this.#settled = 0;
    this.#admittedNodes = 0;
    const ordered = [
      ...entries.filter((each) => each.phase === "running"),
      ...entries.filter((each) => each.phase === "waiting"),
    ];
    for (const entry of ordered) this.#enter(entry);
  }

  /** Feeds the kernel and carries out what it says, but starts nothing; false when it refused. */
  #feed(event: KernelEvent): boolean {
    const queue: KernelEvent[] = [event];
    let isAccepted = true;
    for (const next of queue) {
      for (const effect of step(this.#kernel, next).effects) {
        if (effect.kind === "rejected") isAccepted = false;
        else if (effect.kind === "lookup") queue.push({ kind: "looked-up", id: effect.id, outcome: "miss" });
        else if (effect.kind === "store") queue.push({ kind: "stored", id: effect.id });
        else if (effect.kind === "execute") this.#execute(effect.node, effect.id);
      }
    }
    return isAccepted;
  }

  #execute(node: number, effect: number): void {
    const entry = this.#entries.get(node)!;
    entry.effect = effect;
    if (entry.phase === "running") return; // Taken over from the kernel before.
    if (entry.phase === "waiting") entry.phase = "running";
    this.#starts.push(entry);
  }

  /** Starts what has been admitted and not given up since, and what is admitted because of that. */
  #startAll(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      for (let at = 0; at < this.#starts.length; at++) {
        const entry = this.#starts[at]!;
        if (entry.phase === "gone") this.#settle(entry);
        else if (entry.phase === "running") entry.start();
        this.#renewIfDue();
      }
    } finally {
      this.#starts.length = 0;
      this.#isStarting = false;
    }
    this.#renewIfDue();
  }

  #renewIfDue(): void {
    if (this.#entries.size === 0 ? this.#settled > 256 : this.#settled > SETTLED_MAX) this.#renew();
  }
}

function specOf(claim: ResourceClaim): NodeSpec {
  return { requires: [], after: [], validates: [], claim, priorityClass: 0, weightMs: 0, lifetime: "task" };
}
