/**
 * Joins that can never have what they wait for.
 *
 * Invariant: only what holds for every run is a problem: a join may still wait in vain because of how a run goes, which
 *            is told then, as a deadlock.
 */
import type { Problem } from "@kahn/core";
import { problem, reachableFlags } from "@kahn/core";
import type { Draft, Topology } from "../draft.ts";
import { parentsOf } from "../draft.ts";
import type { AnyNode } from "../nodes.ts";
import { END } from "../nodes.ts";
import { dominatorsOf } from "./dominators.ts";

/** One problem for each join that cannot be satisfied. */
export function* joinProblems(draft: Draft, topology: Topology): Iterable<Problem> {
  const joins: (readonly [name: string, node: AnyNode])[] = [];
  for (const entry of draft.nodes) if (entry[1].join !== undefined) joins.push(entry);
  if (joins.length === 0) return;
  const parents = parentsOf(draft);
  const several = joins.some(([, { join }]) => join === "all" || typeof join === "object");
  const inspect = several ? inspector(draft, topology) : undefined;
  for (const [name, { join }] of joins) {
    const from = [...(parents.get(name) ?? [])];
    const isAll = join === "all";
    const wanted = typeof join === "object" ? join.quorum : isAll ? Math.max(1, from.length) : 1;
    const why =
      from.length < wanted || wanted < 1 ? "" : isAll || wanted > 1 ? inspect?.(name, from, wanted) : undefined;
    if (why === undefined) continue;
    yield problem(
      "flow-join-unsatisfiable",
      `graph "${draft.id}": join "${name}" waits for ${wanted} of ${from.length} parents${why}`,
      { next: adviceFor(why) },
    );
  }
}

function adviceFor(why: string): string {
  return why === ""
    ? "Add the edges that are missing, or ask for fewer."
    : 'Start the parents together by one edge with several targets, or let the join be "settled" or "any".';
}

type Inspect = (name: string, parents: readonly string[], wanted: number) => string | undefined;

/** Tells why a join that waits for several parents cannot have them; `undefined`: it can. */
function inspector(draft: Draft, { numbers, ways, start, reached }: Topology): Inspect {
  const dominates = dominatorsOf(ways, start);
  const forked = draft.edges.flatMap(({ from, to }) => {
    const targets = to.filter((target) => target !== END);
    return targets.length < 2 || reached[numbers.get(from)!] === 0 ? [] : targets.map((target) => numbers.get(target)!);
  });
  const isParallel = reachableFlags(ways, forked);
  return (name, parents, wanted) => {
    const join = numbers.get(name)!;
    if (reached[join] === 0) return undefined; // Which is told as such.
    const lost = parents.filter((parent) => {
      const number = numbers.get(parent)!;
      return reached[number] === 0 || (join !== start && dominates(join, number));
    });
    if (parents.length - lost.length < wanted) {
      return `, and ${lost.map((each) => `"${each}"`).join(", ")} cannot come before it`;
    }
    return wanted > 1 && isParallel[join] === 0 ? ", and nothing starts several nodes on the way to it" : undefined;
  };
}
