/**
 * Failures: attempts that are repeated, failures that somebody handles, and the end of a run.
 *
 * Invariant: a failure is recorded before anything else happens because of it; siblings are aborted and awaited before
 *            the handler goes on; if nobody handles it the run fails with its position kept, so that it can be resumed.
 */

import { parseDurationMs } from "@kahn/core";
import type { NodeError } from "../../definition/failure.ts";
import type { RetryPolicy } from "../../definition/nodes.ts";
import { FINAL_CLASSES, type Visit } from "../state/run-state.ts";
import { commit } from "./commit.ts";
import type { AbortWhy, Desk, Stopping } from "./desk.ts";
import { strategyOf } from "./fans.ts";
import { type Route, routeError } from "./route.ts";

const DELAY_MS = 100;
const DELAY_MAX_MS = 30_000;
const JITTER = 0.2;

/** An attempt failed: another follows, or the visit has failed. */
export function failFor(desk: Desk, visit: Visit, error: NodeError): void {
  const node = desk.nodeOf(visit);
  const policy = node !== undefined && "retry" in node ? node.retry : undefined;
  if (policy === undefined || visit.attempt >= policy.max || !isRetried(desk, policy, error)) {
    return void desk.moves.push({ move: "fail", visit, error });
  }
  const dueMs = desk.nowMs + delayMs(policy, visit.attempt, { error, fraction: desk.fraction });
  desk.emit({ k: "retry", v: visit.id, t: desk.t, attempt: visit.attempt + 1, dueMs, error });
  desk.effects.push({ kind: "timer", visit: visit.id, dueMs });
}

function isRetried(desk: Desk, { when }: RetryPolicy, error: NodeError): boolean {
  if (when === undefined) return !FINAL_CLASSES.includes(error.class);
  const asked = desk.guard("retry.when", () => when(error));
  return asked.ok && asked.value;
}

function delayMs(
  policy: RetryPolicy,
  attempt: number,
  { error, fraction }: { error: NodeError; fraction: number },
): number {
  const first = parseDurationMs(policy.delay ?? DELAY_MS) ?? DELAY_MS;
  const most = parseDurationMs(policy.maxDelay ?? DELAY_MAX_MS) ?? DELAY_MAX_MS;
  const base = policy.backoff === "fixed" ? first : first * 2 ** (attempt - 1);
  const jittered = Math.min(most, base) * (1 + (policy.jitter ?? JITTER) * fraction);
  return Math.ceil(Math.max(jittered, error.retryAfterMs ?? 0));
}

/** A visit has failed for good. */
export function fail(desk: Desk, visit: Visit, error: NodeError): void {
  const placed = { ...error, path: error.path ?? visit.id };
  if (visit.error === undefined) desk.emit({ k: "x", v: visit.id, t: desk.t, error: placed });
  desk.moves.push({ move: "escalate", visit, error: placed });
}

/** Looks for whoever handles a recorded failure: an error edge, a fan that goes on without the branch, or nobody. */
export function escalate(desk: Desk, visit: Visit, error: NodeError): void {
  const { state } = desk;
  let current = visit;
  for (;;) {
    if (current.parent !== undefined) {
      const parent = state.visits.get(current.parent)!;
      if (strategyOf(desk.nodeOf(parent)) !== "failFast") {
        leaveBranch(desk, current, { parent, error });
        return;
      }
      current = parent;
      continue;
    }
    if (takeErrorEdge(desk, current, error)) return;
    const { owner } = desk.frameOf(current);
    if (owner === undefined) {
      stop(desk, { how: "failed", error });
      return;
    }
    current = state.visits.get(owner)!;
  }
}

/** The branch is over; what still runs inside of it ends first. */
function leaveBranch(desk: Desk, branch: Visit, { parent, error }: { parent: Visit; error: NodeError }): void {
  desk.drain(branch.id, "sibling-failed", () => {
    if (branch.error === undefined) desk.emit({ k: "x", v: branch.id, t: desk.t, error });
    desk.moves.push({ move: "advance", visit: parent });
  });
}

function takeErrorEdge(desk: Desk, visit: Visit, error: NodeError): boolean {
  if (errorRoute(desk, visit, error) === undefined) return false;
  desk.drain(visit.id, "sibling-failed", () => {
    // Another visit may have taken the edge for the last time while what was in this one ended.
    const route = errorRoute(desk, visit, error);
    if (route === undefined) desk.moves.push({ move: "escalate", visit, error });
    else commit(desk, visit, { route, writes: {} });
  });
  return true;
}

function errorRoute(desk: Desk, visit: Visit, error: NodeError): Route | undefined {
  const frame = desk.frameOf(visit);
  const place = { graph: desk.graphOf(frame), frame, visit, after: () => frame.values, facts: {} };
  const routed = desk.guard(`onError of ${visit.id}`, () => routeError(place, error));
  return routed.ok ? routed.value : undefined;
}

const ABORTS: Readonly<Record<Stopping["how"], AbortWhy>> = {
  completed: "not-needed",
  failed: "run-failed",
  cancelled: "cancelled",
  left: "left",
  passive: "left",
};

/** Starts nothing more, aborts what runs, and ends the run once all of it has answered. The first reason counts. */
export function stop(desk: Desk, stopping: Stopping): void {
  if (desk.stopping !== undefined && desk.stopping.how !== "passive") return;
  desk.stopping = stopping;
  if (desk.inFlight.size === 0) return;
  for (const visit of desk.inFlight.keys()) desk.effects.push({ kind: "abort", visit, why: ABORTS[stopping.how] });
  desk.stopGrace = desk.nextGrace();
  desk.effects.push({ kind: "grace", id: desk.stopGrace });
}

/** Ends a run that is stopping and has nothing in flight. */
export function stopIfQuiet(desk: Desk, abandoned: readonly string[] = []): void {
  const { stopping } = desk;
  if (stopping === undefined || stopping.how === "passive" || desk.isStopped || desk.inFlight.size > 0) return;
  desk.isStopped = true;
  const { t } = desk;
  const lost = abandoned.length === 0 ? {} : { abandoned };
  if (stopping.how === "left") desk.emit({ k: "left", t, reason: stopping.reason ?? "left" });
  else if (stopping.error === undefined) desk.emit({ k: "end", t, status: stopping.how, ...lost });
  else desk.emit({ k: "end", t, status: stopping.how, error: stopping.error, ...lost });
  desk.effects.push({ kind: "stopped", how: stopping.how });
}
