/**
 * Fans: parallel branches and maps.
 *
 * Invariant: writes of branches are kept aside and reduced as one, when the fan is done: in order of declaration, or of
 *            completion if asked. A branch that is done is never repeated. No more run at once than the limit says.
 */
import type { Json } from "@kahn/core";
import { problem } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import { errorOfProblem } from "../../definition/failure.ts";
import type { AnyNode, MapNode, ParallelNode, Strategy } from "../../definition/nodes.ts";
import { isCustom } from "../../definition/reducers.ts";
import { mergedWrites } from "../folding/fold.ts";
import { applySets, branchConflict, writtenKeys } from "../folding/writes.ts";
import type { CommitRecord, WriteSet } from "../state/records.ts";
import type { Fan, Values, Visit } from "../state/run-state.ts";
import { commit } from "./commit.ts";
import type { Desk } from "./desk.ts";
import type { Output } from "./output.ts";
import { routeError, routeOutput } from "./route.ts";

type FanNode = ParallelNode<Readonly<Record<string, unknown>>> | MapNode<Readonly<Record<string, unknown>>>;

/** How a node deals with failed branches. */
export function strategyOf(node: AnyNode | undefined): Strategy {
  return (node?.kind === "parallel" || node?.kind === "map" ? node.strategy : undefined) ?? "failFast";
}

/** Opens the branches of a visit. */
export function openFan(desk: Desk, visit: Visit, node: FanNode): void {
  if (node.kind === "parallel") {
    const names = Object.keys(node.branches);
    desk.emit({ k: "fan", v: visit.id, t: desk.t, names, count: names.length });
    return void desk.moves.push({ move: "advance", visit });
  }
  const listed = desk.guard(`over of ${visit.id}`, () => node.over(visit.input));
  if (!listed.ok) return void desk.moves.push({ move: "fail", visit, error: listed.error });
  const encoded = Array.isArray(listed.value) ? desk.codec.encode([...listed.value]) : notAList(visit.id);
  if (!encoded.ok) return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(encoded.problem) });
  desk.emit({ k: "fan", v: visit.id, t: desk.t, items: encoded.value as Json, count: listed.value.length });
  desk.moves.push({ move: "advance", visit });
}

function notAList(path: string) {
  const wrong = problem("flow-output-invalid", `over of ${path} gave no list`, { next: "Give an array of items." });
  return { ok: false, problem: wrong } as const;
}

/** Starts branches that fit, or ends the fan. */
export function advanceFan(desk: Desk, visit: Visit): void {
  if (visit.phase.kind !== "fan" || desk.state.visits.get(visit.id) !== visit || desk.isDrained(`${visit.id}/`)) return;
  const { fan } = visit.phase;
  const node = desk.nodeOf(visit) as FanNode;
  const strategy = strategyOf(node);
  const quorum = typeof strategy === "object" ? Math.min(strategy.quorum, fan.count) : undefined;
  if (quorum !== undefined && fan.done.size >= quorum) {
    desk.drain(visit.id, "not-needed", () => finishFan(desk, visit, fan));
    return;
  }
  if (quorum !== undefined && fan.count - fan.failed.size < quorum) {
    desk.drain(visit.id, "sibling-failed", () => failFan(desk, visit, fan));
    return;
  }
  if (fan.done.size + fan.failed.size === fan.count) {
    finishFan(desk, visit, fan);
    return;
  }
  startMore(desk, visit, node.limit ?? fan.count);
}

function startMore(desk: Desk, visit: Visit, limit: number): void {
  if (visit.phase.kind !== "fan" || desk.stopping !== undefined) return;
  const { fan } = visit.phase;
  const running = fan.started - fan.done.size - fan.failed.size;
  const by = Math.min(limit - running, fan.count - fan.started);
  if (by <= 0) return;
  const first = fan.started;
  desk.emit({ k: "more", v: visit.id, t: desk.t, by });
  for (let index = first; index < first + by; index++) {
    const branch = desk.state.visits.get(`${visit.id}/${fan.names?.[index] ?? index}`)!;
    desk.moves.push({ move: "launch", visit: branch });
  }
}

function failFan(desk: Desk, visit: Visit, { failed, count }: Fan): void {
  const error: NodeError = {
    class: "Terminal",
    code: "flow-branches-failed",
    message: `${failed.size} of ${count} branches of ${visit.id} failed`,
    parts: [...failed.values()],
  };
  desk.moves.push({ move: "fail", visit, error });
}

/** A branch ended well: what it wrote is kept for the merge. */
export function finishBranch(desk: Desk, visit: Visit, output: Output): void {
  const astray = output.goto === undefined ? output.fallback : `goto ${output.goto}`;
  if (astray !== undefined) {
    const wrong = problem("flow-branch-astray", `the branch ${visit.id} cannot go elsewhere: ${astray}`, {
      next: "Throw to fail the branch, or put nodes with edges between them into a subgraph.",
    });
    return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(wrong) });
  }
  const cost = output.cost === undefined ? {} : { cost: output.cost };
  desk.emit({ k: "b", v: visit.id, t: desk.t, ...output.writes, ...cost });
  desk.moves.push({ move: "advance", visit: desk.state.visits.get(visit.parent!)! });
}

/** All that had to be done is done: merges, commits, goes on. */
function finishFan(desk: Desk, visit: Visit, fan: Fan): void {
  if (fan.failed.size > 0 && fan.done.size === 0) {
    failFan(desk, visit, fan);
    return;
  }
  const frame = desk.frameOf(visit);
  const { schema } = desk.graphOf(frame);
  const conflict = branchConflict(fan, frame, visit.id);
  if (conflict !== undefined)
    return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(conflict, "Conflict") });
  const byCompletion = (desk.nodeOf(visit) as FanNode).order === "completed";
  const sets = mergedWrites(fan, byCompletion);
  const applied = applySets(frame, sets, { decode: desk.context.decode, reducers: schema.keys });
  if (!applied.ok) return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(applied.problem) });
  const observed = fan.failed.size === 0 ? {} : { observed: partialFailure(visit, fan) };
  const merge = { g: 1 as const, ...(byCompletion ? { o: [...fan.done.keys()] } : {}), ...observed };
  if (visit.parent !== undefined) {
    desk.emit({ k: "b", v: visit.id, t: desk.t, ...merge });
    return void desk.moves.push({ move: "advance", visit: desk.state.visits.get(visit.parent)! });
  }
  commitFan(desk, visit, { merge, sets, values: applied.value });
}

function partialFailure(visit: Visit, { failed, count }: Fan): NodeError {
  return {
    class: "Observed",
    code: "flow-branches-failed",
    message: `${failed.size} of ${count} branches of ${visit.id} failed; it went on with the others`,
    path: visit.id,
    parts: [...failed.values()],
  };
}

interface Merged {
  readonly merge: Partial<CommitRecord>;
  readonly sets: readonly WriteSet[];
  readonly values: Values;
}

function commitFan(desk: Desk, visit: Visit, { merge, sets, values }: Merged): void {
  const frame = desk.frameOf(visit);
  const graph = desk.graphOf(frame);
  const place = { graph, frame, visit, after: () => values, facts: {} };
  const { observed } = merge;
  const routed = desk.guard(`a predicate on an edge of ${visit.id}`, () => {
    const onError = observed === undefined ? undefined : routeError(place, observed);
    return onError === undefined ? routeOutput(place, { writes: {} }) : ({ ok: true, value: onError } as const);
  });
  if (!routed.ok) return void desk.moves.push({ move: "fail", visit, error: routed.error });
  if (!routed.value.ok)
    return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(routed.value.problem) });
  const outcomes: Record<string, Json> = {};
  for (const key of writtenKeys(sets)) {
    if (!isCustom(graph.schema.keys[key]!.reducer)) continue;
    const encoded = desk.codec.encode(values[key]);
    if (!encoded.ok) return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(encoded.problem) });
    outcomes[key] = encoded.value;
  }
  desk.context.preview = { visit: visit.id, values };
  const writes = Object.keys(outcomes).length === 0 ? merge : { ...merge, p: outcomes };
  commit(desk, visit, { route: routed.value.value, writes });
}
