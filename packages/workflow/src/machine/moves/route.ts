/**
 * Routing: where a frame goes on after a visit.
 *
 * Order: `end`; `goto`, along an edge or a declared target, whose condition is not asked; then conditional edges in
 * order of declaration; the normal edge; the fallback edge. A node that says `fallback` takes the fallback edge, one
 * that fails the first error edge that matches, else the fallback edge. An edge that has been taken as often as it may
 * be is passed over.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import { matchesClass } from "../../definition/failure.ts";
import type { FlowEdge, FlowGraph, RouteFacts } from "../../definition/nodes.ts";
import { END } from "../../definition/nodes.ts";
import type { Frame, Values, Visit } from "../state/run-state.ts";
import type { Output } from "./output.ts";

/** Where it goes on. */
export interface Route {
  /** Nodes, `END` left out. */
  readonly to: readonly string[];
  /** Ids of edges whose visits are counted. */
  readonly counted: readonly string[];
  readonly end?: true;
  /** The node named it. */
  readonly go?: true;
  readonly how?: "fallback" | "error" | "timeout";
  readonly why?: string;
  readonly error?: NodeError;
}

/** Where routing happens. */
export interface RoutePlace {
  readonly graph: FlowGraph;
  readonly frame: Frame;
  readonly visit: Visit;
  /** The values after the visit's writes; asked for only when a predicate wants them. */
  readonly after: () => Values;
  readonly facts: RouteFacts;
}

/** Edges that leave the visit's node. */
function edgesOf({ graph, visit }: RoutePlace): readonly FlowEdge[] {
  return graph.outgoing.get(visit.node) ?? [];
}

/** Where a visit goes on that ended well. Throws what a predicate throws. */
export function routeOutput(place: RoutePlace, output: Output): Result<Route, Problem> {
  if (output.end === true) return ok({ to: [], counted: [], end: true });
  if (output.goto !== undefined) return routeTo(place, output.goto);
  if (output.fallback !== undefined) return routeFallback(place, output.fallback);
  const conditional = routeConditional(place);
  if (conditional !== undefined) return ok(conditional);
  return routeNormal(place);
}

/** Along the first conditional edge that is true; `undefined` when there is none. */
export function routeConditional(place: RoutePlace): Route | undefined {
  for (const edge of edgesOf(place)) {
    if (edge.kind !== "conditional" || isUsedUp(place, edge)) continue;
    if (edge.when!(place.after(), place.facts)) return along(edge);
  }
  return undefined;
}

/** Along the normal edge, else the fallback edge. */
export function routeNormal(place: RoutePlace): Result<Route, Problem> {
  const edges = edgesOf(place);
  for (const kind of ["normal", "fallback"] as const) {
    const edge = edges.find((each) => each.kind === kind && !isUsedUp(place, each));
    if (edge !== undefined) return ok(kind === "normal" ? along(edge) : { ...along(edge), how: "fallback" });
  }
  const usedUp = edges.find((edge) => isUsedUp(place, edge));
  return err(usedUp === undefined ? unrouted(place, edges) : visitsExceeded(place, usedUp));
}

/** To a node by name: legal along an edge of any class, or to a declared target. */
export function routeTo(place: RoutePlace, target: string): Result<Route, Problem> {
  const { graph, visit } = place;
  const candidates = edgesOf(place).filter((edge) => edge.to.includes(target));
  const edge = candidates.find((each) => !isUsedUp(place, each));
  if (edge !== undefined) return ok({ to: target === END ? [] : [target], counted: countedOf(edge), go: true });
  if (candidates[0] !== undefined) return err(visitsExceeded(place, candidates[0]));
  if (isNamedTarget(graph, visit.node, target))
    return ok({ to: target === END ? [] : [target], counted: [], go: true });
  return err(
    problem("flow-edge-missing", `${visit.id} goes to "${target}", and no edge leads there`, {
      facts: [
        [
          "edges lead to",
          edgesOf(place)
            .flatMap((each) => each.to)
            .join(", ") || "nothing",
        ],
      ],
      next: `Add the edge ["${visit.node}", "${target}"], or name it in the node's targets.`,
    }),
  );
}

/** True for what `targets`, a condition's choices or `onReject` name. */
export function isNamedTarget(graph: FlowGraph, name: string, target: string): boolean {
  const node = graph.nodes.get(name);
  if (node === undefined) return false;
  if (node.targets?.includes(target) === true) return true;
  if (node.kind === "condition") return node.choices.some(([choice]) => choice === target);
  return node.kind === "barrier" && typeof node.onReject === "object" && node.onReject.goto === target;
}

function routeFallback(place: RoutePlace, why: string): Result<Route, Problem> {
  const edge = edgesOf(place).find((each) => each.kind === "fallback" && !isUsedUp(place, each));
  if (edge !== undefined) return ok({ ...along(edge), how: "fallback", why });
  return err(
    problem("flow-fallback-missing", `${place.visit.id} asks for its fallback (${why}), and there is none`, {
      next: `Add { from: "${place.visit.node}", to: …, fallback: true }.`,
    }),
  );
}

/** Where a failure goes; `undefined`: nothing takes it. */
export function routeError(place: RoutePlace, error: NodeError): Route | undefined {
  const edges = edgesOf(place);
  for (const edge of edges) {
    if (edge.kind !== "error" || isUsedUp(place, edge)) continue;
    const { onError } = edge;
    const matches = typeof onError === "function" ? onError(error) : matchesClass(onError!, error);
    if (matches) return { ...along(edge), how: "error", error };
  }
  if (error.class === "Observed") return undefined;
  const fallback = edges.find((edge) => edge.kind === "fallback" && !isUsedUp(place, edge));
  return fallback === undefined ? undefined : { ...along(fallback), how: "error", error };
}

/** Routes by edge: taken at every step, and always the same. */
const ROUTES = new WeakMap<FlowEdge, Route>();

function along(edge: FlowEdge): Route {
  const known = ROUTES.get(edge);
  if (known !== undefined) return known;
  const route = { to: edge.to.filter((target) => target !== END), counted: countedOf(edge) };
  ROUTES.set(edge, route);
  return route;
}

function countedOf(edge: FlowEdge): readonly string[] {
  return edge.maxVisits === undefined ? [] : [edge.id];
}

function isUsedUp({ frame }: RoutePlace, edge: FlowEdge): boolean {
  return edge.maxVisits !== undefined && (frame.edges.get(edge.id) ?? 0) >= edge.maxVisits;
}

function visitsExceeded({ visit }: RoutePlace, edge: FlowEdge): Problem {
  return problem(
    "flow-visits-exceeded",
    `the edge ${edge.id} was taken ${edge.maxVisits} times, as often as it may be`,
    {
      facts: [["at", visit.id]],
      next: "Raise its maxVisits, or give the node another way on, for example a fallback edge.",
    },
  );
}

function unrouted({ visit }: RoutePlace, edges: readonly FlowEdge[]): Problem {
  return problem("flow-unrouted", `no edge of ${visit.id} can be taken`, {
    facts: edges.map(
      (edge) => [edge.id, edge.kind === "conditional" ? `${edge.label ?? "condition"}: false` : edge.kind] as const,
    ),
    next: "Add a normal edge for the case that no condition holds.",
  });
}
