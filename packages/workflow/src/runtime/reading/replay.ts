/**
 * Replay: a real journal against another version of its graph.
 *
 * Never:     runs a node. What each did, and what people decided, is taken from the journal; only what is pure is asked
 *            again: choices of conditions, predicates of edges, what a barrier makes of its decision, who takes a failure.
 * Invariant: of a graph that is unchanged and whose predicates are pure there is no difference.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import type { AnyNode, BarrierOutcome, FlowGraph } from "../../definition/nodes.ts";
import { END } from "../../definition/nodes.ts";
import { outcomeOf, timedOutcome } from "../../machine/barriers/barriers.ts";
import { writtenKeys } from "../../machine/folding/writes.ts";
import { wayOf } from "../../machine/moves/complete.ts";
import type { Output } from "../../machine/moves/output.ts";
import type { RoutePlace } from "../../machine/moves/route.ts";
import { routeError } from "../../machine/moves/route.ts";
import type { CommitRecord, FlowRecord } from "../../machine/state/records.ts";
import type { Frame, RunState, Visit } from "../../machine/state/run-state.ts";
import { OpenNodes } from "../../machine/versions/open-nodes.ts";
import { peekRun } from "../storage/loading.ts";
import type { LookOptions } from "./history.ts";

/** A place where a changed graph would not have done what the journal says. */
export interface ReplayDifference {
  readonly seq: number;
  readonly path: string;
  readonly what: "node-missing" | "key-missing" | "route" | "cannot-route";
  readonly recorded: readonly string[];
  readonly now: readonly string[];
  readonly why?: string;
}

type Found = Omit<ReplayDifference, "seq" | "path">;

/** A visit that is about to be committed, and what the other graph has for it. */
interface Committing {
  readonly visit: Visit;
  /** Of before the commit: how often bounded edges had been taken. */
  readonly frame: Frame;
  readonly graph: FlowGraph | undefined;
  readonly node: AnyNode | undefined;
  readonly written: readonly string[];
}

/**
 * Goes through a real journal with another version of its graph, subgraphs included: no node runs, and what each wrote is
 * taken from the journal; its way on is asked of the new graph. Empty: every run like this one would go the same way.
 */
export function replay(
  run: string,
  graph: FlowGraph,
  { journals, codec }: LookOptions,
): Result<readonly ReplayDifference[], Problem> {
  const differences: ReplayDifference[] = [];
  const decisions = new Map<string, BarrierOutcome>();
  let committing: Committing | undefined;
  const before = (state: RunState, record: FlowRecord) => {
    committing = record.k === "c" ? committingOf(state, record, graph) : undefined;
  };
  const each = (state: RunState, record: FlowRecord, seq: number) => {
    if (record.k === "out") {
      const { v, decision, timedOut } = record;
      decisions.set(
        v,
        decision === undefined ? timedOutcome(timedOut!) : outcomeOf(decision, (json) => codec.decode(json)),
      );
    }
    if (record.k !== "c" || committing === undefined) return;
    const { visit } = committing;
    const values = state.frames.get(visit.frame)?.values ?? visit.input;
    const found = compareRoute(record, committing, { values, decision: decisions.get(visit.id) });
    decisions.delete(visit.id);
    if (found !== undefined) differences.push({ seq, path: record.v, ...found });
  };
  const state = peekRun(journals, run, { codec, before, each });
  return state.ok ? ok(differences) : state;
}

function committingOf(state: RunState, record: CommitRecord, graph: FlowGraph): Committing | undefined {
  const visit = state.visits.get(record.v);
  const frame = visit === undefined ? undefined : state.frames.get(visit.frame);
  if (visit === undefined || frame === undefined) return undefined;
  const branches = visit.phase.kind === "fan" ? [...visit.phase.fan.done.values()].flat() : [];
  const open = new OpenNodes(graph, state);
  return {
    visit,
    // A copy: folding goes on with the frame itself.
    frame: { ...frame, edges: new Map(frame.edges) },
    graph: open.graphOf(visit.frame),
    node: open.nodeOf(visit),
    written: [...writtenKeys([record, ...branches])],
  };
}

interface Facts {
  /** The values of the frame after the commit. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly decision: BarrierOutcome | undefined;
}

function compareRoute(record: CommitRecord, committing: Committing, { values, decision }: Facts): Found | undefined {
  const { visit, frame, graph, node, written } = committing;
  const recorded = [...(record.n ?? []), ...(record.j ?? [])];
  if (graph === undefined || node === undefined) return { what: "node-missing", recorded, now: [] };
  const missing = written.filter((key) => !Object.hasOwn(graph.schema.keys, key));
  if (missing.length > 0) return { what: "key-missing", recorded: missing, now: [] };
  if (record.end === 1) return undefined;
  const facts = decision === undefined ? {} : { decision };
  const place: RoutePlace = { graph, frame, visit, after: () => values, facts };
  try {
    const routed = routeNow(record, node, place);
    if (!routed.ok) return { what: "cannot-route", recorded, now: [], why: routed.problem.message };
    const now = routed.value;
    const isSame = recorded.length === now.length && recorded.every((target) => now.includes(target));
    return isSame ? undefined : { what: "route", recorded, now };
  } catch (thrown) {
    return { what: "cannot-route", recorded, now: [], why: String(thrown) };
  }
}

/** Where a visit that did what the journal says would go on now. */
function routeNow(record: CommitRecord, node: AnyNode, place: RoutePlace): Result<readonly string[], Problem> {
  if (record.how === "error" && record.error !== undefined) {
    const route = routeError(place, record.error);
    return route === undefined ? err(untaken(record)) : ok(route.to);
  }
  const routed = wayOf(place, outputOf(record, node, place), node);
  return routed.ok ? ok(routed.value.to) : routed;
}

/** What the node said about its way: what conditions choose, and barriers make of a decision, is asked again. */
function outputOf(record: CommitRecord, node: AnyNode, { visit, frame, facts }: RoutePlace): Output {
  if (node.kind === "condition") {
    const chosen = node.choices.find(([, when]) => when(visit.input));
    return chosen === undefined ? { writes: {} } : { writes: {}, goto: chosen[0] };
  }
  const { decision } = facts;
  if (node.kind === "barrier" && decision !== undefined) {
    if (decision.kind === "reroute") return { writes: {}, goto: decision.to };
    const { goto, end, fallback } = node.decided?.(decision as BarrierOutcome<never>, frame.values) ?? {};
    return { writes: {}, ...defined({ goto, end, fallback }) };
  }
  if (record.go === 1) return { writes: {}, goto: record.n?.[0] ?? record.j?.[0] ?? END };
  // Without a reason nobody asked for the fallback: it was what was left.
  return record.how === "fallback" && record.why !== undefined ? { writes: {}, fallback: record.why } : { writes: {} };
}

type Ways = Pick<Output, "goto" | "end" | "fallback">;

function defined(ways: { readonly [K in keyof Ways]: Ways[K] | undefined }): Ways {
  return Object.fromEntries(Object.entries(ways).filter(([, way]) => way !== undefined));
}

function untaken({ v, error }: CommitRecord): Problem {
  return problem("flow-node-failed", `nothing takes the failure of ${v}: ${error?.message ?? ""}`, {
    next: "Give the node the error edge that it had.",
  });
}
