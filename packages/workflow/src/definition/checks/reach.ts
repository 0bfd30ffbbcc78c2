/** Ways through a graph: what cannot be reached, what cannot end, what may go round for ever. */
import type { Problem } from "@kahn/core";
import { findCycles, problem, warning } from "@kahn/core";
import type { Draft, Topology } from "../draft.ts";
import { END } from "../nodes.ts";

/** Nodes that no way leads to, and nodes from which none leads to `END`. */
export function* reachProblems(draft: Draft, { names, reached, ending }: Topology): Iterable<Problem> {
  for (const [index, name] of names.entries()) {
    if (name === END) continue;
    if (reached[index] === 0) {
      yield warning("flow-unreachable", `graph "${draft.id}": "${name}" cannot be reached from "${draft.start}"`, {
        next: "Add an edge to it, or remove it.",
      });
    } else if (ending[index] === 0) {
      yield problem("flow-no-end", `graph "${draft.id}": no way leads from "${name}" to END`, {
        next: "Add an edge to END on that way, even if nodes end the run themselves.",
      });
    }
  }
}

/** Cycles that nothing bounds; of each knot of them the shortest is named. */
export function* cycleWarnings(draft: Draft, { names, numbers, unbounded }: Topology): Iterable<Problem> {
  const cycles = findCycles(unbounded);
  if (cycles.length === 0) return;
  const cycleOf = new Map<number, number>();
  for (const [index, cycle] of cycles.entries()) for (const node of cycle) cycleOf.set(node, index);
  const falling = new Map<number, string>();
  for (const edge of draft.edges) {
    if (edge.kind !== "fallback") continue;
    const cycle = cycleOf.get(numbers.get(edge.from)!);
    if (cycle === undefined || falling.has(cycle)) continue;
    if (edge.to.some((target) => cycleOf.get(numbers.get(target)!) === cycle)) falling.set(cycle, edge.id);
  }
  for (const [index, cycle] of cycles.entries()) {
    const path = [...cycle, cycle[0]!].map((node) => names[node]).join(" → ");
    yield warning("flow-cycle-unbounded", `graph "${draft.id}": no edge of the cycle ${path} has a maxVisits`, {
      next: "Only maxSteps ends it; give one of its edges a maxVisits.",
    });
    const fallback = falling.get(index);
    if (fallback === undefined) continue;
    yield warning("flow-fallback-cycle", `graph "${draft.id}": the fallback edge ${fallback} is part of a cycle`, {
      next: "A node that cannot do its work is asked again and again; lead the fallback out, or bound it by maxVisits.",
    });
  }
}
