/** Whether a node of a graph can go on with a visit that was opened by another version of it. */
import { kindOf } from "../../definition/construct.ts";
import type { AnyNode } from "../../definition/nodes.ts";
import type { Visit } from "../state/run-state.ts";

/** What an open visit is to its node: nothing is wrong, or how it was opened. */
export type Misfit = "branches" | "a map" | "a subgraph" | "a barrier";

/** How a visit was opened, if its node is of another kind now or has lost a branch; `undefined`: it fits. */
export function misfitOf(node: AnyNode, { phase }: Visit): Misfit | undefined {
  const kind = kindOf(node);
  switch (phase.kind) {
    case "fan": {
      const { names, started } = phase.fan;
      if (names === undefined) return kind === "map" ? undefined : "a map";
      if (node.kind !== "parallel") return "branches";
      return names.slice(started).every((name) => Object.hasOwn(node.branches, name)) ? undefined : "branches";
    }
    case "subgraph":
      return kind === "subgraph" ? undefined : "a subgraph";
    case "barrier":
      return kind === "barrier" ? undefined : "a barrier";
    default:
      return undefined;
  }
}
