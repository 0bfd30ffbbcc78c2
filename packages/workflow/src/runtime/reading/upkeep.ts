/**
 * Upkeep of runs: which there are, which may go, and which values must stay.
 *
 * Invariant: a run that has not ended, and one that waits for a person, is never removed, whatever the policy says.
 */
import type { Clock, Digest, JournalStore, Json, Problem, Result } from "@kahn/core";
import { ok, ProblemError, parseDigest, parseDurationMs } from "@kahn/core";
import type { Duration } from "../../definition/nodes.ts";
import { type OpenBarrier, openBarriers } from "../../machine/barriers/open.ts";
import type { FlowRecord } from "../../machine/state/records.ts";
import type { RunState } from "../../machine/state/run-state.ts";
import type { FlowValues } from "../../machine/state/values.ts";
import { peekRun } from "../storage/loading.ts";
import { asResult } from "../storage/result.ts";
import type { RunLocks } from "../storage/run-lock.ts";
import { ExecutionTimes, type RunningVisit } from "./execution-times.ts";
import type { LookOptions } from "./history.ts";

/** One run, in short. */
export interface RunSummary {
  readonly run: string;
  readonly graph: string;
  readonly version: string;
  readonly status: "running" | "completed" | "failed" | "cancelled";
  /** Of a fork: when it was made. */
  readonly startedMs: number;
  readonly lastMs: number;
  /** Milliseconds, through the last record, in which a process had it and something ran; waiting for people is none. */
  readonly executedMs: number;
  /** What ran then. Of a run that nobody executes: what a resumption takes up. */
  readonly running: readonly RunningVisit[];
  readonly steps: number;
  readonly barriers: readonly OpenBarrier[];
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
  const times = new ExecutionTimes();
  const each = (_: RunState, record: FlowRecord) => {
    if (record.k === "edit") times.restart();
  };
  const folded = peekRun(journals, run, { codec, sink: (event) => times.take(event), each });
  if (!folded.ok) return folded;
  const { graph, version, status, madeMs, lastMs, step, parent, labels } = folded.value;
  const barriers = openBarriers(folded.value);
  const head = {
    run,
    graph,
    version,
    status,
    startedMs: madeMs,
    lastMs: Math.max(madeMs, lastMs),
    executedMs: times.executedMs(),
    running: status === "running" ? times.running() : [],
    steps: step,
    barriers,
    labels,
  };
  return ok({ ...head, ...(parent === undefined ? {} : { parent }) });
}

/** Which ended runs are kept. */
export type Retention =
  | { readonly kind: "all" }
  | { readonly kind: "last"; readonly runs: number }
  | { readonly kind: "age"; readonly max: Duration };

/** What removing runs takes. */
export interface PruneOptions extends LookOptions {
  readonly clock: Clock;
  /** Those of the flows that execute these runs: without them a run that is taken up at this moment may be removed. */
  readonly locks?: RunLocks | undefined;
}

/** Removes ended runs that the policy does not keep, and that nobody has taken up; answers with their ids. */
export async function pruneRuns(retention: Retention, options: PruneOptions): Promise<readonly string[]> {
  const { journals, clock, locks } = options;
  if (retention.kind === "all") return [];
  const ended = listRuns(options).filter(isEnded);
  const doomed =
    retention.kind === "last"
      ? ended.slice(0, Math.max(0, ended.length - retention.runs))
      : ended.filter(
          ({ lastMs }) => lastMs < clock.nowMs() - (parseDurationMs(retention.max) ?? Number.POSITIVE_INFINITY),
        );
  const removed: string[] = [];
  for (const { run, lastMs } of doomed) {
    const lock = await locks?.acquire(run);
    if (lock?.ok === false) continue;
    // It may have been taken up since it was listed.
    const now = runSummary(run, options);
    if (now.ok && isEnded(now.value) && now.value.lastMs === lastMs) {
      journals.remove(run);
      removed.push(run);
    }
    lock?.value.release();
  }
  return removed;
}

/** Whether a run is over, and no barrier of it waits for somebody to take it up. */
function isEnded({ status, barriers }: RunSummary): boolean {
  return status !== "running" && barriers.length === 0;
}

/**
 * Every digest that the runs of a store name, in their records or in the large values that these refer to: what `sweep`
 * of the value store must be told is live. One kept too many does no harm, one lost does: if a journal or a value
 * cannot be read the answer is why, and nothing may be swept.
 */
export function liveDigests(
  journals: JournalStore,
  values: Pick<FlowValues, "get">,
): Result<ReadonlySet<Digest>, Problem> {
  const live = new LiveDigests(values);
  for (const run of journals.list()) {
    const records = journals.peek(run);
    // Removed since it was listed.
    if (!records.ok && records.problem.code === "journal-missing") continue;
    if (!records.ok) return records;
    const collected = asResult(() => {
      for (const { body } of records.value) live.collect(body);
      return ok(undefined);
    });
    if (!collected.ok) return collected;
  }
  return ok(live.found);
}

class LiveDigests {
  readonly found = new Set<Digest>();
  readonly #followed = new Set<Digest>();
  readonly #values: Pick<FlowValues, "get">;

  constructor(values: Pick<FlowValues, "get">) {
    this.#values = values;
  }

  /** Any text that is a digest counts. Throws `ProblemError` when a value cannot be read. */
  collect(json: Json | undefined): void {
    if (typeof json === "string") this.#add(json);
    else if (typeof json === "object" && json !== null) {
      for (const item of Object.values(json)) this.collect(item as Json);
      const { $: kind, d } = json as { readonly $?: Json; readonly d?: Json };
      if (kind === "d" && typeof d === "string") this.#follow(d);
    }
  }

  #add(text: string): Digest | undefined {
    const digest = text.startsWith("sha256:") ? parseDigest(text) : undefined;
    if (digest?.ok !== true) return undefined;
    this.found.add(digest.value);
    return digest.value;
  }

  /** A large value may itself name blobs. */
  #follow(text: string): void {
    const digest = this.#add(text);
    if (digest === undefined || this.#followed.has(digest)) return;
    this.#followed.add(digest);
    const bytes = this.#values.get(digest);
    if (!bytes.ok) throw new ProblemError(bytes.problem);
    if (bytes.value !== undefined) this.collect(parsed(bytes.value));
  }
}

/** A user's own object may look like a reference, to bytes that are no JSON. */
function parsed(bytes: Uint8Array): Json | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
