/**
 * Journals in memory: for flows that need not outlive their process, and for tests of graphs.
 *
 * Invariant: what is read is what JSON keeps of what was appended; `keep: "nothing"` forgets them at once, and
 *            such runs can be followed from now on only, and neither resumed nor looked back at.
 */
import type { Journal, JournalProblem, JournalRecord, JournalStore, Json, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";

/** Makes a store of journals in memory. */
export function memoryJournals(options: { readonly keep?: "all" | "nothing" } = {}): JournalStore {
  const journals = new Map<string, MemoryJournal>();
  const keeps = options.keep !== "nothing";
  const open = (id: string, { fence = false }: { readonly fence?: boolean } = {}): Result<Journal, JournalProblem> => {
    const journal = journals.get(id);
    return journal === undefined ? err(missing(id)) : ok(fence ? journal.takeOver() : journal.again());
  };
  return {
    create: (id) => {
      if (journals.has(id)) return err(problem("journal-exists", `there is already a journal ${id}`));
      const journal = new MemoryJournal(id, keeps);
      if (keeps) journals.set(id, journal);
      return ok(journal.again());
    },
    open,
    peek: (id, fromSeq = 1) => {
      const journal = journals.get(id);
      return journal === undefined ? err(missing(id)) : ok(journal.read(fromSeq));
    },
    list: () => [...journals.keys()].sort(),
    remove: (id) => void journals.delete(id),
  };
}

class MemoryJournal {
  readonly #id: string;
  /** As text: what JSON keeps, and nothing that changes later. */
  readonly #records: string[] = [];
  readonly #keeps: boolean;
  #lastSeq = 0;
  #fence = 0;
  #snapshot: { readonly seq: number; readonly state: Json } | undefined;

  constructor(id: string, keeps: boolean) {
    this.#id = id;
    this.#keeps = keeps;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  append(
    bodies: readonly Json[],
    { expectedSeq }: { readonly expectedSeq?: number },
  ): Promise<Result<number, JournalProblem>> {
    if (expectedSeq !== undefined && expectedSeq !== this.#lastSeq) {
      const message = `journal ${this.#id} ends at ${this.#lastSeq}, not at ${expectedSeq}: somebody else wrote to it`;
      return Promise.resolve(err(problem("journal-conflict", message, { next: "Open the journal again." })));
    }
    this.#lastSeq += bodies.length;
    if (this.#keeps) for (const body of bodies) this.#records.push(JSON.stringify(body));
    return Promise.resolve(ok(this.#lastSeq));
  }

  *read(fromSeq = 1): Generator<JournalRecord, void> {
    for (let index = Math.max(0, fromSeq - 1); index < this.#records.length; index++) {
      yield { seq: index + 1, body: JSON.parse(this.#records[index]!) as Json };
    }
  }

  writeSnapshot(state: Json): Result<void, JournalProblem> {
    // What is handed in may change later.
    this.#snapshot = { seq: this.#lastSeq, state: JSON.parse(JSON.stringify(state)) as Json };
    return ok(undefined);
  }

  readSnapshot(): { readonly seq: number; readonly state: Json } | undefined {
    return this.#snapshot;
  }

  /** The same journal for one more writer. */
  again(): Journal {
    return new JournalWriter(this, this.#fence);
  }

  /** The same journal for a writer that shuts all others out. */
  takeOver(): Journal {
    this.#fence++;
    return this.again();
  }

  /** Whether a writer that opened under this number has been shut out; told as a problem. */
  refusal(fence: number): JournalProblem | undefined {
    if (fence === this.#fence) return undefined;
    return problem("journal-conflict", `journal ${this.#id} was not appended to: somebody has taken it over`, {
      next: "Open the journal again.",
    });
  }
}

/** One writer's view of a journal. */
class JournalWriter implements Journal {
  readonly tornTail = undefined;
  readonly #journal: MemoryJournal;
  readonly #fence: number;

  constructor(journal: MemoryJournal, fence: number) {
    this.#journal = journal;
    this.#fence = fence;
  }

  get lastSeq(): number {
    return this.#journal.lastSeq;
  }

  append(bodies: readonly Json[], options: { readonly expectedSeq?: number }): Promise<Result<number, JournalProblem>> {
    const refusal = this.#journal.refusal(this.#fence);
    return refusal === undefined ? this.#journal.append(bodies, options) : Promise.resolve(err(refusal));
  }

  read(fromSeq?: number): Iterable<JournalRecord> {
    return this.#journal.read(fromSeq);
  }

  writeSnapshot(state: Json): Result<void, JournalProblem> {
    return this.#journal.writeSnapshot(state);
  }

  readSnapshot(): { readonly seq: number; readonly state: Json } | undefined {
    return this.#journal.readSnapshot();
  }

  close(): void {}
}

function missing(id: string): JournalProblem {
  return problem("journal-missing", `there is no journal ${id}`, { next: "List the runs to see which there are." });
}
