/**
 * Upkeep of runs: which there are, which may go, and which values must stay.
 *
 * Invariant: a run that has not ended, and one that waits for a person, is never removed, whatever the policy says.
 */
import type { Clock, Digest, JournalStore, Json } from "@kahn/core";
import { parseDigest, parseDurationMs } from "@kahn/core";
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
}

/** All runs of a store that can be read, oldest first. */
export function listRuns({ journals, codec }: LookOptions): readonly RunSummary[] {
  const summaries: RunSummary[] = [];
  for (const run of journals.list()) {
    const folded = peekRun(journals, run, { codec });
    if (!folded.ok) continue; // Another kind of journal, or one that is damaged: `show` says which.
    const { graph, version, status, startedMs, lastMs, step, parent } = folded.value;
    const head = { run, graph, version, status, startedMs, lastMs, steps: step, barriers: openBarriers(folded.value) };
    summaries.push({ ...head, ...(parent === undefined ? {} : { parent }) });
  }
  return summaries.sort((a, b) => a.startedMs - b.startedMs);
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
