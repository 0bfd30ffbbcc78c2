/** A visit ended well: what it writes is tried, its way on is found, and both are committed. */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { errorOfProblem } from "../../definition/failure.ts";
import type { AnyNode } from "../../definition/nodes.ts";
import { isCustom } from "../../definition/reducers.ts";
import { applySets } from "../folding/writes.ts";
import type { Values } from "../state/run-state.ts";
import { commit } from "./commit.ts";
import type { Desk, Move } from "./desk.ts";
import { finishBranch } from "./fans.ts";
import type { Output } from "./output.ts";
import { withOutcomes } from "./output.ts";
import type { Route, RoutePlace } from "./route.ts";
import { routeConditional, routeNormal, routeOutput, routeTo } from "./route.ts";

/** Completes a visit of a frame, or hands a branch's output to its fan. */
export function complete(desk: Desk, { visit, output, facts = {} }: Extract<Move, { move: "complete" }>): void {
  if (visit.parent !== undefined) {
    finishBranch(desk, visit, output);
    return;
  }
  const frame = desk.frameOf(visit);
  const graph = desk.graphOf(frame);
  let values: Values | undefined;
  const after = (): Values => {
    if (values !== undefined) return values;
    const applied = applySets(frame, [output.writes], { decode: desk.context.decode, reducers: graph.schema.keys });
    // Reading the output has tried its writes against these very values.
    values = applied.ok ? applied.value : frame.values;
    return values;
  };
  const place: RoutePlace = { graph, frame, visit, after, facts };
  const routed = desk.guard(`a predicate on an edge of ${visit.id}`, () =>
    wayOf(place, output, graph.nodes.get(visit.node)),
  );
  const error = !routed.ok ? routed.error : !routed.value.ok ? errorOfProblem(routed.value.problem) : undefined;
  if (error !== undefined) return void desk.moves.push({ move: "fail", visit, error });
  const { s } = output.writes;
  const hasCustom = s !== undefined && Object.keys(s).some((key) => isCustom(graph.schema.keys[key]!.reducer));
  const writes = hasCustom
    ? withOutcomes(output.writes, after(), { schema: graph.schema, codec: desk.codec })
    : ok(output.writes);
  if (!writes.ok) return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(writes.problem) });
  if (values !== undefined) desk.context.preview = { visit: visit.id, values };
  const { value: route } = (routed as { value: { value: Route } }).value;
  const cost = output.cost === undefined ? {} : { cost: output.cost };
  commit(desk, visit, { route, writes: { ...writes.value, ...cost } });
}

/** Where an output leads. A rejection has a way of its own: never the normal edge, unless that was asked for. */
export function wayOf(place: RoutePlace, output: Output, node: AnyNode | undefined): Result<Route, Problem> {
  const { decision } = place.facts;
  const isSilent = output.goto === undefined && output.end === undefined && output.fallback === undefined;
  if (node?.kind !== "barrier" || decision?.kind !== "reject" || !isSilent) return routeOutput(place, output);
  const conditional = routeConditional(place);
  if (conditional !== undefined) return ok(conditional);
  if (node.onReject === "continue") return routeNormal(place);
  if (node.onReject !== undefined) return routeTo(place, node.onReject.goto);
  return err(rejected(place.visit.id, decision.reason));
}

/** Nothing takes a rejection. */
export function rejected(path: string, reason: string): Problem {
  return problem("flow-rejected", `${path} was rejected: ${reason}`, {
    next: "Give the barrier an onReject, or an edge whose condition looks at the decision.",
  });
}
