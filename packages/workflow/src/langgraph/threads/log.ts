/**
 * The journal of one thread, and what was read of it.
 *
 * Owns:      the two names that a thread's journal has in turn, what is appended and how it is caught up with when
 *            others append to it too.
 * Never:     keeps a journal open that may have been replaced.
 * Invariant: an append is acknowledged once it is in the journal that readers find; of two writers that meet, the
 *            later one reads what the earlier one wrote and appends after it.
 *
 * To be written anew (without what was pruned) a journal is copied to the other of its two names; a copy counts when
 * it is complete, and then it replaces the older one, which is removed. So there is one at every moment.
 */
import type { Durability, Journal, JournalProblem, JournalRecord, JournalStore, Json } from "@kahn/core";
import { digestHash, digestOf, ProblemError, problem, randomHex } from "@kahn/core";
import { parseRecord, RECORD_FORMAT, type ThreadHeader, type ThreadRecord } from "./record.ts";
import { ThreadState } from "./state.ts";
import type { SaverStorage } from "./storage.ts";

/** How journals of threads are called: this, 32 hex digits, and `.a` or `.b`. */
const JOURNAL_NAME = /^langgraph-[0-9a-f]{32}(?=\.[ab]$)/;
const SLOTS = ["a", "b"] as const;
/** Others may append between our reading and our appending so often in a row before we give up. */
const ATTEMPTS_MAX = 16;
/** An append of a copy; far below what a journal takes at once. */
const COPY_RECORDS_MAX = 1000;
const NONCE_BYTES = 8;

interface Found {
  readonly journal: string;
  readonly header: ThreadHeader;
}

interface Waiting {
  readonly records: readonly ThreadRecord[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A thread by its id. */
export class ThreadLog {
  readonly thread: string;
  readonly #storage: SaverStorage;
  readonly #durability: Durability;
  readonly #name: string;
  #found: Found | undefined;
  #state = new ThreadState();
  #seq = 0;
  /** What the storage said of the journal when it was last read to its end. */
  #stamp: string | undefined;
  #open: Journal | undefined;
  #waiting: Waiting[] = [];
  #isAppending = false;

  /** Reads nothing yet. */
  constructor(storage: SaverStorage, thread: string, durability: Durability) {
    this.thread = thread;
    this.#storage = storage;
    this.#durability = durability;
    this.#name = journalName(thread);
  }

  /** True when nothing waits to be written. */
  get isIdle(): boolean {
    return !this.#isAppending;
  }

  /** The thread as it is now, with what others wrote. Throws `ProblemError`. */
  read(): ThreadState {
    const stamp = this.#currentStamp();
    if (stamp !== undefined && stamp === this.#stamp) return this.#state;
    const found = findJournal(this.#storage.journals, this.#name);
    if (found?.header.nonce !== this.#found?.header.nonce) {
      this.#forget();
      this.#found = found;
    }
    if (found !== undefined) this.#catchUp(found.journal);
    // As it was before: what came while it was read is found the next time.
    this.#stamp = stamp;
    return this.#state;
  }

  /**
   * Appends records; they are durable in the saver's class when this resolves. What is appended meanwhile waits and
   * is then written at once, with one flush.
   */
  append(records: readonly ThreadRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject });
      if (!this.#isAppending) void this.#appendWaiting();
    });
  }

  /** Writes the journal anew with these records in the place of those it has; `undefined` leaves it as it is. */
  rewrite(survivors: (state: ThreadState) => readonly ThreadRecord[] | undefined): Promise<void> {
    return this.#exclusive(async () => {
      this.read();
      const old = this.#found;
      if (old === undefined) return;
      const records = survivors(this.#state);
      if (records === undefined) return;
      const journal = `${this.#name}.${old.journal.endsWith("a") ? "b" : "a"}`;
      await this.#remove(journal);
      const copy = unwrap(this.#storage.journals.create(journal));
      try {
        const header = this.#header(old.header.generation + 1, records.length);
        const bodies: readonly Json[] = [header, ...records];
        for (let at = 0; at < bodies.length; at += COPY_RECORDS_MAX) {
          // The old one is about to go, and it may have been on the device.
          unwrap(await copy.append(bodies.slice(at, at + COPY_RECORDS_MAX), { durability: "disk" }));
        }
      } finally {
        copy.close();
      }
      this.#forget();
      await this.#remove(old.journal);
    });
  }

  /** Removes the thread. */
  delete(): Promise<void> {
    return this.#exclusive(async () => {
      this.#forget();
      const found = findJournal(this.#storage.journals, this.#name);
      // The one that counts goes last: the other one is older, or half a copy.
      const others = SLOTS.map((slot) => `${this.#name}.${slot}`).filter((each) => each !== found?.journal);
      for (const journal of others) await this.#remove(journal);
      if (found !== undefined) await this.#remove(found.journal);
    });
  }

  /** Lets go of the file. The log may be used again. */
  close(): void {
    this.#forget();
  }

  async #appendWaiting(): Promise<void> {
    this.#isAppending = true;
    while (this.#waiting.length > 0) {
      let batch: Waiting[] = [];
      try {
        await this.#exclusive(async (mayHaveChanged) => {
          batch = this.#waiting.splice(0);
          await this.#appendNow(
            batch.flatMap((each) => each.records),
            mayHaveChanged,
          );
        });
        for (const each of batch) each.resolve();
      } catch (error) {
        if (batch.length === 0) batch = this.#waiting.splice(0);
        for (const each of batch) each.reject(error);
      }
    }
    this.#isAppending = false;
  }

  async #appendNow(records: readonly ThreadRecord[], mayHaveChanged: boolean): Promise<void> {
    if (mayHaveChanged) this.#reopenIfBehind();
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const refusal = await this.#attempt(records);
      if (refusal === undefined) return;
      this.#closeJournal();
      if (refusal.code !== "journal-conflict") throw new ProblemError(refusal);
      // Somebody appended before us. Whether or not ours is in already, it may be there twice.
      this.#reopenIfBehind();
    }
    throw new ProblemError(busy(this.thread));
  }

  /** Appends after what is known; a problem when the journal refuses. */
  async #attempt(records: readonly ThreadRecord[]): Promise<JournalProblem | undefined> {
    const header = this.#found === undefined ? this.#header(1, 0) : undefined;
    const bodies: readonly ThreadRecord[] = header === undefined ? records : [header, ...records];
    const journal = (this.#open ??= header === undefined ? this.#reopen() : this.#create());
    const appended = await journal.append(bodies, { durability: this.#durability, expectedSeq: this.#seq });
    if (!appended.ok) return appended.problem;
    // Forgotten meanwhile: then it is read again when it is asked for.
    if (this.#open !== journal) return undefined;
    for (const record of bodies) this.#state.apply(record);
    this.#seq = appended.value;
    if (header !== undefined) this.#found = { journal: `${this.#name}.a`, header };
    // Nobody else can have written: this is exclusive.
    this.#stamp = this.#currentStamp();
    return undefined;
  }

  #header(generation: number, copied: number): ThreadHeader {
    const nonce = randomHex(this.#storage.random, NONCE_BYTES);
    return { kind: "thread", format: RECORD_FORMAT, thread: this.thread, nonce, generation, copied };
  }

  /** Two processes that remove journals at the same time could get into each other's way. */
  #remove(journal: string): Promise<void> {
    const { journals } = this.#storage;
    return this.#storage.exclusive({ name: "removing", user: this }, async () => journals.remove(journal));
  }

  #exclusive<T>(work: (mayHaveChanged: boolean) => Promise<T>): Promise<T> {
    return this.#storage.exclusive({ name: this.#name, user: this }, work);
  }

  /** An open journal that others have appended to does not know of it. */
  #reopenIfBehind(): void {
    const before = { found: this.#found, seq: this.#seq };
    this.read();
    if (this.#found !== before.found || this.#seq !== before.seq) this.#closeJournal();
  }

  #create(): Journal {
    const { journals } = this.#storage;
    const created = journals.create(`${this.#name}.a`);
    if (created.ok || created.problem.code !== "journal-exists") return unwrap(created);
    // Its maker died before it wrote the header, or is just about to: then there is a conflict, and we read again.
    return this.#reopen(`${this.#name}.a`);
  }

  #reopen(journal = this.#found!.journal): Journal {
    return unwrap(this.#storage.journals.open(journal));
  }

  #catchUp(journal: string): void {
    const peeked = this.#storage.journals.peek(journal, this.#seq + 1);
    // Removed at this moment: what is known of it was true until then.
    if (!peeked.ok && peeked.problem.code === "journal-missing") return;
    for (const { seq, body } of unwrap<Iterable<JournalRecord>>(peeked)) {
      this.#state.apply(unwrap(parseRecord(body)));
      this.#seq = seq;
    }
  }

  #currentStamp(): string | undefined {
    return this.#found && this.#storage.stamp?.(this.#found.journal);
  }

  #closeJournal(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  #forget(): void {
    this.#closeJournal();
    this.#found = undefined;
    this.#state = new ThreadState();
    this.#seq = 0;
    this.#stamp = undefined;
  }
}

/** The ids of all threads, in no particular order. */
export function threadIds(journals: JournalStore): string[] {
  const names = new Set(journals.list().flatMap((journal) => JOURNAL_NAME.exec(journal)?.[0] ?? []));
  return [...names].flatMap((name) => findJournal(journals, name)?.header.thread ?? []);
}

/** Every record of every thread, with those of copies that are being made. */
export function* allRecords(journals: JournalStore): Generator<ThreadRecord, void> {
  for (const journal of journals.list()) {
    if (!JOURNAL_NAME.test(journal)) continue;
    const peeked = journals.peek(journal);
    if (!peeked.ok && peeked.problem.code === "journal-missing") continue;
    for (const { body } of unwrap<Iterable<JournalRecord>>(peeked)) yield unwrap(parseRecord(body));
  }
}

function journalName(thread: string): string {
  // Threads may have any name; journals may not.
  return `langgraph-${digestHash(digestOf(thread)).slice(0, 32)}`;
}

/** The journal of a thread that counts: the newest whole one. */
function findJournal(journals: JournalStore, name: string): Found | undefined {
  let newest: Found | undefined;
  for (const slot of SLOTS) {
    const journal = `${name}.${slot}`;
    const header = headerOf(journals, journal);
    if (header === undefined || header.generation <= (newest?.header.generation ?? 0)) continue;
    newest = { journal, header };
  }
  return newest;
}

function headerOf(journals: JournalStore, journal: string): ThreadHeader | undefined {
  const peeked = journals.peek(journal);
  if (!peeked.ok && peeked.problem.code === "journal-missing") return undefined;
  const records = unwrap<Iterable<JournalRecord>>(peeked)[Symbol.iterator]();
  const first = records.next();
  if (first.done === true) return undefined;
  const header = unwrap(parseRecord(first.value.body));
  if (header.kind !== "thread") return undefined;
  for (let copied = 0; copied < header.copied; copied++) if (records.next().done === true) return undefined;
  return header;
}

function unwrap<T>(
  result:
    | { readonly ok: true; readonly value: T }
    | { readonly ok: false; readonly problem: ReturnType<typeof problem> },
): T {
  if (!result.ok) throw new ProblemError(result.problem);
  return result.value;
}

function busy(thread: string) {
  return problem("langgraph-thread-busy", `Others write to the thread ${JSON.stringify(thread)} without a pause.`, {
    next: "Let savers of one process share one storage, or run one graph at a time on a thread.",
  });
}
