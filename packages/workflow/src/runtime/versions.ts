/**
 * Taking a run up with a graph that may have changed since.
 *
 * `strict`: the structure must be equal. `compatible`: what is open, and every key that has a value, must still be
 * there. `{ migrate }`: open nodes may have other names now. `force`: whatever it takes.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { compareStructures } from "../definition/hash.ts";
import type { FlowGraph } from "../definition/nodes.ts";
import type { FlowRecord } from "../machine/records.ts";
import { ROOT, type RunState } from "../machine/run-state.ts";

/** What a changed graph means for a resume. */
export type ResumeMode = "strict" | "compatible" | "force" | { readonly migrate: Readonly<Record<string, string>> };

/** The record that begins the resumed part, or why it may not begin. */
export function resumeRecord(
  state: RunState,
  graph: FlowGraph,
  {
    mode,
    maxSteps,
    labels,
    nowMs,
  }: {
    readonly mode: ResumeMode;
    readonly maxSteps?: number | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly nowMs: number;
  },
): Result<Extract<FlowRecord, { k: "resume" }>, Problem> {
  if (state.graph !== graph.id) return err(wrongGraph(state, graph));
  const isSame = state.hash === graph.hash;
  const rename = typeof mode === "object" ? mode.migrate : undefined;
  if (!isSame && mode === "strict") return err(changed(state, graph));
  if (!isSame && mode !== "force") {
    const missing = missingParts(state, graph, rename ?? {});
    if (missing.length > 0) return err(incompatible(state, missing));
  }
  const record: Extract<FlowRecord, { k: "resume" }> = {
    k: "resume",
    t: Math.max(nowMs, state.lastMs) - state.startedMs,
    version: graph.version,
    hash: graph.hash,
    mode: typeof mode === "string" ? mode : "migrate",
    ...(isSame ? {} : { structure: graph.structure }),
    ...(rename === undefined ? {} : { rename }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(labels === undefined ? {} : { labels }),
    ...(state.status === "failed" || state.status === "cancelled" ? { retry: 1 as const } : {}),
  };
  return ok(record);
}

function wrongGraph(state: RunState, graph: FlowGraph): Problem {
  return problem(
    "flow-graph-other",
    `the run "${state.run}" is one of the graph "${state.graph}", not of "${graph.id}"`,
    {
      next: "Resume it with its own graph.",
    },
  );
}

function changed(state: RunState, graph: FlowGraph): Problem {
  const differences = compareStructures(state.structure, graph.structure);
  return problem("flow-graph-changed", `the graph "${graph.id}" has changed since the run "${state.run}" began`, {
    facts: differences.slice(0, 20).map(({ what, name, change }) => [`${what} ${change}`, name] as const),
    next: 'Resume with the graph of then, or with the mode "compatible", { migrate: { old: "new" } } or "force".',
  });
}

function missingParts(state: RunState, graph: FlowGraph, rename: Readonly<Record<string, string>>): readonly string[] {
  const root = state.frames.get(ROOT)!;
  const open = [...state.visits.values()].filter((visit) => visit.frame === ROOT && visit.parent === undefined);
  const names = [...open.map((visit) => visit.node), ...root.joins.keys()];
  const nodes = names
    .filter((name) => !graph.nodes.has(rename[name] ?? name))
    .map((name) => `node ${rename[name] ?? name}`);
  const keys = Object.keys(root.values).filter((key) => !Object.hasOwn(graph.schema.keys, key));
  return [...nodes, ...keys.map((key) => `key ${key}`)];
}

function incompatible(state: RunState, missing: readonly string[]): Problem {
  return problem(
    "flow-graph-incompatible",
    `the run "${state.run}" needs what the graph does not have: ${missing.join(", ")}`,
    {
      next: 'Name its successor with { migrate: { old: "new" } }, or resume with "force".',
    },
  );
}
