/**
 * The crash injector: lets a run die after each of its records, takes it up again, and tells what differs.
 *
 * Method: one whole run gives the journal. For each of its beginnings a store with just that beginning is resumed to
 * the end, in a flow of its own. What the nodes count tells which of them ran again.
 */
import type { JournalStore, Json } from "@kahn/core";
import { InvariantError } from "@kahn/core";
import type { FlowGraph } from "../definition/nodes.ts";
import { createFlow } from "../runtime/flow.ts";
import type { FlowRun, RunResult } from "../runtime/run/flow-run.ts";
import type { FlowOptions } from "../runtime/run/services.ts";
import { memoryJournals } from "../runtime/storage/memory-journals.ts";

/** What is to be crashed. */
export interface CrashOptions<S, P> {
  /** A graph whose nodes call `did` with `context.path` when they act. Made anew for every life. */
  readonly graph: (did: (path: string) => void) => FlowGraph<S, P>;
  readonly input?: Partial<NoInfer<S>>;
  readonly options: FlowOptions;
  /** Brings a run to its end: decides barriers, moves the clock. */
  readonly finish: (run: FlowRun<S, P>) => Promise<RunResult<S>>;
}

/** One death and what came of it. */
export interface CrashOutcome<S> {
  /** After how many records the run died. */
  readonly records: number;
  readonly result: RunResult<S>;
  /** Visits that ran although the journal had them as done: always empty, or Kahn has a fault. */
  readonly repeated: readonly string[];
}

/** Dies after every record; the first outcome is that of the run that did not die. */
export async function crashAtEveryRecord<S, P>({
  graph,
  input = {},
  options,
  finish,
}: CrashOptions<S, P>): Promise<readonly CrashOutcome<S>[]> {
  const whole = memoryJournals();
  const flow = createFlow({ ...options, journals: whole });
  const run = await flow.start(
    graph(() => {}),
    input,
    { id: "crashed" },
  );
  const result = await finish(run);
  const records = bodies(whole, "crashed");
  const outcomes: CrashOutcome<S>[] = [{ records: records.length, result, repeated: [] }];
  for (let length = 1; length < records.length; length++) {
    const kept = records.slice(0, length);
    const did: string[] = [];
    const life = createFlow({ ...options, journals: await storeOf(kept) });
    const resumed = await life.resume(
      "crashed",
      graph((path) => did.push(path)),
    );
    const outcome = await finish(resumed);
    const done = new Set(kept.filter(isDone).map((record) => (record as { readonly v: string }).v));
    outcomes.push({ records: length, result: outcome, repeated: did.filter((path) => done.has(path)) });
  }
  return outcomes;
}

function bodies(journals: JournalStore, run: string): readonly Json[] {
  const records = journals.peek(run);
  if (!records.ok) throw new InvariantError(records.problem.message);
  return [...records.value].map(({ body }) => body);
}

async function storeOf(records: readonly Json[]): Promise<JournalStore> {
  const store = memoryJournals();
  const journal = store.create("crashed");
  if (!journal.ok) throw new InvariantError(journal.problem.message);
  await journal.value.append(records, { durability: "process" });
  return store;
}

function isDone(record: Json): boolean {
  const { k } = record as { readonly k?: Json };
  return k === "c" || k === "b";
}
