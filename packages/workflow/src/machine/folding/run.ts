/** The fold of records about the run as a whole: its end, its resumption, its forks. */

import type { FlowRecord } from "../state/records.ts";
import type { RunState, Visit } from "../state/run-state.ts";
import { ACTIVE, ROOT } from "../state/run-state.ts";
import { rename } from "../versions/renaming.ts";
import { dropFrame } from "./closing.ts";
import { decodeAll, type FoldContext, fanOf, frameOf, startNode, tell } from "./context.ts";

type RunRecord = Extract<FlowRecord, { k: "cp" | "cancel" | "end" | "left" | "resume" }>;

/** Applies a record about the run. */
export function foldRun(state: RunState, record: RunRecord, context: FoldContext): void {
  switch (record.k) {
    case "cp":
      state.checkpoints.push({ name: record.name, seq: state.seq });
      tell(state, context, () => ({ type: "checkpoint.saved", name: record.name }));
      return;
    case "cancel": {
      const { reason, by, cmd } = record;
      state.cancelling = { reason, by };
      if (cmd !== undefined) state.commands.push({ id: cmd, ack: "done", token: "" });
      tell(state, context, () => ({ type: "run.cancelling", reason, ...(by === undefined ? {} : { by }) }));
      return;
    }
    case "left":
      tell(state, context, () => ({ type: "run.suspended", reason: record.reason }));
      return;
    case "resume":
      foldResume(state, record, context);
      return;
    default:
      foldEnd(state, record, context);
      return;
  }
}

function foldEnd(state: RunState, record: Extract<FlowRecord, { k: "end" }>, context: FoldContext): void {
  state.status = record.status;
  state.error = record.error;
  const abandoned = record.abandoned === undefined ? {} : { abandoned: record.abandoned };
  const reason = state.cancelling?.reason ?? "";
  state.cancelling = undefined;
  if (record.status === "completed") {
    state.visits.clear();
    tell(state, context, () => ({ type: "run.completed" }));
  } else if (record.status === "cancelled") {
    tell(state, context, () => ({ type: "run.cancelled", reason, ...abandoned }));
  } else tell(state, context, () => ({ type: "run.failed", error: record.error!, ...abandoned }));
}

function foldResume(state: RunState, record: Extract<FlowRecord, { k: "resume" }>, context: FoldContext): void {
  if (state.status !== "running") state.cancelling = undefined;
  state.status = "running";
  state.error = undefined;
  state.epoch++;
  state.owner = record.owner;
  state.version = record.version;
  state.hash = record.hash;
  if (record.maxSteps !== undefined) state.maxSteps = record.maxSteps;
  if (record.labels !== undefined) state.labels = { ...state.labels, ...record.labels };
  if (record.structure !== undefined) {
    state.structure = record.structure;
    frameOf(state, ROOT).keys = record.structure.keys;
  }
  if (record.rename !== undefined) rename(state, record.rename);
  for (const [id, keys] of Object.entries(record.keys ?? {})) frameOf(state, id).keys = keys;
  if (record.retry === 1) {
    for (const visit of state.visits.values()) if (visit.error !== undefined) tryAgain(state, visit);
  }
  tell(state, context, () => ({ type: "run.resumed", mode: record.mode, version: record.version }));
}

/** A failed run that is resumed gives what failed its attempts anew. */
function tryAgain(state: RunState, visit: Visit): void {
  visit.error = undefined;
  visit.attempt = 1;
  if (visit.parent !== undefined) fanOf(state, visit.parent).failed.delete(visit.node);
  if (visit.phase.kind === "backoff" || isTimedOut(visit, state.lastMs)) visit.phase = ACTIVE;
}

/** A barrier that failed because nobody decided in time is asked again, with all of its time. */
function isTimedOut({ phase }: Visit, nowMs: number): boolean {
  return phase.kind === "barrier" && phase.dueMs !== undefined && phase.dueMs <= nowMs;
}

/** A fork begins to differ from its parent. */
export function foldEdit(state: RunState, record: Extract<FlowRecord, { k: "edit" }>, context: FoldContext): void {
  const frame = frameOf(state, ROOT);
  state.status = "running";
  state.error = undefined;
  state.cancelling = undefined;
  frame.ended = false;
  const edits = decodeAll(record.r ?? {}, context);
  frame.values = { ...frame.values, ...edits };
  for (const visit of state.visits.values()) {
    // What is made again sees the edits, and so does what is open beside it.
    if (visit.frame === ROOT) visit.input = { ...visit.input, ...edits };
    if (visit.error !== undefined) tryAgain(state, visit);
  }
  for (const key of Object.keys(record.r ?? {})) {
    tell(state, context, () => ({
      type: "state.changed",
      path: "",
      frame: ROOT,
      key,
      op: "put",
      value: record.r![key]!,
    }));
  }
  if (record.go === undefined) return;
  dropFrame(state, frame, (body) => tell(state, context, body));
  startNode({ state, context, frame }, record.go);
}
