/** Graphs with some nodes replaced, so that a test runs what it is about and nothing else. */
import { InvariantError } from "@kahn/core";
import type { AnyNode, FlowGraph } from "../definition/nodes.ts";

/** A graph with other nodes under the same names; its hash stays, so that runs of the real graph can be resumed with it. */
export function withStubs<S, P>(graph: FlowGraph<S, P>, stubs: Readonly<Record<string, AnyNode>>): FlowGraph<S, P> {
  const nodes = new Map(graph.nodes);
  for (const [name, stub] of Object.entries(stubs)) {
    const node = nodes.get(name);
    if (node === undefined) throw new InvariantError(`the graph "${graph.id}" has no node "${name}" to stub`);
    const { join, targets } = node;
    const kept = { ...(join === undefined ? {} : { join }), ...(targets === undefined ? {} : { targets }) };
    nodes.set(name, { ...kept, ...stub });
  }
  return { ...graph, nodes };
}
