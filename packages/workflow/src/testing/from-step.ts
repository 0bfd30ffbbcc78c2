/** Runs that begin in the middle of a graph, so that a test of a late step need not come by the early ones. */
import { closestName, InvariantError } from "@kahn/core";
import type { AnyNode, FlowGraph } from "../definition/nodes.ts";
import type { OpenBarrier } from "../machine/barriers/open.ts";
import type { Flow } from "../runtime/flow.ts";
import type { Decision } from "../runtime/run/decision.ts";
import type { FlowRun, RunResult } from "../runtime/run/flow-run.ts";
import { decideBy } from "./scripted-decisions.ts";
import { withStubs } from "./stubs.ts";

/** Where a run begins, and with what. */
export interface FromStep<S> {
  readonly node: string;
  /** What the state holds by then; other keys begin as at the start of a run. */
  readonly state?: Partial<S>;
  /** Other nodes under some of the names. */
  readonly stubs?: Readonly<Record<string, AnyNode>>;
  /** Answers barriers; left out, the run waits at the first. */
  readonly script?: (barrier: OpenBarrier) => Decision | undefined;
}

/** The same graph, beginning elsewhere; its hash stays, so that a fork of a real run can go on with it. */
export function startingAt<S, P>(graph: FlowGraph<S, P>, node: string): FlowGraph<S, P> {
  if (!graph.nodes.has(node)) {
    const near = closestName(node, [...graph.nodes.keys()]);
    const hint = near === undefined ? "" : `; did you mean "${near}"?`;
    throw new InvariantError(`the graph "${graph.id}" has no node "${node}" to start at${hint}`);
  }
  return { ...graph, start: node, structure: { ...graph.structure, start: node } };
}

/**
 * Runs a graph from a step on, to its end or to a barrier that nobody answers.
 *
 * @returns how the run stands then; look at what it did with `history(result.run, flow.look())`.
 */
export async function runFrom<S, P>(
  flow: Flow,
  graph: FlowGraph<S, P>,
  { node, state = {}, stubs = {}, script = () => undefined }: FromStep<NoInfer<S>>,
): Promise<RunResult<S>> {
  const run = await flow.start(startingAt(withStubs(graph, stubs), node), state as never);
  return (await decideBy(run as unknown as FlowRun, script)) as RunResult<S>;
}
