/**
 * A binary heap of nodes in order of priority.
 *
 * Invariant: a node's priority does not change while it is in a heap (`admission.ts` raises waiting nodes only).
 */
import type { NodeTable } from "./node-table.ts";

/** Nodes, the one to go first on top. Nodes that left their state stay until they come up: `peek` drops them. */
export class NodeHeap {
  private readonly items: number[] = [];
  private readonly nodes: NodeTable;
  private readonly status: number;

  /** @param status the state that members are in; a member found in another one is stale. */
  constructor(nodes: NodeTable, status: number) {
    this.nodes = nodes;
    this.status = status;
  }

  /** Adds a node. O(log n). */
  push(node: number): void {
    const { items, nodes } = this;
    let at = items.length;
    items.push(node);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!nodes.precedes(node, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = node;
  }

  /** The first node, or −1. */
  peek(): number {
    while (this.items.length > 0) {
      const top = this.items[0]!;
      if (this.nodes.status[top] === this.status) return top;
      this.pop();
    }
    return -1;
  }

  /** Drops the first entry. O(log n). */
  pop(): void {
    const { items, nodes } = this;
    const moved = items.pop();
    if (moved === undefined || items.length === 0) return;
    const size = items.length;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && nodes.precedes(items[child + 1]!, items[child]!)) child++;
      if (!nodes.precedes(items[child]!, moved)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = moved;
  }
}
