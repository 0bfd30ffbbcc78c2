/** The nodes of a graph that stand for what a run has open: by frame, branch and item, wherever they are nested. */
import type { AnyNode, FlowGraph } from "../../definition/nodes.ts";
import type { RunState, Visit } from "../state/run-state.ts";
import { ROOT } from "../state/run-state.ts";

/** Looks nodes up; `undefined` where the graph has nothing of that name and kind. Never throws. */
export class OpenNodes {
  readonly #graph: FlowGraph;
  readonly #state: Pick<RunState, "visits">;

  /** @param graph of the run, or another version of it. */
  constructor(graph: FlowGraph, state: Pick<RunState, "visits">) {
    this.#graph = graph;
    this.#state = state;
  }

  /** The graph of a frame. */
  graphOf(frame: string): FlowGraph | undefined {
    if (frame === ROOT) return this.#graph;
    const owner = this.#state.visits.get(frame);
    const node = owner === undefined ? undefined : this.nodeOf(owner);
    return node?.kind === "subgraph" ? node.graph : undefined;
  }

  /** The node of an open visit. */
  nodeOf({ parent, frame, node }: Visit): AnyNode | undefined {
    if (parent === undefined) return this.graphOf(frame)?.nodes.get(node);
    const outer = this.#state.visits.get(parent);
    const fan = outer === undefined ? undefined : this.nodeOf(outer);
    if (fan?.kind === "parallel") return fan.branches[node] as AnyNode | undefined;
    if (fan?.kind !== "map" || outer?.phase.kind !== "fan") return undefined;
    try {
      return fan.body(outer.phase.fan.items?.[Number(node)], Number(node)) as AnyNode;
    } catch {
      return undefined;
    }
  }
}
