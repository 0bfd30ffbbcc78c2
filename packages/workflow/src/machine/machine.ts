/**
 * The transition of a run: what happened → records, effects, events.
 *
 * Owns:      the life of visits in frames: launching, completing, routing, ending. Branches, barriers, joins and
 *            failures have files of their own.
 * Never:     reads a clock, draws a random number, or waits: time and chance come with each event. Code of the graph
 *            that it calls (predicates, `over`, `payload`, …) is pure and may throw: that is a failure of its node.
 * Invariant: equal events give equal records. Nothing that was decided is lost by a crash between two steps: a visit
 *            without outcome in the journal runs again, one with an outcome never.
 */
import { unreachable } from "@kahn/core";
import type { NodeError } from "../definition/failure.ts";
import { errorOfProblem } from "../definition/failure.ts";
import { expire, onDue, openBarrier } from "./barriers/barriers.ts";
import type { DecideRequest } from "./barriers/decide.ts";
import { isAnswered, onDecide, onRevoke } from "./barriers/decide.ts";
import { complete } from "./moves/complete.ts";
import type { Desk, FlowEffect, Move } from "./moves/desk.ts";
import { escalate, fail, failFor, stop, stopIfQuiet } from "./moves/failing.ts";
import { advanceFan, openFan } from "./moves/fans.ts";
import { openSubgraph, settleFrame } from "./moves/frames.ts";
import { declaredWrites, NOTHING, readOutput } from "./moves/output.ts";
import type { FlowEvent } from "./state/events.ts";
import type { FlowRecord } from "./state/records.ts";
import type { RunState, Visit } from "./state/run-state.ts";
import { misfitOf } from "./versions/fitting.ts";

/** What happened. */
export type MachineEvent =
  /** The run starts, or is taken up again: everything that is open is launched. */
  | { readonly kind: "begin" }
  | { readonly kind: "succeeded"; readonly visit: string; readonly attempt: number; readonly output: unknown }
  | { readonly kind: "failed"; readonly visit: string; readonly attempt: number; readonly error: NodeError }
  | { readonly kind: "due"; readonly visit: string }
  | { readonly kind: "grace"; readonly id: number }
  | { readonly kind: "decide"; readonly request: DecideRequest }
  | { readonly kind: "revoke"; readonly token: string; readonly cmd?: string }
  | { readonly kind: "cancel"; readonly reason: string; readonly by?: string; readonly cmd?: string }
  | { readonly kind: "leave"; readonly reason: string }
  /** A fact that somebody else has worked out, such as a checkpoint or the result of `once`. */
  | { readonly kind: "note"; readonly record: FlowRecord };

/** What comes of an event; whoever asked for it owns the arrays. */
export interface Step {
  readonly records: FlowRecord[];
  readonly effects: FlowEffect[];
  readonly events: FlowEvent[];
}

/** Takes one event. `now` is wall time; `fraction`, from 0 to 1, is this step's share of chance. */
export function transition(
  desk: Desk,
  event: MachineEvent,
  now: { readonly ms: number; readonly fraction: number },
): Step {
  desk.nowMs = now.ms;
  desk.fraction = now.fraction;
  desk.records = [];
  desk.effects = [];
  desk.events = [];
  take(desk, event);
  work(desk);
  return desk;
}

/** What whoever comes too late is told. */
export function stoppedAnswer(status: RunState["status"]) {
  const answer = { ack: "late", token: "" } as const;
  return status === "completed"
    ? { ...answer, why: "the run is over" }
    : { ...answer, why: "the run has just stopped", again: true as const };
}

function refuse(desk: Desk): void {
  desk.effects.push({ kind: "answer", ...stoppedAnswer(desk.state.status) });
}

/** Makes every move that is due. */
function work(desk: Desk): void {
  for (let at = 0; at < desk.moves.length; at++) make(desk, desk.moves[at]!);
  desk.moves.length = 0;
  stopIfQuiet(desk);
}

function take(desk: Desk, event: MachineEvent): void {
  if (desk.isStopped) {
    // It came together with what ended the run, and nothing is told after an end.
    if (event.kind === "decide" || event.kind === "revoke") refuse(desk);
    return;
  }
  switch (event.kind) {
    case "begin":
      begin(desk);
      return;
    case "succeeded":
    case "failed":
      land(desk, event);
      return;
    case "due":
      onDue(desk, event.visit);
      return;
    case "grace":
      giveUp(desk, event.id);
      return;
    case "decide": {
      // A timeout that was due before the decision came wins, whoever was there to see it.
      const expired = expire(desk);
      work(desk);
      if (desk.isStopped) refuse(desk);
      else onDecide(desk, event.request, expired);
      return;
    }
    case "revoke":
      onRevoke(desk, event);
      return;
    case "cancel": {
      const { reason, by, cmd } = event;
      if (isAnswered(desk, cmd)) return;
      desk.emit({
        k: "cancel",
        t: desk.t,
        reason,
        ...(by === undefined ? {} : { by }),
        ...(cmd === undefined ? {} : { cmd }),
      });
      stop(desk, { how: "cancelled", reason });
      return;
    }
    case "leave":
      stop(desk, { how: "left", reason: event.reason });
      return;
    case "note":
      // A visit that was given up may still report.
      if ("v" in event.record && event.record.v !== undefined && !desk.state.visits.has(event.record.v)) return;
      desk.emit(event.record);
      return;
    default:
      unreachable(event);
      return;
  }
}

function begin(desk: Desk): void {
  const { state, moves } = desk;
  if (state.cancelling !== undefined) {
    stop(desk, { how: "cancelled", reason: state.cancelling.reason });
    return;
  }
  const unfit = [...state.visits.values()].find((visit) => !desk.isDead(visit) && !isFit(desk, visit));
  if (unfit !== undefined) {
    failMissing(desk, unfit);
    return;
  }
  for (const visit of state.visits.values()) {
    if (desk.isDead(visit)) continue;
    if (visit.error !== undefined) moves.push({ move: "escalate", visit, error: visit.error });
    else moves.push({ move: "launch", visit });
  }
  for (const id of state.frames.keys()) moves.push({ move: "settle", frame: id });
}

/** Whether the graph still has what is open; it may not, if it was taken by force. Outer visits come first. */
function isFit(desk: Desk, visit: Visit): boolean {
  const node = desk.nodeOf(visit);
  return node !== undefined && misfitOf(node, visit) === undefined;
}

function land(desk: Desk, event: Extract<MachineEvent, { kind: "succeeded" | "failed" }>): void {
  const { state, moves } = desk;
  if (desk.inFlight.get(event.visit) !== event.attempt) return; // Given up long ago.
  const isDrained = desk.isDrained(event.visit);
  desk.landed(event.visit);
  const visit = state.visits.get(event.visit);
  if (isDrained || visit === undefined || desk.isDead(visit)) return;
  if (event.kind === "failed") {
    // A run that stops keeps its place: what was aborted runs again when it goes on.
    if (desk.stopping === undefined) failFor(desk, visit, event.error);
    return;
  }
  const output = readOutput(event.output, outputPlace(desk, visit));
  if (output.ok) moves.push({ move: "complete", visit, output: output.value });
  else moves.push({ move: "fail", visit, error: errorOfProblem(output.problem) });
}

function outputPlace(desk: Desk, visit: Visit) {
  const frame = desk.frameOf(visit);
  const { schema } = desk.graphOf(frame);
  const values = visit.parent === undefined ? frame.values : visit.input;
  return { schema, values, codec: desk.codec, path: visit.id, writes: declaredWrites(desk.nodeOf(visit)) };
}

function giveUp(desk: Desk, id: number): void {
  desk.giveUp(id);
  if (desk.stopping === undefined || id !== desk.stopGrace) return;
  const abandoned = [...desk.inFlight.keys()];
  desk.inFlight.clear();
  stopIfQuiet(desk, abandoned);
}

function make(desk: Desk, move: Move): void {
  switch (move.move) {
    case "launch":
      launch(desk, move.visit);
      return;
    // Another move of this step may have closed what the visit was in, or be waiting to.
    case "complete":
      if (desk.isOpen(move.visit)) complete(desk, move);
      return;
    case "fail":
      if (desk.isOpen(move.visit)) fail(desk, move.visit, move.error);
      return;
    case "escalate":
      if (desk.isOpen(move.visit)) escalate(desk, move.visit, move.error);
      return;
    case "advance":
      advanceFan(desk, move.visit);
      return;
    case "settle":
      settleFrame(desk, move.frame);
      return;
    default:
      unreachable(move);
      return;
  }
}

/** Sets a visit going, unless nothing is started any more. */
function launch(desk: Desk, visit: Visit): void {
  if (desk.stopping !== undefined || desk.inFlight.has(visit.id) || desk.state.visits.get(visit.id) !== visit) return;
  // What it is in may have failed in this step, and not be closed yet.
  if (desk.isDrained(visit.id) || desk.isDead(visit)) return;
  const { phase } = visit;
  if (phase.kind === "backoff" && phase.dueMs > desk.nowMs) {
    desk.effects.push({ kind: "timer", visit: visit.id, dueMs: phase.dueMs });
    return;
  }
  if (phase.kind === "fan") return void desk.moves.push({ move: "advance", visit });
  if (phase.kind === "subgraph") return;
  const node = desk.nodeOf(visit);
  if (node === undefined) {
    failMissing(desk, visit);
    return;
  }
  if (visit.parent === undefined && exceedsSteps(desk, visit)) return;
  switch (node.kind) {
    case "condition": {
      const chosen = desk.guard(`the condition ${visit.id}`, () => node.choices.find(([, when]) => when(visit.input)));
      if (!chosen.ok) return void desk.moves.push({ move: "fail", visit, error: chosen.error });
      const output = chosen.value === undefined ? NOTHING : { writes: {}, goto: chosen.value[0] };
      return void desk.moves.push({ move: "complete", visit, output });
    }
    case "barrier":
      openBarrier(desk, visit, node);
      return;
    case "parallel":
    case "map":
      openFan(desk, visit, node);
      return;
    case "subgraph":
      openSubgraph(desk, visit, node);
      return;
    default:
      desk.inFlight.set(visit.id, visit.attempt);
      desk.effects.push({ kind: "run", visit, node, attempt: visit.attempt });
  }
}

function failMissing(desk: Desk, visit: Visit): void {
  const error: NodeError = {
    class: "Terminal",
    code: "flow-node-missing",
    message: `the graph has no node that could go on with the visit ${visit.id}`,
    next: "Resume with the graph that the run began with, or migrate the node to another name.",
  };
  stop(desk, { how: "failed", error });
}

function exceedsSteps(desk: Desk, visit: Visit): boolean {
  const frame = desk.frameOf(visit);
  const graph = desk.graphOf(frame);
  const isRunOver = desk.state.step > desk.state.maxSteps;
  if (!isRunOver && (frame.owner === undefined || frame.steps <= graph.maxSteps)) return false;
  const limit = isRunOver ? desk.state.maxSteps : graph.maxSteps;
  const error: NodeError = {
    class: "Terminal",
    code: "flow-steps-exceeded",
    message: `${visit.id} would be step ${limit + 1} of ${isRunOver ? "the run" : `the subgraph ${frame.id}`}, and maxSteps is ${limit}`,
    next: isRunOver
      ? "Resume with a larger maxSteps (kahn flow resume --max-steps), or bound the cycle by maxVisits."
      : "Give the subgraph's graph a larger maxSteps, or bound the cycle by maxVisits.",
  };
  if (isRunOver) stop(desk, { how: "failed", error });
  else desk.moves.push({ move: "fail", visit, error });
  return true;
}
