/** The fold of barriers and decisions. */

import type { DecisionRecord, FlowRecord } from "../state/records.ts";
import type { RunState } from "../state/run-state.ts";
import { COMMANDS_KEPT } from "../state/run-state.ts";
import type { Tell } from "./closing.ts";

/** Applies a record about a barrier or a decision. */
export function foldDecision(
  state: RunState,
  record: Extract<FlowRecord, { k: "wait" | "out" | "dec" | "revoke" }>,
  tell: Tell,
): void {
  switch (record.k) {
    case "wait": {
      const visit = state.visits.get(record.v)!;
      const { dueMs, payload, accept } = record;
      visit.phase = { kind: "barrier", dueMs, payload, accept, openedMs: state.lastMs };
      const due = dueMs === undefined ? {} : { dueMs };
      const shown = payload === undefined ? {} : { payload };
      const asked = accept === undefined ? {} : { accept };
      tell(() => ({ type: "barrier.opened", barrier: visit.id, node: visit.node, ...due, ...shown, ...asked }));
      return;
    }
    case "out":
      foldOutcome(state, record, tell);
      return;
    case "revoke":
      state.wildcards = state.wildcards.filter((each) => each.token !== record.token);
      state.early = state.early.filter((each) => each.token !== record.token);
      remember(state, { cmd: record.cmd, ack: "done", token: record.token });
      tell(() => ({ type: "decision.revoked", token: record.token }));
      return;
    default:
      foldRecorded(state, record, tell);
      return;
  }
}

function foldOutcome(state: RunState, record: Extract<FlowRecord, { k: "out" }>, tell: Tell): void {
  const { v, token, decision, by, timedOut } = record;
  const { node } = state.visits.get(v)!;
  if (timedOut !== undefined) {
    tell(() => ({ type: "barrier.timedout", barrier: v, node, default: timedOut }));
    return;
  }
  state.early = state.early.filter((each) => each.token !== token);
  const wildcard = state.wildcards.find((each) => each.token === token);
  if (wildcard?.left !== undefined && --wildcard.left <= 0) {
    state.wildcards = state.wildcards.filter((each) => each !== wildcard);
  }
  tell(() => ({
    type: "barrier.decided",
    barrier: v,
    node,
    decision: decision!.kind,
    token: token!,
    ...(by === undefined ? {} : { by }),
    ...(decision!.kind === "reject" ? { reason: decision!.reason } : {}),
  }));
}

function foldRecorded(state: RunState, record: DecisionRecord, tell: Tell): void {
  const { token, v, node, decision, by, ack } = record;
  state.decisions++;
  if (ack === "accepted" && v !== undefined) state.early.push({ token, v, decision, by });
  if (ack === "accepted" && node !== undefined) {
    state.wildcards.push({ token, node, decision, by, untilMs: record.untilMs, left: record.count });
  }
  remember(state, { cmd: record.cmd, ack, token });
  tell(() => ({ type: "decision.recorded", target: v ?? node ?? "", ack, token, ...(by === undefined ? {} : { by }) }));
}

function remember(
  state: RunState,
  answer: { cmd: string | undefined; ack: DecisionRecord["ack"] | "done"; token: string },
): void {
  if (answer.cmd === undefined) return;
  state.commands.push({ id: answer.cmd, ack: answer.ack, token: answer.token });
  if (state.commands.length > COMMANDS_KEPT) state.commands.shift();
}
