/** Frames: how subgraphs begin, and how a frame ends when nothing is left to do in it. */
import type { Json } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import { errorOfProblem } from "../../definition/failure.ts";
import type { SubgraphNode } from "../../definition/nodes.ts";
import { initialState } from "../state/initial-state.ts";
import type { Frame, Visit } from "../state/run-state.ts";
import type { Desk } from "./desk.ts";
import { stop } from "./failing.ts";
import { deadlock, fireJoins } from "./joins.ts";
import { readOutput } from "./output.ts";

/** Begins the graph inside of a visit. */
export function openSubgraph(desk: Desk, visit: Visit, node: SubgraphNode<Readonly<Record<string, unknown>>>): void {
  const input = desk.guard(`input of ${visit.id}`, () => node.input(visit.input));
  if (!input.ok) return void desk.moves.push({ move: "fail", visit, error: input.error });
  const state = initialState(node.graph.schema, input.value, desk.codec);
  if (!state.ok) return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(state.problem) });
  const { structure, start } = node.graph;
  desk.emit({
    k: "sub",
    v: visit.id,
    t: desk.t,
    state: state.value as Readonly<Record<string, Json>>,
    keys: structure.keys,
    start,
  });
  desk.moves.push({ move: "launch", visit: desk.state.visits.get(`${visit.id}/${start}#1`)! });
}

/** Fires joins that may fire; ends the frame if nothing is left in it. */
export function settleFrame(desk: Desk, id: string): void {
  const frame = desk.state.frames.get(id);
  if (frame === undefined) return;
  if (!frame.ended && frame.joins.size > 0 && fireJoins(desk, frame)) return;
  if (frame.open > 0) return;
  const stuck = frame.ended ? undefined : deadlock(desk, frame);
  if (stuck !== undefined) {
    endBadly(desk, frame, stuck);
    return;
  }
  if (frame.owner === undefined) {
    // After a cancel there is only "cancelled"; if the run goes on later, it completes then.
    if (desk.stopping === undefined) stop(desk, { how: "completed" });
    return;
  }
  endSubgraph(desk, frame, desk.state.visits.get(frame.owner)!);
}

function endBadly(desk: Desk, frame: Frame, error: NodeError): void {
  if (frame.owner === undefined) stop(desk, { how: "failed", error });
  else desk.moves.push({ move: "fail", visit: desk.state.visits.get(frame.owner)!, error });
}

function endSubgraph(desk: Desk, frame: Frame, owner: Visit): void {
  const node = desk.nodeOf(owner) as SubgraphNode<Readonly<Record<string, unknown>>>;
  if (owner.error !== undefined || desk.isDrained(owner.id)) return;
  const given = desk.guard(`output of ${owner.id}`, () => node.output(frame.values, owner.input));
  if (!given.ok) return void desk.moves.push({ move: "fail", visit: owner, error: given.error });
  const outer = desk.frameOf(owner);
  const values = owner.parent === undefined ? outer.values : owner.input;
  const { schema } = desk.graphOf(outer);
  const place = { schema, values, codec: desk.codec, path: owner.id, writes: node.writes };
  const output = readOutput(given.value, place);
  if (!output.ok) return void desk.moves.push({ move: "fail", visit: owner, error: errorOfProblem(output.problem) });
  desk.moves.push({ move: "complete", visit: owner, output: output.value });
}
