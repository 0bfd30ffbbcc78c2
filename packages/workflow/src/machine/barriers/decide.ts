/**
 * Decisions as they come in: recorded with an answer to whoever sent them, whatever the answer is.
 *
 * Answers: `accepted` (it answers the open barrier, or waits for it), `duplicate` (the barrier has one waiting),
 * `late` (that occurrence is over), `unknown` (no such barrier), `invalid` (what it says is impossible there).
 */
import type { FlowGraph } from "../../definition/nodes.ts";
import { heldValue } from "../../definition/reducers.ts";
import type { Desk } from "../moves/desk.ts";
import { isNamedTarget } from "../moves/route.ts";
import type { DecisionRecord, RecordedDecision, Writes } from "../state/records.ts";
import { isWaiting, ROOT, type RunState, type Visit } from "../state/run-state.ts";
import { isOverdue, resolve } from "./barriers.ts";
import { barriersThere, openNow } from "./names.ts";
import type { BarrierPlace } from "./places.ts";
import { barriersMeant, matchesPath, staticPath } from "./places.ts";

/** A decision, its payload checked and its values encoded. */
export interface DecideRequest {
  /** The visit of a barrier, such as `review#1`. */
  readonly barrier?: string;
  /** Or every occurrence of a node, such as `sub/review`; `*` stands for one part. */
  readonly node?: string;
  readonly decision: RecordedDecision;
  readonly by?: string;
  /** Of a wildcard: how many occurrences it answers, and until which wall time it does. */
  readonly count?: number;
  readonly untilMs?: number;
  readonly cmd?: string;
  /** What is wrong with the payload, if something is. */
  readonly invalid?: string;
}

/** Records a decision, answers its sender, and answers the barriers that it is for. `expired`: what timed out just before. */
export function onDecide(desk: Desk, request: DecideRequest, expired: readonly string[]): void {
  const { state } = desk;
  if (isAnswered(desk, request.cmd)) return;
  const token = `d${state.decisions + 1}`;
  const { ack, why } = judge(desk, request, expired);
  const { barrier: v, node, decision, by, count, untilMs, cmd } = request;
  const record: DecisionRecord = {
    k: "dec",
    t: desk.t,
    token,
    decision,
    ack,
    ...(v === undefined ? {} : { v }),
    ...(node === undefined ? {} : { node }),
    ...(by === undefined ? {} : { by }),
    ...(count === undefined ? {} : { count }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(cmd === undefined ? {} : { cmd }),
    ...(why === undefined ? {} : { why }),
  };
  desk.emit(record);
  desk.effects.push({ kind: "answer", ack, token, ...(why === undefined ? {} : { why }) });
  if (ack === "accepted") answerOpen(desk, request, token);
}

/** Whether a command of this id came before; then its sender is answered as it was then. */
export function isAnswered({ state, effects }: Desk, cmd: string | undefined): boolean {
  const known = cmd === undefined ? undefined : state.commands.find((each) => each.id === cmd);
  if (known === undefined) return false;
  effects.push({ kind: "answer", ack: known.ack === "done" ? "accepted" : known.ack, token: known.token });
  return true;
}

function answerOpen(desk: Desk, { barrier, node, decision, by }: DecideRequest, token: string): void {
  if (desk.stopping !== undefined && desk.stopping.how !== "passive") return; // It waits in the state, for the resume.
  for (const visit of [...desk.state.visits.values()]) {
    if (!isWaiting(desk.state, visit) || desk.isDrained(visit.id)) continue;
    if (isOverdue(desk, visit)) continue;
    const isMeant = barrier === undefined ? matchesPath(node!, staticPath(visit.id)) : visit.id === barrier;
    const isLeft = node === undefined || desk.state.wildcards.some((each) => each.token === token);
    if (isMeant && isLeft) resolve(desk, visit, { token, decision, by });
  }
}

interface Judgement {
  readonly ack: DecisionRecord["ack"];
  readonly why?: string;
}

function judge(desk: Desk, request: DecideRequest, expired: readonly string[]): Judgement {
  const { state } = desk;
  const path = request.barrier === undefined ? (request.node ?? "") : staticPath(request.barrier);
  const places = barriersMeant(desk, request);
  if (places.length === 0) {
    return {
      ack: "unknown",
      why: `there is no barrier "${path}" (${barriersThere(desk.graph, path)}); ${openNow(state)}`,
    };
  }
  if (request.barrier !== undefined) {
    const standing = standingOf(state, request.barrier);
    if (standing === "unknown") {
      return { ack: "unknown", why: `"${request.barrier}" is no visit of a barrier; ${openNow(state)}` };
    }
    if (expired.includes(request.barrier)) return TIMED_OUT;
    if (standing === "over") return { ack: "late", why: "that occurrence is over" };
    const visit = state.visits.get(request.barrier);
    if (visit !== undefined && isOverdue(desk, visit)) return TIMED_OUT;
    if (state.early.some((each) => each.v === request.barrier))
      return { ack: "duplicate", why: "it has a decision already" };
  }
  // One visit was meant, and it has just gone.
  if (request.count === 1 && expired.some((id) => matchesPath(path, staticPath(id)))) return TIMED_OUT;
  if (state.status === "completed") return { ack: "late", why: "the run is over" };
  if (request.count !== undefined && !(request.count >= 1)) return { ack: "invalid", why: "its count is less than 1" };
  const invalid = request.invalid ?? places.map((place) => impossible(desk, request, place)).find(Boolean);
  return invalid === undefined ? { ack: "accepted", ...early(state, request) } : { ack: "invalid", why: invalid };
}

/** What is accepted and answers nothing yet says so: whoever misnamed a visit would wait for it. */
function early(state: RunState, { barrier, node = "" }: DecideRequest): Pick<Judgement, "why"> {
  const isOpen = (visit: Visit) =>
    isWaiting(state, visit) && (barrier === undefined ? matchesPath(node, staticPath(visit.id)) : visit.id === barrier);
  if ([...state.visits.values()].some(isOpen)) return {};
  const what = barrier === undefined ? `no visit of "${node}" is open` : `"${barrier}" is not open yet`;
  return { why: `${what}, and the decision waits for ${barrier === undefined ? "the next" : "it"}; ${openNow(state)}` };
}

const TIMED_OUT: Judgement = { ack: "late", why: "its time was up before the decision came" };

/** What a decision asks for that cannot be done at this barrier. */
function impossible(desk: Desk, { decision }: DecideRequest, place: BarrierPlace): string | undefined {
  const { barrier, graph, name } = place;
  if (decision.kind === "modify") {
    const keys = Object.keys(decision.set);
    const unknown = keys.find((key) => !Object.hasOwn(graph.schema.keys, key));
    if (unknown !== undefined) return `the state has no key "${unknown}"`;
    const undeclared = keys.find((key) => barrier.writes?.includes(key) === false);
    if (undeclared !== undefined) return `the barrier does not write the key "${undeclared}"`;
    return wrongValue(desk, graph, decision.set);
  }
  if (decision.kind !== "reroute") return undefined;
  if (place.isBranch) return "a branch cannot be rerouted";
  const isEdge = graph.outgoing.get(name)?.some((edge) => edge.to.includes(decision.to)) === true;
  return isEdge || isNamedTarget(graph, name, decision.to)
    ? undefined
    : `no edge leads from "${name}" to "${decision.to}"`;
}

/** What of a modification the state could not hold; such a value would make the next write to its key fail. */
function wrongValue(desk: Desk, { schema }: FlowGraph, set: Writes): string | undefined {
  for (const [key, json] of Object.entries(set)) {
    const held = heldValue(key, schema.keys[key]!.reducer, desk.context.decode(json));
    if (!held.ok) return `${held.problem.message} [${held.problem.code}]`;
  }
  return undefined;
}

/** Whether a visit is open, still to come, or over. */
function standingOf(state: RunState, id: string): "open" | "ahead" | "over" | "unknown" {
  const parts = id.split("/");
  let above: Visit | undefined;
  let frame = ROOT;
  for (let depth = 0; depth < parts.length; depth++) {
    const prefix = parts.slice(0, depth + 1).join("/");
    const open = state.visits.get(prefix);
    if (open === undefined) return closedStanding(state, { part: parts[depth]!, above, frame });
    // What has failed is tried again when its run is resumed; in one that goes on without it it is over.
    if (open.error !== undefined) return state.status === "running" ? "over" : "ahead";
    above = open;
    if (open.phase.kind === "subgraph") frame = open.id;
  }
  return "open";
}

function closedStanding(
  state: RunState,
  { part, above, frame }: { readonly part: string; readonly above: Visit | undefined; readonly frame: string },
): "ahead" | "over" | "unknown" {
  if (above?.phase.kind === "fan") {
    const { done, failed } = above.phase.fan;
    return done.has(part) || failed.has(part) ? "over" : "ahead";
  }
  const match = /^(.+)#([1-9]\d*)$/.exec(part);
  if (match === null) return above === undefined ? "unknown" : "ahead";
  const count = state.frames.get(frame)?.counts.get(match[1]!) ?? 0;
  return Number(match[2]) <= count ? "over" : "ahead";
}

/** Takes back a wildcard or a decision that still waits. */
export function onRevoke(desk: Desk, { token, cmd }: { readonly token: string; readonly cmd?: string }): void {
  if (isAnswered(desk, cmd)) return;
  const { early, wildcards } = desk.state;
  const isThere = early.some((each) => each.token === token) || wildcards.some((each) => each.token === token);
  if (isThere) desk.emit({ k: "revoke", t: desk.t, token, ...(cmd === undefined ? {} : { cmd }) });
  desk.effects.push({ kind: "answer", ack: isThere ? "accepted" : "unknown", token });
}
