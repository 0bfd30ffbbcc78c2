/**
 * Taking a run up with a graph that may have changed since.
 *
 * `strict`: the structure must be equal. `compatible`: what is open, at any depth, and every key that has a value must
 * still be there. `{ migrate }`: open nodes may have other names now. `force`: whatever it takes.
 *
 * Of several versions of a graph a run keeps to the one that it began with.
 */
import type { Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { compareStructures } from "../../definition/hash.ts";
import type { FlowGraph } from "../../definition/nodes.ts";
import type { FlowRecord } from "../state/records.ts";
import type { RunState } from "../state/run-state.ts";
import { ROOT } from "../state/run-state.ts";
import { misfitOf } from "./fitting.ts";
import { OpenNodes } from "./open-nodes.ts";
import type { Renames } from "./renaming.ts";
import { patternOf, rename, within } from "./renaming.ts";

/**
 * New names of nodes, by their paths without occurrences: `{ ask: "question", "sub/ask": "question", "each/*\/ask": … }`,
 * or a function that is given each path that the run has been to or stands at, and returns the new one (nothing: as it was).
 */
export type Migration = Readonly<Record<string, string>> | ((path: string) => string | undefined);

/** What a changed graph means for a resume. */
export type ResumeMode = "strict" | "compatible" | "force" | { readonly migrate: Migration };

type ResumeRecord = Extract<FlowRecord, { k: "resume" }>;

/** How a run is taken up. */
export interface ResumeRequest {
  readonly mode: ResumeMode;
  readonly maxSteps?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly nowMs: number;
}

/** A graph, or several versions of it, the present one first. */
export type Versions<S, P> = FlowGraph<S, P> | readonly [FlowGraph<S, P>, ...FlowGraph[]];

/** The version that a run is pinned to: of equal structure, else of equal version, else the present one. */
export function pinnedVersion(state: RunState, versions: Versions<unknown, unknown>): FlowGraph {
  if ("id" in versions) return versions;
  const own = versions.filter(({ id }) => id === state.graph);
  return (
    own.find(({ hash }) => hash === state.hash) ??
    own.find(({ version }) => version === state.version) ??
    own[0] ??
    versions[0]
  );
}

/** The record that begins the resumed part, or why it may not begin. */
export function resumeRecord(
  state: RunState,
  graph: FlowGraph,
  { mode, maxSteps, labels, nowMs }: ResumeRequest,
): Result<ResumeRecord, Problem> {
  if (state.graph !== graph.id) return err(wrongGraph(state, graph));
  const isSame = state.hash === graph.hash;
  if (!isSame && mode === "strict") return err(changed(state, graph));
  const renames = typeof mode === "object" ? renamesOf(state, mode.migrate) : ok({});
  if (!renames.ok) return renames;
  const successor = new Successor(state, graph, renames.value);
  if (!isSame && mode !== "force") {
    const missing = successor.missing();
    if (missing.length > 0) return err(incompatible(state, missing));
  }
  const record: ResumeRecord = {
    k: "resume",
    t: Math.max(nowMs, state.lastMs) - state.startedMs,
    version: graph.version,
    hash: graph.hash,
    mode: isSame && Object.keys(renames.value).length === 0 ? "strict" : typeof mode === "string" ? mode : "migrate",
    ...(isSame ? {} : { structure: graph.structure, ...successor.keys() }),
    ...(Object.keys(renames.value).length === 0 ? {} : { rename: renames.value }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(labels === undefined ? {} : { labels }),
    ...(state.status === "failed" || state.status === "cancelled" ? { retry: 1 as const } : {}),
  };
  return ok(record);
}

/** The migration as new names of what the run has. */
function renamesOf(state: RunState, migration: Migration): Result<Renames, Problem> {
  const asked =
    typeof migration === "object"
      ? Object.entries(migration)
      : pathsOf(state).flatMap((path) => {
          const next = migration(path);
          return next === undefined || next === path ? [] : [[path, next] as const];
        });
  const renames: Record<string, string> = {};
  for (const [path, next] of asked) {
    const outer = path.slice(0, path.lastIndexOf("/") + 1);
    const last = next.slice(next.lastIndexOf("/") + 1);
    // The path around it may be written with its old names, its new ones, or left out.
    if (next.includes("/") && next.split("/").length !== path.split("/").length) return err(moved(state, path, next));
    if (last === "" || last === "*" || path === `${outer}*`) return err(moved(state, path, next));
    renames[path] = last;
  }
  return ok(renames);
}

/** The paths of everything that the run's state has a name for, open or not, each once. */
function pathsOf(state: RunState): readonly string[] {
  const found = new Set<string>();
  for (const { id, phase } of state.visits.values()) {
    const pattern = patternOf(state, id);
    found.add(pattern);
    for (const name of phase.kind === "fan" ? (phase.fan.names ?? []) : []) found.add(within(pattern, name));
  }
  for (const { id, counts, joins } of state.frames.values()) {
    const pattern = patternOf(state, id);
    for (const name of [...counts.keys(), ...joins.keys()]) found.add(within(pattern, name));
  }
  return [...found].filter((path) => !path.endsWith("*"));
}

/** What another graph has for what a run has open, under new names. */
class Successor {
  /** The run with its new names. */
  readonly #state: RunState;
  readonly #nodes: OpenNodes;

  constructor(state: RunState, graph: FlowGraph, renames: Renames) {
    this.#state = { ...state, frames: new Map(state.frames), visits: new Map(state.visits) };
    rename(this.#state, renames);
    this.#nodes = new OpenNodes(graph, this.#state);
  }

  /** What it lacks, by path; what is inside of something that it lacks is not named. */
  missing(): readonly string[] {
    const found: string[] = [];
    const lacking = new Set<string>();
    for (const visit of this.#state.visits.values()) {
      const outer = visit.parent ?? (visit.frame === ROOT ? undefined : visit.frame);
      const node = outer !== undefined && lacking.has(outer) ? undefined : this.#nodes.nodeOf(visit);
      const misfit = node === undefined ? undefined : misfitOf(node, visit);
      if (node !== undefined && misfit === undefined) continue;
      lacking.add(visit.id);
      if (outer !== undefined && lacking.has(outer)) continue;
      const path = patternOf(this.#state, visit.id);
      found.push(misfit === undefined ? `node ${path}` : `node ${path} (open as ${misfit})`);
    }
    for (const frame of this.#state.frames.values()) {
      const graph = lacking.has(frame.id) ? undefined : this.#nodes.graphOf(frame.id);
      if (graph === undefined) continue;
      const named = (name: string) => within(patternOf(this.#state, frame.id), name);
      for (const name of frame.joins.keys()) if (!graph.nodes.has(name)) found.push(`node ${named(name)}`);
      for (const key of Object.keys(frame.values)) {
        if (!Object.hasOwn(graph.schema.keys, key)) found.push(`key ${named(key)}`);
      }
    }
    return [...new Set(found)];
  }

  /** The keys of open subgraphs, which their writes are reduced by from now on. */
  keys(): Pick<ResumeRecord, "keys"> {
    const frames = [...this.#state.frames.keys()].flatMap((id) => {
      const graph = id === ROOT ? undefined : this.#nodes.graphOf(id);
      return graph === undefined ? [] : [[id, graph.structure.keys] as const];
    });
    return frames.length === 0 ? {} : { keys: Object.fromEntries(frames) };
  }
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

function incompatible(state: RunState, missing: readonly string[]): Problem {
  return problem(
    "flow-graph-incompatible",
    `the run "${state.run}" needs what the graph does not have: ${missing.join(", ")}`,
    {
      next: 'Name its successor with { migrate: { old: "new" } }, or resume with "force".',
    },
  );
}

function moved(state: RunState, path: string, next: string): Problem {
  return problem(
    "flow-migration-invalid",
    `the run "${state.run}" cannot go on at "${next}" where it stood at "${path}"`,
    {
      next: "Give the node another name in its own graph, or fork the run and go on elsewhere.",
    },
  );
}
