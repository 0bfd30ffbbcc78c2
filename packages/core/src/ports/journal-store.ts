/**
 * Port: journals, the append-only record of a run, workflow or change.
 *
 * Sequence numbers count from 1 without gaps. An append is all or nothing. Only the holder of the journal's lock
 * appends; `expectedSeq` makes a writer that lost the lock fail instead of forking history, and `fence` makes every
 * writer before us one that has lost it.
 */
import type { Json } from "../json.ts";
import type { Problem } from "../problem.ts";
import type { Result } from "../result.ts";

/** `process`: handed to the kernel, survives our death. `disk`: on the device, survives power loss. */
export type Durability = "process" | "disk";

/** One record. */
export interface JournalRecord {
  readonly seq: number;
  readonly body: Json;
}

/** What can go wrong with a journal. */
export type JournalProblem = Problem<
  | "journal-id-invalid"
  | "journal-missing"
  | "journal-exists"
  | "journal-corrupt"
  | "journal-format-newer"
  | "journal-conflict"
  | "journal-full"
  | "journal-io"
>;

/** What opening found at the end of the file. */
export interface TornTail {
  readonly droppedBytes: number;
  /** Sequence number of the last whole record; 0 when there is none. */
  readonly lastSeq: number;
}

/** A journal open for reading and appending. */
export interface Journal {
  /** Sequence number of the last record; 0 when empty. */
  readonly lastSeq: number;
  /** Set when opening cut a torn tail. */
  readonly tornTail: TornTail | undefined;
  /**
   * Appends records and resolves once they are durable in the asked class. Appends are ordered as called, and one
   * flush serves all appends that wait for it.
   *
   * @returns the sequence number of the last record written; `journal-conflict` when `expectedSeq` is not `lastSeq`.
   */
  append(
    bodies: readonly Json[],
    options: { readonly durability: Durability; readonly expectedSeq?: number },
  ): Promise<Result<number, JournalProblem>>;
  /** Records from `fromSeq` (inclusive, default 1) to the end, in order. */
  read(fromSeq?: number): Iterable<JournalRecord>;
  /** Stores a state that replaces reading the records up to `lastSeq`. A lost snapshot costs time only. */
  writeSnapshot(state: Json): Result<void, JournalProblem>;
  /** The newest snapshot that is whole, if any. */
  readSnapshot(): { readonly seq: number; readonly state: Json } | undefined;
  close(): void;
}

/** Journals by id (a run id, or any `[A-Za-z0-9._-]` name). */
export interface JournalStore {
  create(id: string): Result<Journal, JournalProblem>;
  /**
   * Opens for appending; cuts a torn tail and tells so.
   *
   * With `fence`, whoever has it open is shut out, though it may be asleep and not know: at the latest when this
   * journal has appended, an append of any other one is refused with `journal-conflict`, and nothing of it is in the
   * journal. What they had appended before stays.
   */
  open(id: string, options?: { readonly fence?: boolean }): Result<Journal, JournalProblem>;
  /** Reads records without a lock and without changing anything; stops at a torn tail. */
  peek(id: string, fromSeq?: number): Result<Iterable<JournalRecord>, JournalProblem>;
  /** Ids, sorted. */
  list(): string[];
  /** Removes a journal and its snapshots; no effect when absent. */
  remove(id: string): void;
}
