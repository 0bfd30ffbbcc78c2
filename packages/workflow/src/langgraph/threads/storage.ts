/**
 * Where a saver keeps threads: journals, long values, and the right to change a journal.
 *
 * Owns:      the layout of a folder (`threads`, `values`, `locks`), and how long a lock is kept.
 * Invariant: what one call of `exclusive` does to a journal is not interleaved with what another one does, in this
 *            process or (in a folder) in any other process of the machine.
 */
import { openValueStore, type ValueStore } from "@kahn/cas";
import type { Clock, FileSystem, JournalStore, Random, Timer } from "@kahn/core";
import { FileSystemError, ProblemError, problem } from "@kahn/core";
import { fileJournalStore } from "@kahn/journal";
import { acquireLock, type Lock, nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";

/** The durable value store, as far as a saver uses it. */
export type SaverValues = Pick<ValueStore, "put" | "get" | "flush" | "sweep">;

/** Who wants what for itself. */
export interface ExclusiveUse {
  /** Of the alphabet of journal ids. */
  readonly name: string;
  /** Whoever remembers what the journals hold. */
  readonly user: object;
}

/** What a saver stands on. Several savers may share one. */
export interface SaverStorage {
  readonly journals: JournalStore;
  readonly values: SaverValues;
  readonly random: Random;
  /**
   * Runs work while nobody else changes the journals of this name.
   *
   * @param work told whether somebody other than `user` may have changed them since `user` was last here.
   */
  exclusive<T>({ name, user }: ExclusiveUse, work: (mayHaveChanged: boolean) => Promise<T>): Promise<T>;
  /** A text that differs once a journal differs, where that can be told for less than reading it. */
  stamp?(journal: string): string | undefined;
  /** Lets go of what is kept for speed. The storage may be used again. */
  close(): void;
}

/** Storage on any journal store. Savers that share it, and those of one process, may use the same threads. */
export function saverStorage(parts: Pick<SaverStorage, "journals" | "values" | "random">): SaverStorage {
  const queues = new Queues();
  return {
    ...parts,
    exclusive: ({ name }, work) => queues.run(name, () => work(true)),
    close: () => {},
  };
}

/** Where a folder of threads is. */
export interface FileSaverStorageOptions {
  /** Absolute; made when something is saved. Nothing else may be in it. */
  readonly directory: string;
  /** How long a lock is kept after it was used, for the next step is near; default 100 ms. */
  readonly lockKeptMs?: number;
}

/** Storage in a folder. Any number of processes of one machine may use it. */
export function fileSaverStorage({ directory, lockKeptMs = 100 }: FileSaverStorageOptions): SaverStorage {
  const fs = nodeFileSystem();
  const clock = nodeClock();
  return new FileSaverStorage({ fs, clock, directory, lockKeptMs });
}

/** A lock is given up at the next occasion when it was held for so long, so that others get their turn. */
const LOCK_HELD_MAX_MS = 500;

interface HeldLock {
  readonly lock: Lock;
  readonly sinceMs: number;
  /** Who used it last. */
  user: object | undefined;
  idle: Timer | undefined;
}

class FileSaverStorage implements SaverStorage {
  readonly journals: JournalStore;
  readonly values: SaverValues;
  readonly random = nodeRandom();
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #lockKeptMs: number;
  readonly #queues = new Queues();
  readonly #held = new Map<string, HeldLock>();

  constructor(options: FileSaverStorageOptions & { readonly fs: FileSystem; readonly clock: Clock }) {
    const { fs, clock, directory } = options;
    this.journals = fileJournalStore({ fs, directory: `${directory}/threads` });
    this.values = openValueStore({ fs, clock, random: this.random, root: `${directory}/values` });
    this.#fs = fs;
    this.#clock = clock;
    this.#directory = directory;
    this.#lockKeptMs = options.lockKeptMs ?? 0;
  }

  exclusive<T>({ name, user }: ExclusiveUse, work: (mayHaveChanged: boolean) => Promise<T>): Promise<T> {
    return this.#queues.run(name, async () => {
      const kept = this.#held.get(name);
      kept?.idle?.cancel();
      const held = kept ?? (await this.#acquire(name));
      const mayHaveChanged = held.user !== user;
      held.user = user;
      try {
        return await work(mayHaveChanged);
      } finally {
        this.#putAside(name, held);
      }
    });
  }

  stamp(journal: string): string | undefined {
    const folder = `${this.#directory}/threads/${journal}`;
    const files = (this.#fs.readDirectory(folder) ?? [])
      .map(({ name }) => name)
      .filter((name) => name.endsWith(".log"));
    const last = files.sort().at(-1);
    const stat = last === undefined ? undefined : this.#fs.lstat(`${folder}/${last}`);
    return stat && `${last} ${stat.ino} ${stat.sizeBytes} ${stat.mtimeMs}`;
  }

  close(): void {
    for (const [name, { idle }] of [...this.#held]) {
      // One without a timer is in use, and let go after that.
      if (idle === undefined) continue;
      idle.cancel();
      this.#release(name);
    }
  }

  async #acquire(name: string): Promise<HeldLock> {
    const path = `${this.#directory}/locks/${name}`;
    this.#makeDirectory(path);
    const owner = { label: "a LangGraph saver", command: "kahn/flow/langgraph" };
    const acquired = await acquireLock({ path, owner, clock: this.#clock });
    if (!acquired.ok) throw new ProblemError(acquired.problem);
    const held: HeldLock = {
      lock: acquired.value,
      sinceMs: this.#clock.monotonicMs(),
      user: undefined,
      idle: undefined,
    };
    this.#held.set(name, held);
    return held;
  }

  #makeDirectory(path: string): void {
    try {
      this.#fs.makeDirectory(path);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      throw new ProblemError(
        problem("langgraph-storage-io", `The folder ${path} could not be made (${error.code}).`, {
          next: "Check that you may write there, and that the device has room.",
        }),
      );
    }
  }

  #putAside(name: string, held: HeldLock): void {
    held.idle = undefined;
    const heldMs = this.#clock.monotonicMs() - held.sinceMs;
    if (this.#lockKeptMs === 0 || heldMs >= LOCK_HELD_MAX_MS) this.#release(name);
    else held.idle = this.#clock.setTimer(this.#lockKeptMs, () => this.#release(name));
  }

  #release(name: string): void {
    this.#held.get(name)?.lock.release();
    this.#held.delete(name);
  }
}

/** Work by name: one at a time for each. */
class Queues {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(name, settled);
    void settled.then(() => this.#last.get(name) === settled && this.#last.delete(name));
    return mine;
  }
}
