/**
 * What goes into the kernel and what comes out of it.
 *
 * Owns:      the vocabulary of `step(state, event) → {state, effects}`.
 * Invariant: every effect that carries an `id` is answered by exactly one event with that id.
 */
import type { NodeEnd, ResourceClaim, ResourceLimits, ResultSource } from "@kahn/core";

/** A node offered to the kernel. Edges hold node numbers: those already admitted, or those of the same delta. */
export interface NodeSpec {
  readonly requires: readonly number[];
  readonly after: readonly number[];
  readonly validates: readonly number[];
  readonly claim: ResourceClaim;
  /** Higher first; before the critical path. */
  readonly priorityClass: number;
  /** Expected duration; weight of the node on the critical path. */
  readonly weightMs: number;
  /** `task` ends by itself; `service` is ended when only services are left; `pinned` runs until cancelled. */
  readonly lifetime: "task" | "service" | "pinned";
}

/** How the kernel treats failures. */
export type FailurePolicy =
  /** Go on with everything that does not need the failed node. */
  | "keep-going"
  /** Start nothing more; let what runs finish. */
  | "fail-fast";

/** Options of a kernel. */
export interface KernelOptions {
  readonly limits: ResourceLimits;
  readonly failure: FailurePolicy;
}

/** What the world tells the kernel. `id` is that of the effect answered. */
export type KernelEvent =
  /** A delta: its nodes get the next numbers, in order. Refused as a whole (`rejected`) or admitted as a whole. */
  | { readonly kind: "admit"; readonly nodes: readonly NodeSpec[] }
  /** No further delta will come: the run may finish. */
  | { readonly kind: "seal" }
  /** `miss`: execute it. `errored`: it could not be resolved. */
  | { readonly kind: "looked-up"; readonly id: number; readonly outcome: "hit" | "miss" | "errored" }
  /** `missing`: the result was incomplete after all; the node is executed. */
  | { readonly kind: "restored"; readonly id: number; readonly outcome: "restored" | "missing" | "errored" }
  /** A service answers; its dependents may start. Only for a running node; not a completion. */
  | { readonly kind: "became-ready"; readonly node: number }
  | {
      readonly kind: "executed";
      readonly id: number;
      readonly outcome: "succeeded" | "failed" | "errored" | "cancelled";
    }
  /** A result that could not be stored still succeeded. */
  | { readonly kind: "stored"; readonly id: number }
  /** `term` stops admission and ends what runs; a second one with `kill` skips the grace. */
  | { readonly kind: "cancel"; readonly how: "term" | "kill" };

/** What the kernel asks the world to do. */
export type KernelEffect =
  | { readonly kind: "lookup"; readonly id: number; readonly node: number }
  | { readonly kind: "restore"; readonly id: number; readonly node: number }
  | { readonly kind: "execute"; readonly id: number; readonly node: number }
  | { readonly kind: "store"; readonly id: number; readonly node: number }
  /** End the running execution of this node; its `executed` is still awaited. */
  | { readonly kind: "terminate"; readonly node: number; readonly how: "term" | "kill" }
  /** The node reached its end. `cause` is the root cause of a skip, or the failure whose fail-fast cancelled it. */
  | {
      readonly kind: "settled";
      readonly node: number;
      readonly end: NodeEnd;
      readonly source?: ResultSource;
      readonly cause?: number;
    }
  | { readonly kind: "rejected"; readonly reasons: readonly DeltaProblem[] }
  /** Every node has settled and the graph is sealed. Emitted once, last. */
  | { readonly kind: "finished"; readonly status: "succeeded" | "failed" | "cancelled" }
  /**
   * A bug: work is left and nothing is in flight. Names every waiting node and what it waits for. Not a bug in one case:
   * services that answer hold, in a ring, what the nodes behind them wait for; the run can then only be cancelled.
   */
  | { readonly kind: "stalled"; readonly waiting: readonly WaitingNode[] };

/** Why a delta was refused. All reasons are reported at once. */
export type DeltaProblem =
  /** The nodes of one cycle, in order; each requires (or follows) the next, and the last the first. */
  | { readonly code: "cycle"; readonly nodes: readonly number[] }
  | { readonly code: "unknown-node"; readonly node: number; readonly edge: number }
  | { readonly code: "self-edge"; readonly node: number }
  | { readonly code: "unknown-pool"; readonly node: number; readonly pool: string }
  | {
      /** Alone, or together with the services that the node requires and that hold theirs while it runs. */
      readonly code: "claim-exceeds-limit";
      readonly node: number;
      readonly resource: string;
      readonly asked: number;
      readonly limit: number;
    }
  | { readonly code: "sealed" };

/** What a node that has not started waits for. */
export type WaitReason =
  | { readonly kind: "requires"; readonly node: number }
  | { readonly kind: "after"; readonly node: number }
  | { readonly kind: "slots" | "io" | "terminal" }
  | { readonly kind: "pool" | "mutex" | "tag"; readonly name: string }
  /** A larger node ahead of it has reserved what it needs. */
  | { readonly kind: "reservation"; readonly node: number }
  | { readonly kind: "draining" };

/** A node that waits. */
export interface WaitingNode {
  readonly node: number;
  readonly reasons: readonly WaitReason[];
}
