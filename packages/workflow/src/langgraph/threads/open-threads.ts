/**
 * The threads that are in use: their journals open and what was read of them at hand.
 *
 * Invariant: a bounded number of threads is kept; one that is being written is never let go.
 */
import type { Durability } from "@kahn/core";
import { ThreadLog } from "./log.ts";
import type { SaverStorage } from "./storage.ts";

const THREADS_MAX = 64;

/** Threads by id. */
export class OpenThreads {
  readonly #storage: SaverStorage;
  readonly #durability: Durability;
  /** Least recently used first. */
  readonly #logs = new Map<string, ThreadLog>();

  constructor(storage: SaverStorage, durability: Durability) {
    this.#storage = storage;
    this.#durability = durability;
  }

  /** A thread's journal, whether or not it exists yet. */
  log(thread: string): ThreadLog {
    const log = this.#logs.get(thread) ?? new ThreadLog(this.#storage, thread, this.#durability);
    this.#logs.delete(thread);
    this.#logs.set(thread, log);
    if (this.#logs.size > THREADS_MAX) this.#letGo();
    return log;
  }

  /** Closes all files. */
  close(): void {
    for (const log of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  #letGo(): void {
    for (const [thread, log] of this.#logs) {
      if (this.#logs.size <= THREADS_MAX) return;
      if (!log.isIdle) continue;
      log.close();
      this.#logs.delete(thread);
    }
  }
}
