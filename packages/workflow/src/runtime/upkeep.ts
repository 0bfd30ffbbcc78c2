/**
 * Upkeep of runs: which there are, which may go, and which values must stay.
 *
 * Invariant: a run that has not ended, and one that waits for a person, is never removed, whatever the policy says.
 */
import type { Clock, Digest, JournalStore, Json, Problem, Result } from "@kahn/core";
import { ok, parseDigest, parseDurationMs } from "@kahn/core";
import type { Duration } from "../definition/nodes.ts";
import type { RunResult } from "./flow-run.ts";
import { openBarriers } from "./flow-run.ts";
import type { LookOptions } from "./history.ts";
import { peekRun } from "./loading.ts";

/** One run, in short. */
export interface RunSummary {
  readonly run: string;
  readonly graph: string;
  readonly version: string;
  readonly status: "running" | "completed" | "failed" | "cancelled";
  readonly startedMs: number;
  readonly lastMs: number;
  readonly steps: number;
  readonly barriers: RunResult["barriers"];
  readonly parent?: { readonly run: string; readonly seq: number };
  readonly labels: Readonly<Record<string, string>>;
}

/** All runs of a store that can be read, oldest first. */
export function listRuns(options: LookOptions): readonly RunSummary[] {
  const summaries: RunSummary[] = [];
  for (const run of options.journals.list()) {
    const summary = runSummary(run, options);
    // Another kind of journal, or one that is damaged: `runSummary` says which.
    if (summary.ok) summaries.push(summary.value);
  }
  return summaries.sort((a, b) => a.startedMs - b.startedMs);
}

/** One run in short; a problem for one that is not there or cannot be read. */
export function runSummary(run: string, { journals, codec }: LookOptions): Result<RunSummary, Problem> {
  const folded = peekRun(journals, run, { codec });
  if (!folded.ok) return folded;
  const { graph, version, status, startedMs, lastMs, step, parent, labels } = folded.value;
  const barriers = openBarriers(folded.value);
  const head = { run, graph, version, status, startedMs, lastMs, steps: step, barriers, labels };
  return ok({ ...head, ...(parent === undefined ? {} : { parent }) });
}

/** Which ended runs are kept. */
export type Retention =
  | { readonly kind: "all" }
  | { readonly kind: "last"; readonly runs: number }
  | { readonly kind: "age"; readonly max: Duration };

/** Removes ended runs that the policy does not keep; answers with their ids. */
export function pruneRuns(retention: Retention, options: LookOptions & { readonly clock: Clock }): readonly string[] {
  const { journals, clock } = options;
  if (retention.kind === "all") return [];
  const ended = listRuns(options).filter(({ status, barriers }) => status !== "running" && barriers.length === 0);
  const doomed =
    retention.kind === "last"
      ? ended.slice(0, Math.max(0, ended.length - retention.runs))
      : ended.filter(
          ({ lastMs }) => lastMs < clock.nowMs() - (parseDurationMs(retention.max) ?? Number.POSITIVE_INFINITY),
        );
  for (const { run } of doomed) journals.remove(run);
  return doomed.map(({ run }) => run);
}

/** Every digest that the runs of a store name: what `sweep` of the value store must be told is live. */
export function liveDigests(journals: JournalStore): ReadonlySet<Digest> {
  const live = new Set<Digest>();
  for (const run of journals.list()) {
    const records = journals.peek(run);
    if (!records.ok) continue;
    for (const { body } of records.value) collect(body, live);
  }
  return live;
}

/** Any text that is a digest counts: one kept too many does no harm, one lost does. */
function collect(json: Json | undefined, live: Set<Digest>): void {
  if (typeof json === "string") {
    const digest = json.startsWith("sha256:") ? parseDigest(json) : undefined;
    if (digest?.ok === true) live.add(digest.value);
  } else if (typeof json === "object" && json !== null) {
    for (const item of Object.values(json)) collect(item as Json, live);
  }
}
