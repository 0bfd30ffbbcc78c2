/** Outputs that a node can reach: of what it requires, and of what those let through. */
import type { NodeRuntime } from "./node-runtime.ts";
import type { OutputEntry } from "./output-tree.ts";

/** Each path once, in no order. A node that declares `deps: direct` lets nothing through but its own. */
export function reachableOutputs(nodes: readonly NodeRuntime[], from: readonly number[]): readonly OutputEntry[] {
  const found = new Map<string, OutputEntry>();
  const seen = new Set<number>();
  const open = [...from];
  for (let number = open.pop(); number !== undefined; number = open.pop()) {
    if (seen.has(number)) continue;
    seen.add(number);
    const node = nodes[number]!;
    for (const entry of node.outputEntries ?? node.memo?.entries ?? []) found.set(entry.path, entry);
    if (node.resolved?.reach !== "own") open.push(...node.requires);
  }
  return [...found.values()];
}
