/**
 * Barriers: opened, decided, timed out.
 *
 * Invariant: an open barrier is in the journal before anybody is told of it; it ends by a recorded decision or by its
 *            own timeout, and by nothing else: a cancel leaves it open.
 */
import type { Json } from "@kahn/core";
import { parseDurationMs } from "@kahn/core";
import { errorOfProblem } from "../../definition/failure.ts";
import type { BarrierOutcome } from "../../definition/nodes.ts";
import { rejected } from "../moves/complete.ts";
import type { Desk } from "../moves/desk.ts";
import type { Output } from "../moves/output.ts";
import { NOTHING, readOutput } from "../moves/output.ts";
import type { RecordedDecision } from "../state/records.ts";
import type { Visit } from "../state/run-state.ts";
import type { Barrier } from "./places.ts";
import { matchesPath, staticPath } from "./places.ts";

/** A decision that answers a barrier. */
export interface Answer {
  readonly token: string;
  readonly decision: RecordedDecision;
  readonly by: string | undefined;
}

/** Opens a barrier, or takes up one that is open already; a decision that waits for it answers at once. */
export function openBarrier(desk: Desk, visit: Visit, node: Barrier): void {
  if (visit.phase.kind !== "barrier") {
    const { payload, timeout, accept } = node;
    const shown = desk.guard(`payload of ${visit.id}`, () => payload?.(visit.input));
    if (!shown.ok) return void desk.moves.push({ move: "fail", visit, error: shown.error });
    const encoded = shown.value === undefined ? undefined : desk.codec.encode(shown.value);
    if (encoded?.ok === false)
      return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(encoded.problem) });
    const due = timeout === undefined ? {} : { dueMs: desk.nowMs + parseDurationMs(timeout)! };
    desk.emit({
      k: "wait",
      v: visit.id,
      t: desk.t,
      ...due,
      ...(encoded === undefined ? {} : { payload: encoded.value }),
      ...(accept === undefined ? {} : { accept: "~standard" in accept ? "schema" : accept }),
    });
  }
  const answer = waitingAnswer(desk, visit);
  if (answer !== undefined) {
    resolve(desk, visit, answer);
    return;
  }
  const { phase } = visit;
  if (phase.kind !== "barrier" || phase.dueMs === undefined) return;
  // Its time ran out while nobody executed the run.
  if (isOverdue(desk, visit)) timeOut(desk, visit);
  else desk.effects.push({ kind: "timer", visit: visit.id, dueMs: phase.dueMs });
}

/** Whether the time of an open barrier is up. */
export function isOverdue(desk: Desk, { phase }: Visit): boolean {
  return phase.kind === "barrier" && phase.dueMs !== undefined && phase.dueMs <= desk.nowMs;
}

/** Times out what is overdue, in a run that nobody executes or whose timers are late. @returns those visits. */
export function expire(desk: Desk): readonly string[] {
  const { state, stopping } = desk;
  if (state.status !== "running" || (stopping !== undefined && stopping.how !== "passive")) return [];
  const overdue = [...state.visits.values()].filter(
    (visit) => isOverdue(desk, visit) && visit.error === undefined && !desk.isDrained(visit.id) && !desk.isDead(visit),
  );
  // With another graph than its own nothing can be said about it.
  const known = overdue.filter((visit) => desk.nodeOf(visit)?.kind === "barrier");
  for (const visit of known) timeOut(desk, visit);
  return known.map(({ id }) => id);
}

function timeOut(desk: Desk, visit: Visit): void {
  const node = desk.nodeOf(visit) as Barrier;
  const fallback = node.onTimeout ?? "reject";
  desk.emit({ k: "out", v: visit.id, t: desk.t, timedOut: fallback });
  finish(desk, { visit, node, outcome: timedOutcome(fallback) });
}

/** A decision made for this very visit comes first, then the oldest one for every occurrence. */
function waitingAnswer(desk: Desk, visit: Visit): Answer | undefined {
  const { early, wildcards } = desk.state;
  const path = staticPath(visit.id);
  return (
    early.find((each) => each.v === visit.id) ??
    wildcards.find((each) => matchesPath(each.node, path) && (each.untilMs === undefined || each.untilMs > desk.nowMs))
  );
}

/** A timer has fired: a barrier's time is up, or a delay before an attempt. */
export function onDue(desk: Desk, id: string): void {
  const visit = desk.state.visits.get(id);
  if (visit === undefined || visit.error !== undefined || desk.stopping !== undefined || desk.isDead(visit)) return;
  const { phase } = visit;
  if (phase.kind === "backoff") return void desk.moves.push({ move: "launch", visit });
  if (phase.kind !== "barrier" || phase.dueMs === undefined) return;
  if (phase.dueMs > desk.nowMs) return void desk.effects.push({ kind: "timer", visit: id, dueMs: phase.dueMs });
  timeOut(desk, visit);
}

/** What a barrier comes to whose time is up. */
export function timedOutcome(fallback: "approve" | "reject" | "skip"): BarrierOutcome {
  if (fallback === "approve") return { kind: "approve", payload: {}, timedOut: true };
  if (fallback === "skip") return { kind: "skip", timedOut: true };
  return { kind: "reject", reason: "no decision in time", timedOut: true };
}

/** Answers an open barrier with a recorded decision. */
export function resolve(desk: Desk, visit: Visit, { token, decision, by }: Answer): void {
  desk.emit({ k: "out", v: visit.id, t: desk.t, token, decision, ...(by === undefined ? {} : { by }) });
  const who = by === undefined ? {} : { by };
  finish(desk, {
    visit,
    node: desk.nodeOf(visit) as Barrier,
    outcome: { ...outcomeOf(decision, desk.context.decode), ...who },
  });
}

/** What a decision makes of its barrier. */
export function outcomeOf(decision: RecordedDecision, decode: (json: Json) => unknown): BarrierOutcome {
  switch (decision.kind) {
    case "approve":
      return { kind: "approve", payload: decision.payload === undefined ? {} : decode(decision.payload) };
    case "reject": {
      const payload = decision.payload === undefined ? {} : { payload: decode(decision.payload) };
      return { kind: "reject", reason: decision.reason, ...payload };
    }
    case "modify":
      return {
        kind: "modify",
        set: Object.fromEntries(Object.entries(decision.set).map(([key, json]) => [key, decode(json)])),
      };
    default:
      return decision;
  }
}

interface Finish {
  readonly visit: Visit;
  readonly node: Barrier;
  readonly outcome: BarrierOutcome;
}

function finish(desk: Desk, { visit, node, outcome }: Finish): void {
  const frame = desk.frameOf(visit);
  const values = visit.parent === undefined ? frame.values : visit.input;
  const written = desk.guard(`decided of ${visit.id}`, () => node.decided?.(outcome as BarrierOutcome<never>, values));
  if (!written.ok) return void desk.moves.push({ move: "fail", visit, error: written.error });
  const { schema } = desk.graphOf(frame);
  const place = { schema, values, codec: desk.codec, path: visit.id, writes: node.writes };
  const base = withModification(written.value, outcome);
  const read = base === undefined ? { ok: true as const, value: NOTHING } : readOutput(base, place);
  if (!read.ok) return void desk.moves.push({ move: "fail", visit, error: errorOfProblem(read.problem) });
  const isRefused = outcome.kind === "reject" && visit.parent !== undefined && node.onReject !== "continue";
  if (isRefused) {
    const error = errorOfProblem(rejected(visit.id, outcome.reason));
    return void desk.moves.push({ move: "fail", visit, error });
  }
  const output: Output = outcome.kind === "reroute" ? { ...read.value, goto: outcome.to } : read.value;
  desk.moves.push({ move: "complete", visit, output, facts: { decision: outcome } });
}

/** What a person changes is put as it is, past the reducers. */
function withModification(given: unknown, outcome: BarrierOutcome): unknown {
  if (outcome.kind !== "modify") return given;
  const output = (given ?? {}) as { readonly replace?: Readonly<Record<string, unknown>> };
  return { ...output, replace: { ...outcome.set, ...output.replace } };
}
