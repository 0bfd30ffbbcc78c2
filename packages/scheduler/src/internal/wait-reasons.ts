/** Why a node has not started: the unmet conditions of one node, read off the state. */
import type { WaitReason } from "../kernel-types.ts";
import { isMet } from "./admission.ts";
import { LOOKUP, QUEUED, READY, STORE_PENDING, WAITING } from "./node-table.ts";
import type { KernelState } from "./state.ts";

/**
 * Says what a node that has not started waits for.
 *
 * @returns all reasons at once; empty for a node that is in flight or has settled.
 */
export function waitReasons(state: KernelState, node: number): WaitReason[] {
  const { nodes, resources } = state;
  switch (nodes.status[node]) {
    case WAITING:
      return unmetEdges(state, node);
    case READY:
    case STORE_PENDING:
      return [{ kind: "io" }];
    case LOOKUP:
      return state.stop.kind === "no" ? [] : [{ kind: "draining" }];
    case QUEUED: {
      const short = resources.shortages(nodes.claim[node]!);
      if (short.length > 0) return short;
      const head = state.queue.first(() => true);
      return head === -1 || head === node ? [] : [{ kind: "reservation", node: head }];
    }
    default:
      return [];
  }
}

function unmetEdges({ nodes, edges }: KernelState, node: number): WaitReason[] {
  const reasons: WaitReason[] = [];
  for (let edge = edges.rowStart[node]!; edge < edges.rowStart[node + 1]!; edge++) {
    const dependency = edges.dependency[edge]!;
    const strict = edges.strict[edge] === 1;
    if (!isMet({ nodes }, dependency, strict)) reasons.push({ kind: strict ? "requires" : "after", node: dependency });
  }
  return reasons;
}
