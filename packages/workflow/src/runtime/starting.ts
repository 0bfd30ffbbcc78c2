/** The first record of a run, and the id of one that is named by what it is for. */
import type { Problem, Result } from "@kahn/core";
import { digestHash, digestOf, ok } from "@kahn/core";
import type { FlowGraph } from "../definition/nodes.ts";
import { initialState } from "../machine/state/initial-state.ts";
import type { StartRecord } from "../machine/state/records.ts";
import { RECORD_FORMAT } from "../machine/state/records.ts";
import type { ValueCodec } from "../machine/state/values.ts";

/** What is known of a run before it starts. */
export interface Beginning {
  readonly id: string;
  readonly input: unknown;
  readonly codec: ValueCodec;
  readonly nowMs: number;
  readonly key?: string | undefined;
  readonly maxSteps?: number | undefined;
  readonly trace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Who executes it, as its lock says. */
  readonly owner?: string | undefined;
}

/** The record; refused when the input does not fit the state. */
export function startRecord(graph: FlowGraph, beginning: Beginning): Result<StartRecord, Problem> {
  const { id, input, codec, nowMs, key, labels, owner, maxSteps = graph.maxSteps } = beginning;
  const { trace = digestHash(digestOf(id)).slice(0, 32) } = beginning;
  const state = initialState(graph.schema, input, codec);
  if (!state.ok) return state;
  return ok({
    k: "start",
    format: RECORD_FORMAT,
    run: id,
    atMs: nowMs,
    graph: graph.id,
    version: graph.version,
    hash: graph.hash,
    structure: graph.structure,
    start: graph.start,
    maxSteps,
    state: state.value,
    trace,
    ...(key === undefined ? {} : { key }),
    ...(labels === undefined ? {} : { labels }),
    ...(owner === undefined ? {} : { owner }),
  });
}

/** One id for all who start with this key. */
export function keyedId(graph: FlowGraph, key: string): string {
  return `k-${digestHash(digestOf(`${graph.id}\n${key}`)).slice(0, 40)}`;
}
