/**
 * Questions about a kernel's state.
 *
 * Never: changes what the kernel does; may be called between any two steps.
 */
import { InvariantError, type NodeEnd, type RunCounts } from "@kahn/core";
import {
  ANSWERED,
  CACHED,
  CANCELLED,
  ERRORED,
  FAILED,
  LOOKUP,
  QUEUED,
  READY,
  RESTORING,
  RUNNING,
  SKIPPED,
  STORE_PENDING,
  STORING,
  SUCCEEDED,
  WAITING,
} from "./internal/node-table.ts";
import { assertNode, type KernelState } from "./internal/state.ts";
import { waitReasons as reasonsOf } from "./internal/wait-reasons.ts";
import type { NodeSpec, WaitReason } from "./kernel-types.ts";

/** Where a node is in its life. */
export type NodeState = "waiting" | "ready" | "lookup" | "restoring" | "queued" | "running" | "storing" | NodeEnd;

/** What the kernel knows of one node. */
export interface NodeDescription {
  readonly node: number;
  readonly state: NodeState;
  readonly lifetime: NodeSpec["lifetime"];
  /** True when it is a service that has answered. */
  readonly isAnswering: boolean;
  readonly priorityClass: number;
  /** Weight of the heaviest chain from this node to the last of its dependents, in milliseconds. */
  readonly criticalPathMs: number;
  /** Root cause of a skip or of a fail-fast cancel. */
  readonly cause?: number;
  /** Why it has not started; empty if it has. */
  readonly reasons: readonly WaitReason[];
}

/** Numbers of nodes by state. */
export interface KernelCounts extends RunCounts {
  readonly nodes: number;
  readonly waiting: number;
  readonly ready: number;
  readonly lookup: number;
  readonly restoring: number;
  readonly queued: number;
  readonly running: number;
  readonly storing: number;
}

const NAMES = new Map<number, NodeState>([
  [WAITING, "waiting"],
  [READY, "ready"],
  [QUEUED, "queued"],
  [LOOKUP, "lookup"],
  [RESTORING, "restoring"],
  [RUNNING, "running"],
  [STORE_PENDING, "storing"],
  [STORING, "storing"],
  [SUCCEEDED, "succeeded"],
  [FAILED, "failed"],
  [ERRORED, "errored"],
  [SKIPPED, "skipped"],
  [CANCELLED, "cancelled"],
]);
const LIFETIMES = ["task", "service", "pinned"] as const;

/** Where a node is in its life. Throws `InvariantError` for a number that was never admitted. */
export function nodeState(state: KernelState, node: number): NodeState {
  assertNode(state, node);
  const name = NAMES.get(state.nodes.status[node]!);
  if (name === undefined) throw new InvariantError(`node ${node} is in no known state`);
  return name;
}

/** Why a node has not started: all unmet conditions at once; empty for one that has. */
export function waitReasons(state: KernelState, node: number): WaitReason[] {
  assertNode(state, node);
  return reasonsOf(state, node);
}

/** Everything about one node, for people and for `why`. */
export function describeNode(state: KernelState, node: number): NodeDescription {
  const { nodes } = state;
  const description = {
    node,
    state: nodeState(state, node),
    lifetime: LIFETIMES[nodes.lifetime[node]!]!,
    isAnswering: nodes.status[node] === RUNNING && (nodes.flags[node]! & ANSWERED) !== 0,
    priorityClass: nodes.priorityClass[node]!,
    criticalPathMs: nodes.pathMs[node]!,
    reasons: reasonsOf(state, node),
  };
  const cause = nodes.cause[node]!;
  return cause === -1 ? description : { ...description, cause };
}

/** How many nodes are where. O(1) but for the cached ones, which are counted one by one. */
export function counts(state: KernelState): KernelCounts {
  const { census, count, flags, status } = state.nodes;
  let cached = 0;
  for (let node = 0; node < count; node++) {
    if (status[node] === SUCCEEDED && (flags[node]! & CACHED) !== 0) cached++;
  }
  return {
    nodes: count,
    waiting: census[WAITING]!,
    ready: census[READY]!,
    lookup: census[LOOKUP]!,
    restoring: census[RESTORING]!,
    queued: census[QUEUED]!,
    running: census[RUNNING]!,
    storing: census[STORE_PENDING]! + census[STORING]!,
    executed: census[SUCCEEDED]! - cached,
    cached,
    failed: census[FAILED]!,
    errored: census[ERRORED]!,
    skipped: census[SKIPPED]!,
    cancelled: census[CANCELLED]!,
  };
}
