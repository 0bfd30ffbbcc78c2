/**
 * Makes files durable in groups, so that many small writes share one flush of the device.
 *
 * Method:    while one group is being flushed the next one gathers; a group that finds the device idle starts at once.
 *            So a write waits for two flushes at most, and nobody waits for a clock.
 * Invariant: `done` resolves after the data is on the device, then has its name, and the name is on the device too; or
 *            rejects, and then the name was not given.
 */
import type { FileSystem } from "@kahn/core";
import { NameFlushes } from "./name-flushes.ts";

/**
 * How much a write promises when it has resolved: `strict`, on the device, flushed on its own; `batched`, on the device,
 * flushed together with others; `none`, in the hands of the kernel.
 */
export type WriteDurability = "strict" | "batched" | "none";

/** One thing to be made durable. */
export interface CommitRequest {
  /** What is flushed; requests with equal keys in one group are flushed once. */
  readonly key: object;
  readonly sync: () => Promise<void>;
  /** Gives it its name, after the flush. */
  readonly publish?: () => void;
  /** The directory whose names changed by that. */
  readonly directory?: string;
}

interface Waiting {
  readonly request: CommitRequest;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const GROUP_MAX = 64;

/** Flushes of one kind of file. */
export class GroupCommit {
  readonly #names: NameFlushes;
  readonly #durability: WriteDurability;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(fs: FileSystem, durability: WriteDurability) {
    this.#names = new NameFlushes(fs);
    this.#durability = durability;
  }

  /** Flushes, publishes, flushes the name; as far as the durability asks for it. */
  async done(request: CommitRequest): Promise<void> {
    if (this.#durability === "none") {
      request.publish?.();
      return;
    }
    if (this.#durability === "strict") {
      await request.sync();
      request.publish?.();
      if (request.directory !== undefined) await this.#names.flush(request.directory);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is being flushed. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // What is written in this same turn of the event loop is still part of the group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.slice(0, GROUP_MAX);
      this.#waiting = this.#waiting.slice(GROUP_MAX);
      await this.#flush(group);
    }
    this.#running = undefined;
  }

  async #flush(group: readonly Waiting[]): Promise<void> {
    const flushes = new Map<object, Promise<unknown>>();
    for (const { request } of group) {
      if (!flushes.has(request.key)) flushes.set(request.key, outcome(request.sync));
    }
    const directories = new Map<string, Promise<unknown>>();
    const published: Waiting[] = [];
    for (const waiting of group) {
      const failure = await flushes.get(waiting.request.key);
      if (failure !== undefined) waiting.reject(failure);
      else if (publishes(waiting)) published.push(waiting);
    }
    for (const { request } of published) {
      const { directory } = request;
      if (directory === undefined || directories.has(directory)) continue;
      directories.set(
        directory,
        outcome(() => this.#names.flush(directory)),
      );
    }
    for (const { request, resolve, reject } of published) {
      const failure = request.directory === undefined ? undefined : await directories.get(request.directory);
      if (failure === undefined) resolve();
      else reject(failure);
    }
  }
}

function publishes({ request, reject }: Waiting): boolean {
  try {
    request.publish?.();
    return true;
  } catch (error) {
    reject(error);
    return false;
  }
}

/** What a flush threw; `undefined` when it was well. */
async function outcome(flush: () => Promise<void>): Promise<unknown> {
  try {
    await flush();
    return undefined;
  } catch (error) {
    return error ?? new Error("a flush failed without saying why");
  }
}
