/**
 * What is stored here on its way to the cache behind.
 *
 * Method:    behind the answer, in order, in batches: blobs before the results that name them. A failed batch is sent again
 *            after a pause; what is left of it after several is given up.
 * Invariant: what waits is bounded; what has no room, and what is given up, is dropped and counted. A blob that is too large
 *            for the cache behind, or that it does not take for its own sake, keeps no other from being sent.
 */
import { resultBlobs } from "@kahn/cas";
import type { ActionResult, Clock, Digest, Problem, StoreProblem } from "@kahn/core";
import { digestSizeBytes, ok, sleep } from "@kahn/core";
import type { BackingCache } from "./backing-cache.ts";
import { blobStoreOf } from "./blob-store-of.ts";
import type { ActionScope, ServerStore } from "./server-store.ts";

/** What is sent with. */
export interface BackingSenderOptions {
  /** The store of this machine, without the cache behind. */
  readonly store: ServerStore;
  readonly backing: BackingCache;
  readonly clock: Clock;
  /** Blobs of at most so many bytes are sent from memory, larger ones from a file. */
  readonly inMemoryBytes: number;
  /** Gives a path for a file, which is removed afterwards. */
  readonly throughFile: <T>(use: (path: string) => Promise<T>) => Promise<T>;
  readonly report: (problem: Problem) => void;
}

/** What is sent: a blob, or the result of an action. */
export type SentItem =
  | { readonly kind: "blob"; readonly digest: Digest }
  | { readonly kind: "result"; readonly scope: ActionScope; readonly action: Digest };

/** What waits to be sent, and how many never were. */
export interface SenderQueue {
  readonly blobs: number;
  readonly results: number;
  readonly dropped: number;
}

/** Why a batch was not sent to its end. */
interface Failure {
  readonly problem: StoreProblem;
  /** What it happened with, when the cache behind took or answered something else: it alone may be to blame. */
  readonly suspects: readonly SentItem[];
}

const WAITING_MAX = 100_000;
const BATCH = 500;
const RETRY_MS = [1000, 5000, 30_000] as const;
/** So many results may fail one after the other before it is the cache behind that fails. */
const FAILURES_MAX = 3;
/** One that lets nobody write, or refuses to answer, is left alone for so long: it may have been set up wrongly for a while. */
const DENIED_MS = 60 * 60_000;

/** Sends. */
export class BackingSender {
  readonly #options: BackingSenderOptions;
  #queue: SentItem[] = [];
  #dropped = 0;
  #sending: Promise<void> | undefined;
  /** By instance; that of "" is of all. */
  readonly #deniedUntilMs = new Map<string, number>();
  /** Size of the smallest blob that was too large for the cache behind. */
  #tooLargeBytes = Number.POSITIVE_INFINITY;
  readonly #closed = new AbortController();

  constructor(options: BackingSenderOptions) {
    this.#options = options;
  }

  waiting(): SenderQueue {
    const blobs = this.#queue.filter(({ kind }) => kind === "blob").length;
    return { blobs, results: this.#queue.length - blobs, dropped: this.#dropped };
  }

  /** Puts one into the queue. */
  send(item: SentItem): void {
    if (this.#closed.signal.aborted || this.#isDenied(item)) return;
    if (this.#queue.length >= WAITING_MAX) this.#dropped++;
    else this.#queue.push(item);
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when nothing is left or the time is up. */
  async flush(timeoutMs: number): Promise<void> {
    if (this.#sending === undefined) return;
    const done = new AbortController();
    const late = sleep(this.#options.clock, timeoutMs, AbortSignal.any([this.#closed.signal, done.signal]));
    await Promise.race([this.#sending, late]);
    done.abort();
  }

  close(): void {
    this.#closed.abort();
  }

  async #sendAll(): Promise<void> {
    // Gathers what is stored in the same moment.
    await Promise.resolve();
    let attempt = 0;
    while (this.#queue.length > 0 && !this.#closed.signal.aborted) {
      const left = new Set(this.#queue.splice(0, BATCH));
      const failure = await this.#sendBatch(left);
      if (failure === undefined) {
        attempt = 0;
        continue;
      }
      this.#options.report(failure.problem);
      if (isFinal(failure.problem)) {
        this.#deny("");
        this.#dropped += left.size + this.#queue.length;
        this.#queue = [];
        return;
      }
      const waitMs = RETRY_MS[attempt++];
      if (waitMs === undefined) {
        attempt = 0;
        this.#drop(left, failure.suspects.length > 0 ? failure.suspects : [...left]);
      }
      this.#queue.unshift(...left);
      if (waitMs !== undefined) await sleep(this.#options.clock, waitMs, this.#closed.signal);
    }
  }

  /** Sends a batch. @param left the batch; what needs no more is taken out of it. */
  async #sendBatch(left: Set<SentItem>): Promise<Failure | undefined> {
    const blobs = new Map<Digest, SentItem[]>();
    for (const item of left) {
      if (item.kind !== "blob") continue;
      const same = blobs.get(item.digest);
      if (same === undefined) blobs.set(item.digest, [item]);
      else same.push(item);
    }
    const missing = blobs.size === 0 ? ok([]) : await this.#options.backing.blobs.findMissing([...blobs.keys()]);
    if (!missing.ok) return { problem: missing.problem, suspects: [] };
    const wanted = new Set(missing.value);
    for (const [digest, items] of blobs) {
      const problem = wanted.has(digest) ? await this.#sendBlob(digest) : undefined;
      if (problem === undefined) for (const item of items) left.delete(item);
      else if (isOfBlob(problem)) this.#refused(digest, { problem, left, items });
      else return { problem, suspects: items };
    }
    return await this.#sendResults(left, blobs.size > 0);
  }

  /** Goes past a failure, to see whether it is about one result or about all. @param isHeard the cache behind answers. */
  async #sendResults(left: Set<SentItem>, isHeard: boolean): Promise<Failure | undefined> {
    const failed: SentItem[] = [];
    let problem: StoreProblem | undefined;
    for (const item of [...left]) {
      const trouble = item.kind === "result" ? await this.#resultTrouble(item) : undefined;
      left.delete(item);
      if (trouble === undefined) isHeard = true;
      else if (trouble === "unfit") this.#dropped++;
      else {
        problem = trouble;
        // Behind those that were not tried.
        left.add(item);
        failed.push(item);
        if (failed.length === FAILURES_MAX || isFinal(trouble)) break;
      }
    }
    return problem && { problem, suspects: isHeard ? failed : [] };
  }

  /** The cache behind takes others, and not this one. */
  #refused(
    digest: Digest,
    { problem, left, items }: { problem: StoreProblem; left: Set<SentItem>; items: readonly SentItem[] },
  ): void {
    this.#options.report(problem);
    if (problem.code === "blob-too-large") {
      this.#tooLargeBytes = Math.min(this.#tooLargeBytes, digestSizeBytes(digest));
    }
    this.#drop(left, items);
  }

  #drop(left: Set<SentItem>, items: readonly SentItem[]): void {
    for (const item of items) left.delete(item);
    this.#dropped += items.length;
  }

  async #sendBlob(digest: Digest): Promise<StoreProblem | undefined> {
    const { store, backing, inMemoryBytes } = this.#options;
    if (digestSizeBytes(digest) <= inMemoryBytes) {
      const read = await store.blobs.read(digest);
      // Gone meanwhile: a cache may forget.
      if (!read.ok || read.value === undefined) return undefined;
      const written = await backing.blobs.write(digest, read.value);
      return written.ok ? undefined : written.problem;
    }
    return await this.#options.throughFile(async (path) => {
      const made = await store.files.materialize([{ digest, path, executable: false, how: "copy" }]);
      if (!made.ok || made.value[0] !== "done") return undefined;
      const taken = await backing.blobs.ingest([{ path, executable: false, expected: digest }]);
      return taken.ok ? undefined : taken.problem;
    });
  }

  /** An instance that is refused is one that a client has named: what goes to others has nothing to do with it. */
  async #resultTrouble(item: Extract<SentItem, { kind: "result" }>): Promise<StoreProblem | "unfit" | undefined> {
    if (this.#isDenied(item)) return "unfit";
    const trouble = await this.#sendResult(item);
    const { instance } = item.scope;
    if (trouble === undefined || trouble === "unfit" || instance === "" || !isFinal(trouble)) return trouble;
    this.#options.report(trouble);
    this.#deny(instance);
    return "unfit";
  }

  #deny(instance: string): void {
    this.#deniedUntilMs.set(instance, this.#options.clock.monotonicMs() + DENIED_MS);
  }

  #isDenied(item: SentItem): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const instances = item.kind === "result" ? ["", item.scope.instance] : [""];
    return instances.some((instance) => nowMs < (this.#deniedUntilMs.get(instance) ?? nowMs));
  }

  /** @returns `unfit` for one that names what the cache behind does not take: it would be refused there. */
  async #sendResult({
    scope,
    action,
  }: Extract<SentItem, { kind: "result" }>): Promise<StoreProblem | "unfit" | undefined> {
    const found = await this.#options.store.actions.get(scope, action);
    const actions = this.#options.backing.actionsOf(scope.instance);
    if (!found.ok || found.value === undefined || actions === undefined) return undefined;
    if (await this.#namesTooLarge(found.value.result)) return "unfit";
    const recorded = await actions.record(action, found.value.result);
    return recorded.ok ? undefined : recorded.problem;
  }

  async #namesTooLarge(result: ActionResult): Promise<boolean> {
    if (this.#tooLargeBytes === Number.POSITIVE_INFINITY) return false;
    const named = await resultBlobs(blobStoreOf(this.#options.store), result);
    return named.ok && named.value.digests.some((digest) => digestSizeBytes(digest) >= this.#tooLargeBytes);
  }
}

/** True when the cache behind takes nothing at all, and will not a moment later either. */
function isFinal({ code }: StoreProblem): boolean {
  return code === "store-denied" || code === "store-refused";
}

/** True for what the cache behind does not take of one blob, and would not take later either. */
function isOfBlob({ code }: StoreProblem): boolean {
  return code === "blob-too-large" || code === "blob-mismatch";
}
