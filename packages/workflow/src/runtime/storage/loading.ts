/** Runs from their journals: state, and the events that led to it. Needs no graph. */
import type { Journal, JournalProblem, JournalRecord, JournalStore, Problem, Result, TornTail } from "@kahn/core";
import { err, ok, problem, warning } from "@kahn/core";
import { fold, foldStart } from "../../machine/folding/fold.ts";
import type { EventSink, FlowEvent } from "../../machine/state/events.ts";
import type { FlowRecord } from "../../machine/state/records.ts";
import { RECORD_FORMAT } from "../../machine/state/records.ts";
import type { RunState } from "../../machine/state/run-state.ts";
import type { ValueCodec } from "../../machine/state/values.ts";
import { asResult } from "./result.ts";
import { restoreSnapshot } from "./snapshots.ts";

/** What folding records needs. */
export interface LoadOptions {
  readonly codec: ValueCodec;
  readonly sink?: EventSink;
  /** Stops after this record. */
  readonly throughSeq?: number;
  /** The state that a snapshot held, of which these records are the rest. */
  readonly onto?: RunState;
  /** Called before each record but the first. */
  readonly before?: (state: RunState, record: FlowRecord) => void;
  /** Called after each record. */
  readonly each?: (state: RunState, record: FlowRecord, seq: number) => void;
}

/** Folds records; `flow-journal-empty` when there is not even a start. */
export function foldRecords(
  run: string,
  records: Iterable<JournalRecord>,
  options: LoadOptions,
): Result<RunState, Problem> {
  const { codec, sink, throughSeq = Number.POSITIVE_INFINITY, before, each } = options;
  const context = { decode: (json: Parameters<ValueCodec["decode"]>[0]) => codec.decode(json), sink };
  // Throws for a value that is gone, or a segment that is damaged.
  return asResult(() => {
    let state = options.onto;
    for (const { seq, body } of records) {
      if (seq > throughSeq) break;
      const record = body as unknown as FlowRecord;
      if (state !== undefined) {
        before?.(state, record);
        fold(state, record, context);
      } else if (record.k !== "start") return err(notARun(run));
      else if (record.format > RECORD_FORMAT) return err(formatNewer(run, record.format));
      else state = foldStart(record, context);
      each?.(state, record, seq);
    }
    return state === undefined ? err(notARun(run)) : ok(state);
  });
}

/** The state of an open journal: from its snapshot on, if there is one that can be used. */
export function loadState(id: string, journal: Journal, codec: ValueCodec): Result<RunState, Problem> {
  const snapshot = journal.readSnapshot();
  const restored = snapshot === undefined ? undefined : restoreSnapshot(snapshot.state, codec);
  if (restored === undefined || snapshot === undefined) return foldRecords(id, journal.read(), { codec });
  return foldRecords(id, journal.read(snapshot.seq + 1), { codec, onto: restored });
}

/** Folds a run of a store without opening it. */
export function peekRun(journals: JournalStore, run: string, options: LoadOptions): Result<RunState, Problem> {
  const records: Result<Iterable<JournalRecord>, JournalProblem> = journals.peek(run);
  return records.ok ? foldRecords(run, records.value, options) : err(unknownRun(run, records.problem));
}

/** The events of a run between two numbers, both included. None, where the journal keeps nothing. */
export function retell(
  journals: JournalStore,
  wanted: { readonly run: string; readonly codec: ValueCodec; readonly from: number; readonly through: number },
): readonly FlowEvent[] {
  const { run, codec, from, through } = wanted;
  const found: FlowEvent[] = [];
  if (from > through) return found;
  const sink = (event: FlowEvent) => {
    if (event.seq >= from && event.seq <= through) found.push(event);
  };
  peekRun(journals, run, { codec, sink });
  return found;
}

/** No such run, or its journal cannot be read. */
export function unknownRun(run: string, cause: Problem): Problem {
  if (cause.code !== "journal-missing" && cause.code !== "journal-id-invalid") return cause;
  return problem("flow-run-unknown", `there is no run "${run}"`, {
    next: "List the runs to see which there are.",
    cause,
  });
}

function notARun(run: string): Problem {
  return problem("flow-journal-empty", `the journal "${run}" holds no run of a flow`, {
    next: "The run died before it began, or this is another kind of journal. Remove it, and start again.",
  });
}

function formatNewer(run: string, format: number): Problem {
  return problem(
    "flow-format-newer",
    `the run "${run}" was written in format ${format}, and this version reads ${RECORD_FORMAT}`,
    {
      next: "Use the version of Kahn that began it, or a later one.",
    },
  );
}

/** Said when opening a journal cut the end of it. */
export function repaired(run: string, { droppedBytes, lastSeq }: TornTail): Problem {
  return warning(
    "flow-journal-repaired",
    `the journal of the run "${run}" ended within a record; ${droppedBytes} bytes of it were cut off`,
    { next: `Nothing to do: the run goes on after record ${lastSeq}, and repeats at most what was in flight.` },
  );
}
