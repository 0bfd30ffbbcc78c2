/**
 * Dominators: which nodes every way from the root to a node passes through.
 *
 * Source: Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm": immediate dominators by iteration in
 * reverse postorder. Linear for graphs whose cycles have one entry, and hardly worse for others.
 */
import type { Graph } from "@kahn/core";
import { reverseGraph } from "@kahn/core";

/** Answers whether every way from the root to `node` passes through `by`; of a node that cannot be reached, no. */
export function dominatorsOf(graph: Graph, root: number): (by: number, node: number) => boolean {
  const order = reversePostorder(graph, root);
  const rank = new Int32Array(graph.size).fill(-1);
  for (const [index, node] of order.entries()) rank[node] = index;
  const parents = reverseGraph(graph);
  // By rank, as everything below: a dominator always has a lower one.
  const nearest = new Int32Array(order.length).fill(-1);
  nearest[0] = 0;
  for (let isChanged = true; isChanged; ) {
    isChanged = false;
    for (let at = 1; at < order.length; at++) {
      const found = meetOfParents(order[at]!, { parents, rank, nearest });
      if (found !== nearest[at]) isChanged = true;
      nearest[at] = found;
    }
  }
  return (by, node) => {
    const wanted = rank[by]!;
    let at = rank[node]!;
    if (wanted === -1 || at === -1) return false;
    while (at > wanted) at = nearest[at]!;
    return at === wanted;
  };
}

interface Search {
  readonly parents: Graph;
  readonly rank: Int32Array;
  readonly nearest: Int32Array;
}

/** The nearest node that dominates all parents of a node that have been looked at. */
function meetOfParents(node: number, { parents, rank, nearest }: Search): number {
  let found = -1;
  for (let edge = parents.offsets[node]!; edge < parents.offsets[node + 1]!; edge++) {
    let other = rank[parents.targets[edge]!]!;
    if (other === -1 || nearest[other] === -1) continue;
    if (found === -1) found = other;
    while (other !== found) {
      if (other > found) other = nearest[other]!;
      else found = nearest[found]!;
    }
  }
  return found;
}

/** Depth first, with a stack of its own: a chain of 100,000 nodes must not exhaust the call stack. */
function reversePostorder({ size, offsets, targets }: Graph, root: number): number[] {
  const seen = new Uint8Array(size);
  const cursor = offsets.slice(0, size);
  const stack = [root];
  const done: number[] = [];
  seen[root] = 1;
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!;
    if (cursor[node] === offsets[node + 1]) {
      done.push(node);
      stack.pop();
      continue;
    }
    const target = targets[cursor[node]!++]!;
    if (seen[target] === 1) continue;
    seen[target] = 1;
    stack.push(target);
  }
  return done.reverse();
}
