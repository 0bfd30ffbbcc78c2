/**
 * Journals in memory, with the exact contract of the port and the failures that disks have.
 *
 * Owns:      records, snapshots, and which records are on the device.
 * Invariant: an append is all or nothing; records reach the device in order, so power loss leaves a prefix.
 */
import type {
  Durability,
  Journal,
  JournalProblem,
  JournalRecord,
  JournalStore,
  Json,
  Result,
  TornTail,
} from "@kahn/core";
import { err, InvariantError, ok, problem } from "@kahn/core";

/** An append about to be made. */
export interface JournalAppend {
  readonly id: string;
  /** Counts appends of the whole store from 1. */
  readonly nth: number;
  readonly bodies: readonly Json[];
  readonly durability: Durability;
}

/** What a memory journal store can be told to do wrong. */
export interface MemoryJournalStoreOptions {
  /** Asked before each append: a problem refuses it, whole. */
  readonly faults?: (append: JournalAppend) => JournalProblem | undefined;
}

interface Stored {
  readonly records: JournalRecord[];
  /** How many records are on the device. */
  durable: number;
  snapshot: { readonly seq: number; readonly state: Json } | undefined;
  /** What the next opening will find at the end. */
  tornBytes: number;
  /** Counts takings over: journals opened under an earlier number append no more. */
  fence: number;
}

/** A `JournalStore` in memory. */
export class MemoryJournalStore implements JournalStore {
  readonly #journals = new Map<string, Stored>();
  readonly #faults: NonNullable<MemoryJournalStoreOptions["faults"]>;
  #appends = 0;

  /** See `memoryJournalStore`. */
  constructor(options: MemoryJournalStoreOptions) {
    this.#faults = options.faults ?? (() => undefined);
  }

  create(id: string): Result<Journal, JournalProblem> {
    checkId(id);
    if (this.#journals.has(id)) return err(problem("journal-exists", `there is already a journal ${id}`));
    const stored: Stored = { records: [], durable: 0, snapshot: undefined, tornBytes: 0, fence: 0 };
    this.#journals.set(id, stored);
    return ok(this.#journal(id, stored, undefined));
  }

  open(id: string, { fence = false }: { readonly fence?: boolean } = {}): Result<Journal, JournalProblem> {
    const stored = this.#journals.get(id);
    if (stored === undefined) return err(missing(id));
    if (fence) stored.fence++;
    const { tornBytes, records } = stored;
    stored.tornBytes = 0;
    return ok(
      this.#journal(id, stored, tornBytes > 0 ? { droppedBytes: tornBytes, lastSeq: records.length } : undefined),
    );
  }

  peek(id: string, fromSeq = 1): Result<Iterable<JournalRecord>, JournalProblem> {
    const stored = this.#journals.get(id);
    return stored === undefined ? err(missing(id)) : ok(stored.records.slice(Math.max(0, fromSeq - 1)));
  }

  list(): string[] {
    return [...this.#journals.keys()].sort();
  }

  remove(id: string): void {
    this.#journals.delete(id);
  }

  /** The program dies in the middle of writing a record: the next opening finds a torn tail of so many bytes. */
  tear(id: string, droppedBytes: number): void {
    const stored = this.#journals.get(id);
    if (stored === undefined) throw new InvariantError(`there is no journal ${id}`);
    stored.tornBytes = droppedBytes;
  }

  /** The program dies: a store with everything in it. This one goes on in a world of its own. */
  killProcess(): MemoryJournalStore {
    return this.#survivor(({ records }) => records.length);
  }

  /** The machine loses power: a store with what was disk-durable, and what came before it in the same journal. */
  crash(): MemoryJournalStore {
    return this.#survivor(({ durable }) => durable);
  }

  #survivor(kept: (stored: Stored) => number): MemoryJournalStore {
    const survivor = new MemoryJournalStore({ faults: this.#faults });
    for (const [id, stored] of this.#journals) {
      const records = stored.records.slice(0, kept(stored));
      // A snapshot of records that are gone is not used: it would be ahead of its journal.
      const snapshot =
        stored.snapshot !== undefined && stored.snapshot.seq <= records.length ? stored.snapshot : undefined;
      const durable = Math.min(stored.durable, records.length);
      survivor.#journals.set(id, { records, durable, snapshot, tornBytes: stored.tornBytes, fence: 0 });
    }
    return survivor;
  }

  #journal(id: string, stored: Stored, tornTail: TornTail | undefined): Journal {
    let open = true;
    const { fence } = stored;
    const checkOpen = () => {
      if (!open) throw new InvariantError(`journal ${id} is closed`);
    };
    return {
      get lastSeq() {
        return stored.records.length;
      },
      tornTail,
      append: async (bodies, options) => {
        checkOpen();
        if (fence !== stored.fence) return err(takenOver(id));
        return this.#append({ id, stored, bodies, ...options });
      },
      read: (fromSeq = 1) => {
        checkOpen();
        return stored.records.slice(Math.max(0, fromSeq - 1));
      },
      writeSnapshot: (state) => {
        checkOpen();
        stored.snapshot = { seq: stored.records.length, state: copyOf(state) };
        return ok(undefined);
      },
      readSnapshot: () => {
        checkOpen();
        return stored.snapshot;
      },
      close: () => {
        open = false;
      },
    };
  }

  #append(append: {
    readonly id: string;
    readonly stored: Stored;
    readonly bodies: readonly Json[];
    readonly durability: Durability;
    readonly expectedSeq?: number;
  }): Result<number, JournalProblem> {
    const { id, stored, bodies, durability, expectedSeq } = append;
    const { records } = stored;
    if (expectedSeq !== undefined && expectedSeq !== records.length) {
      const message = `journal ${id} ends at ${records.length}, not at ${expectedSeq}: somebody else wrote to it`;
      return err(problem("journal-conflict", message, { next: "Open the journal again." }));
    }
    const fault = this.#faults({ id, nth: ++this.#appends, bodies, durability });
    if (fault !== undefined) return err(fault);
    for (const body of bodies) records.push({ seq: records.length + 1, body: copyOf(body) });
    if (durability === "disk") stored.durable = records.length;
    return ok(records.length);
  }
}

/** Journals in memory. */
export function memoryJournalStore(options: MemoryJournalStoreOptions = {}): MemoryJournalStore {
  return new MemoryJournalStore(options);
}

function takenOver(id: string): JournalProblem {
  return problem("journal-conflict", `journal ${id} was not appended to: somebody has taken it over`);
}

function missing(id: string): JournalProblem {
  return problem("journal-missing", `there is no journal ${id}`);
}

function checkId(id: string): void {
  if (!/^[A-Za-z0-9._-]+$/.test(id)) throw new InvariantError(`not a journal id: "${id}"`);
}

/** What a journal gives back is what JSON keeps, not the object that was handed in. */
function copyOf(body: Json): Json {
  return JSON.parse(JSON.stringify(body)) as Json;
}
