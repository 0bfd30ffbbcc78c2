/**
 * The state of a kernel, and how it is made.
 *
 * Never: is read by other packages; `inspect.ts` answers questions about it.
 */
import { InvariantError } from "@kahn/core";
import type { KernelEffect, KernelOptions } from "../kernel-types.ts";
import { ClaimQueues } from "./claim-queues.ts";
import { EdgeTable } from "./edge-table.ts";
import { NodeHeap } from "./node-heap.ts";
import { NodeTable, READY } from "./node-table.ts";
import { Resources } from "./resources.ts";

/** Why nothing new starts. */
export type Stop =
  | { readonly kind: "no" }
  /** A failure under fail-fast. */
  | { readonly kind: "drain"; readonly cause: number }
  | { readonly kind: "cancel" };

/** All that a kernel knows. Opaque outside of this package, and owned by whoever called `step` last. */
export interface KernelState {
  readonly options: KernelOptions;
  readonly nodes: NodeTable;
  readonly edges: EdgeTable;
  readonly resources: Resources;
  /** Nodes that wait for an I/O place to be looked up. */
  readonly ready: NodeHeap;
  /** Nodes that wait for their claim. */
  readonly queue: ClaimQueues;
  /** Nodes that wait for an I/O place to be stored, oldest first from `storesAt` on. */
  stores: number[];
  storesAt: number;
  /** Running services and pinned nodes, in order of start. */
  readonly services: Set<number>;
  ioInUse: number;
  stop: Stop;
  hasFailure: boolean;
  isSealed: boolean;
  isFinished: boolean;
  isStalled: boolean;
  /** Of the step in progress. */
  effects: KernelEffect[];
}

/**
 * Makes a kernel without nodes.
 *
 * @param options capacities and failure policy; fixed for the kernel's life. Throws `InvariantError` without an I/O
 *   place.
 */
export function createKernel(options: KernelOptions): KernelState {
  const nodes = new NodeTable();
  const resources = new Resources(options.limits);
  return {
    options,
    nodes,
    edges: new EdgeTable(),
    resources,
    ready: new NodeHeap(nodes, READY),
    queue: new ClaimQueues(nodes, resources),
    stores: [],
    storesAt: 0,
    services: new Set(),
    ioInUse: 0,
    stop: { kind: "no" },
    hasFailure: false,
    isSealed: false,
    isFinished: false,
    isStalled: false,
    effects: [],
  };
}

/** Throws unless the node was admitted. */
export function assertNode(state: KernelState, node: number): void {
  if (!(Number.isInteger(node) && node >= 0 && node < state.nodes.count)) {
    throw new InvariantError(`node ${node} was never admitted`);
  }
}
