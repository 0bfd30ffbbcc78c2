/**
 * Nodes that wait for their claim: one heap per distinct claim.
 *
 * Why not one heap: when the first of a thousand equal claims does not fit, the others do not either. Finding the next
 * node to start costs O(distinct claims that wait), however many nodes wait.
 */
import { NodeHeap } from "./node-heap.ts";
import { type NodeTable, QUEUED } from "./node-table.ts";
import type { Resources } from "./resources.ts";

/** The queue of a kernel. */
export class ClaimQueues {
  private readonly nodes: NodeTable;
  private readonly resources: Resources;
  private readonly heaps: NodeHeap[] = [];
  /** Claims whose heap may hold a node. Their order is of no account: priorities are total. */
  private readonly active: number[] = [];
  private readonly isActive: boolean[] = [];
  private slotless = 0;

  constructor(nodes: NodeTable, resources: Resources) {
    this.nodes = nodes;
    this.resources = resources;
  }

  /** True if nothing can start for want of slots alone. A quick test before a search. */
  get isOutOfSlots(): boolean {
    return this.slotless === 0 && !this.resources.hasFreeSlot;
  }

  /** Adds a node in state `queued`. */
  push(node: number): void {
    const claim = this.nodes.claim[node]!;
    this.heaps[claim] ??= new NodeHeap(this.nodes, QUEUED);
    this.heaps[claim].push(node);
    if (this.isActive[claim] === true) return;
    this.isActive[claim] = true;
    this.active.push(claim);
    if (this.resources.slotsOf(claim) === 0) this.slotless++;
  }

  /** The first node in order of priority among those whose claim is admitted, or −1. It stays in the queue. */
  first(admits: (claim: number) => boolean): number {
    let best = -1;
    for (let at = this.active.length - 1; at >= 0; at--) {
      const claim = this.active[at]!;
      const node = this.heaps[claim]!.peek();
      if (node === -1) this.deactivate(at);
      else if ((best === -1 || this.nodes.precedes(node, best)) && admits(claim)) best = node;
    }
    return best;
  }

  private deactivate(at: number): void {
    const claim = this.active[at]!;
    this.isActive[claim] = false;
    this.active[at] = this.active[this.active.length - 1]!;
    this.active.pop();
    if (this.resources.slotsOf(claim) === 0) this.slotless--;
  }
}
