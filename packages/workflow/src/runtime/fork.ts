/**
 * Forks: a new run that shares the past of another up to a point, and goes on by itself.
 *
 * Invariant: the other run is not touched. Records are copied, large values are not: both journals name the same ones.
 */
import type { Durability, Json, Problem, Result } from "@kahn/core";
import { closestName, err, ok, problem } from "@kahn/core";
import type { FlowGraph } from "../definition/nodes.ts";
import { heldValue } from "../definition/reducers.ts";
import type { FlowRecord, StartRecord } from "../machine/state/records.ts";
import type { RunState } from "../machine/state/run-state.ts";
import { ROOT } from "../machine/state/run-state.ts";
import type { FlowValues } from "../machine/state/values.ts";
import type { LookOptions } from "./reading/history.ts";
import { stateThrough } from "./reading/history.ts";
import { peekRun, unknownRun } from "./storage/loading.ts";

/** Where a fork begins, and how it differs. */
export interface ForkOptions {
  /** Of the last record that is shared; default: all of them. */
  readonly at?: number;
  /**
   * Instead of `at`: the visit that is made again with all that followed, such as `gather#2` or `sub#1/read#1`, or the
   * last visit of a node, such as `gather`. What was open beside it then is open again, too.
   */
  readonly from?: string;
  /** Values that the state holds instead. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** The node where it goes on; default: where it stood. */
  readonly goto?: string;
  /** Default: a fresh ULID. */
  readonly id?: string;
}

interface ForkParts extends LookOptions, ForkOptions {
  readonly id: string;
  readonly nowMs: number;
}

/** What writing a fork takes. */
export interface ForkWriting extends ForkParts {
  readonly values: FlowValues;
  readonly durability: Durability;
}

/** Writes the journal of a fork. If that is refused, there is none. */
export async function writeFork(run: string, graph: FlowGraph, parts: ForkWriting): Promise<Result<void, Problem>> {
  const { journals, id, values, durability } = parts;
  const records = forkRecords(run, graph, parts);
  if (!records.ok) return records;
  // Values first: a journal never names what may be lost.
  const flushed = durability === "disk" ? await values.flush() : ok(undefined);
  if (!flushed.ok) return flushed;
  const created = journals.create(id);
  if (!created.ok) return created;
  const written = await created.value.append(records.value as unknown as readonly Json[], {
    durability,
    expectedSeq: 0,
  });
  created.value.close();
  if (written.ok) return ok(undefined);
  // Unless somebody has begun another run under that name.
  if (written.problem.code !== "journal-conflict") journals.remove(id);
  return written;
}

/** The records that a fork begins with. */
function forkRecords(
  run: string,
  graph: FlowGraph,
  { journals, codec, id, nowMs, at, from, set = {}, goto }: ForkParts,
): Result<readonly FlowRecord[], Problem> {
  const wrong = wrongEdit(graph, set, goto);
  if (wrong !== undefined) return err(wrong);
  const look = { journals, codec };
  const point = from === undefined ? ok(at) : openingOf(run, from, look);
  if (!point.ok) return point;
  const through = point.value;
  const folded = stateThrough(run, through, look);
  if (!folded.ok) return folded;
  const read = journals.peek(run);
  if (!read.ok) return err(unknownRun(run, read.problem));
  const records = [...read.value]
    .filter(({ seq }) => through === undefined || seq <= through)
    .map(({ body }) => body as unknown as FlowRecord);
  const [start, ...rest] = records;
  const values: Record<string, Json> = {};
  for (const [key, value] of Object.entries(set)) {
    const encoded = codec.encode(value);
    if (!encoded.ok) return encoded;
    values[key] = encoded.value;
  }
  const begun: StartRecord = {
    ...(start as StartRecord),
    run: id,
    parent: { run, seq: records.length },
    madeMs: nowMs,
  };
  const t = Math.max(nowMs, folded.value.lastMs) - folded.value.startedMs;
  const edit: FlowRecord = {
    k: "edit",
    t,
    ...(Object.keys(values).length === 0 ? {} : { r: values }),
    ...(goto === undefined ? {} : { go: goto }),
  };
  return ok([begun, ...rest, edit]);
}

/** The record that opened a visit, or the last visit of a node. */
function openingOf(run: string, visit: string, { journals, codec }: LookOptions): Result<number, Problem> {
  const isNode = !/[#/]/.test(visit);
  let found: number | undefined;
  let newest = 0;
  const each = (state: RunState, _record: FlowRecord, seq: number) => {
    if (!isNode) {
      if (found === undefined && state.visits.has(visit)) found = seq;
      return;
    }
    const count = state.frames.get(ROOT)!.counts.get(visit) ?? 0;
    if (count > newest) found = seq;
    newest = count;
  };
  const state = peekRun(journals, run, { codec, each });
  if (!state.ok) return state;
  return found === undefined ? err(unknownVisit(run, visit)) : ok(found);
}

function unknownVisit(run: string, visit: string): Problem {
  return problem("flow-visit-unknown", `the run "${run}" never made the visit "${visit}"`, {
    next: "Take a path that its history lists, such as plan#1.",
  });
}

function wrongEdit(
  graph: FlowGraph,
  set: Readonly<Record<string, unknown>>,
  goto: string | undefined,
): Problem | undefined {
  const unknown = Object.keys(set).find((key) => !Object.hasOwn(graph.schema.keys, key));
  if (unknown !== undefined) {
    const near = closestName(unknown, Object.keys(graph.schema.keys));
    return problem("flow-key-unknown", `the fork sets the key "${unknown}", which the state does not have`, {
      next: near === undefined ? "Mend the name." : `Did you mean "${near}"?`,
    });
  }
  for (const [key, value] of Object.entries(set)) {
    const held = heldValue(key, graph.schema.keys[key]!.reducer, value);
    if (!held.ok) return { ...held.problem, message: `the fork sets a wrong value: ${held.problem.message}` };
  }
  if (goto === undefined || graph.nodes.has(goto)) return undefined;
  const near = closestName(goto, [...graph.nodes.keys()]);
  return problem("flow-node-unknown", `the fork goes on at "${goto}", and there is no such node`, {
    next: near === undefined ? "Mend the name." : `Did you mean "${near}"?`,
  });
}
