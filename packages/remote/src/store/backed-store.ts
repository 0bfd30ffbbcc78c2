/**
 * A server's store with another cache behind it: what is not here is fetched from there, what is stored here is sent on.
 *
 * Method:    reading through makes a blob ours before it is given out, and before a result that names it is stored here. A
 *            result that was found behind is given out at once, and made ours with all that it names behind the answer (see
 *            `KeptResults`). Sending on is behind the answer, too, in order, blobs before the results that name them.
 * Invariant: trouble behind never fails a request, and a cache behind that does not answer never holds one up for long: it
 *            is a miss, and is told. Layers of untrusted writers stay here. What waits to be sent is bounded; what has no
 *            room is dropped and counted.
 */
import type { Clock, Digest, Problem, Random, Result, StoreProblem } from "@kahn/core";
import {
  decodeActionResult,
  digestAt,
  digestFunction,
  digestSizeBytes,
  encodeActionResult,
  err,
  ok,
  problem,
  randomHex,
  sleep,
} from "@kahn/core";
import type { BackingCache } from "./backing-cache.ts";
import type { SenderQueue, SentItem } from "./backing-sender.ts";
import { BackingSender } from "./backing-sender.ts";
import { KeptResults } from "./kept-results.ts";
import type {
  ActionScope,
  BlobReader,
  BlobWriter,
  ServerBlobs,
  ServerStore,
  ServerStoreProblem,
} from "./server-store.ts";

/** How a store is backed. */
export interface BackedStoreOptions {
  readonly store: ServerStore;
  readonly backing: BackingCache;
  /** Sends what is stored here on. */
  readonly write: boolean;
  /** Makes results that were found behind ours, with all that they name. */
  readonly keep: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Absolute path of a folder for blobs on their way; it exists. */
  readonly folder: string;
  /** Removes a file of that folder. */
  readonly remove: (path: string) => void;
  /** Told of trouble behind, at most once a minute; that it refuses, once an hour. */
  readonly report: (problem: Problem) => void;
}

/** What is on its way: to be sent, never sent, and results whose blobs are being made ours. */
export interface BackingQueue extends SenderQueue {
  readonly keeping: number;
}

/** A store that is backed. */
export interface BackedStore extends ServerStore {
  /** What waits to be sent, and what was dropped. */
  waiting(): BackingQueue;
  /** Sends what waits; resolves when nothing is left or the time is up. */
  flush(timeoutMs: number): Promise<void>;
}

const IN_MEMORY_BYTES = 4 << 20;
const REPORT_MS = 60_000;
/** After a failure it is not asked for so long; nor after a refusal, which somebody has to mend. */
const AWAY_MS = 10_000;
const REFUSED_MS = 60_000;
/** A refusal is told so often: it is one as long as nobody mends it. */
const REPORT_REFUSED_MS = 60 * 60_000;
/** How long a client that wants an answer waits for the cache behind: for a small answer, and for a blob in memory. */
const ANSWER_MS = 5000;
const BLOB_MS = 15_000;

/** Puts a cache behind a store. */
export function backedStore(options: BackedStoreOptions): BackedStore {
  const link = new BackingLink(options);
  const { store } = options;
  return {
    blobs: backedBlobs(store.blobs, link),
    actions: {
      get: async (scope, action) => {
        const found = await store.actions.get(scope, action);
        return found.ok && found.value !== undefined ? found : ((await link.result(scope, action)) ?? found);
      },
      put: async (scope, action, bytes) => {
        // What is only behind counts as there for whoever stores this, and did not come along.
        await link.complete(action, bytes);
        const put = await store.actions.put(scope, action, bytes);
        if (put.ok && scope.overlay === undefined) link.send({ kind: "result", scope, action });
        return put;
      },
      forget: (scope, action) => store.actions.forget(scope, action),
    },
    entries: store.entries,
    files: {
      ingest: async (requests) => {
        const taken = await store.files.ingest(requests);
        if (taken.ok) for (const digest of taken.value) link.send({ kind: "blob", digest });
        return taken;
      },
      materialize: async (requests) => {
        const missing = await store.blobs.findMissing(requests.map(({ digest }) => digest));
        if (missing.ok) await Promise.all(missing.value.map((digest) => link.fetch(digest)));
        return await store.files.materialize(requests);
      },
    },
    pin: (digests) => store.pin(digests),
    status: () => store.status(),
    close: async () => {
      link.close();
      return await store.close();
    },
    waiting: () => link.waiting(),
    flush: (timeoutMs) => link.flush(timeoutMs),
  };
}

function backedBlobs(blobs: ServerBlobs, link: BackingLink): ServerBlobs {
  const sent = (digest: Digest) => link.send({ kind: "blob", digest });
  return {
    maxBlobBytes: blobs.maxBlobBytes,
    findMissing: async (digests) => {
      const missing = await blobs.findMissing(digests);
      return missing.ok && missing.value.length > 0 ? await link.findMissing(missing.value) : missing;
    },
    findMissingIn: async (list) => {
      const missing = await blobs.findMissingIn(list);
      if (!missing.ok || missing.value.length === 0) return missing;
      const left = await link.findMissing(missing.value.map((at) => digestAt(list, at)));
      if (!left.ok) return left;
      const named = new Set(left.value);
      return ok(missing.value.filter((at) => named.has(digestAt(list, at))));
    },
    read: async (digest) => {
      const found = await blobs.read(digest);
      if (!found.ok || found.value !== undefined) return found;
      return (await link.fetch(digest)) ? await blobs.read(digest) : found;
    },
    open: async (digest): Promise<Result<BlobReader | undefined, ServerStoreProblem>> => {
      const found = await blobs.open(digest);
      if (!found.ok || found.value !== undefined) return found;
      return (await link.fetch(digest)) ? await blobs.open(digest) : found;
    },
    write: async (digest, bytes) => {
      const written = await blobs.write(digest, bytes);
      if (written.ok) sent(digest);
      return written;
    },
    add: async (fn, bytes) => {
      const added = await blobs.add(fn, bytes);
      if (added.ok) sent(added.value);
      return added;
    },
    create: async (digest) => {
      const created = await blobs.create(digest);
      if (!created.ok || created.value === "present") return created;
      return ok(sendingWriter(created.value, sent));
    },
    find: (fn, hash) => blobs.find(fn, hash),
    receive: async (fn) => {
      const received = await blobs.receive(fn);
      if (!received.ok) return received;
      const receiver = received.value;
      return ok({
        write: (bytes) => receiver.write(bytes),
        commit: async (expectedHash) => {
          const committed = await receiver.commit(expectedHash);
          if (committed.ok) sent(committed.value);
          return committed;
        },
        abort: () => receiver.abort(),
      });
    },
  };
}

function sendingWriter(writer: BlobWriter, sent: (digest: Digest) => void): BlobWriter {
  return {
    digest: writer.digest,
    get committedBytes() {
      return writer.committedBytes;
    },
    get isPresent() {
      return writer.isPresent;
    },
    gather: (bytes) => writer.gather?.(bytes) === true,
    rest: async () => (await writer.rest?.()) ?? ok(undefined),
    write: (bytes) => writer.write(bytes),
    commit: async () => {
      const committed = await writer.commit();
      if (committed.ok) sent(writer.digest);
      return committed;
    },
    abort: () => writer.abort(),
  };
}

/** What goes to and comes from the cache behind. */
class BackingLink {
  readonly #options: BackedStoreOptions;
  readonly #fetching = new Map<Digest, Promise<boolean>>();
  /** By instance; that of "" is of all: an instance that is refused is one that a client has named. */
  readonly #awayUntilMs = new Map<string, number>();
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  readonly #kept: KeptResults;
  readonly #sender: BackingSender;

  constructor(options: BackedStoreOptions) {
    this.#options = options;
    const { store, backing, clock } = options;
    this.#kept = new KeptResults({ store, fetch: (digest) => this.fetch(digest) });
    this.#sender = new BackingSender({
      ...{ store, backing, clock, inMemoryBytes: IN_MEMORY_BYTES },
      throughFile: (use) => this.#throughFile(use),
      // Told, but no reason not to read: that may be allowed, and whether anybody is there reading finds out itself.
      report: (problem) => this.#report(problem),
    });
  }

  waiting(): BackingQueue {
    return { ...this.#sender.waiting(), keeping: this.#kept.size };
  }

  async findMissing(digests: readonly Digest[]): Promise<Result<Digest[], ServerStoreProblem>> {
    const asked = digests.filter((digest) => this.#isKnown(digest));
    if (this.#isAway() || asked.length === 0) return ok([...digests]);
    const missing = await this.#within(ANSWER_MS, this.#options.backing.blobs.findMissing(asked));
    if (!missing.ok) this.#trouble(missing.problem);
    if (!missing.ok) return ok([...digests]);
    return asked.length === digests.length
      ? missing
      : ok([...missing.value, ...digests.filter((digest) => !this.#isKnown(digest))]);
  }

  async result(scope: ActionScope, action: Digest) {
    const isAsked = this.#isKnown(action) && !this.#isAway(scope.instance);
    const actions = isAsked ? this.#options.backing.actionsOf(scope.instance) : undefined;
    if (actions === undefined) return undefined;
    const found = await this.#within(ANSWER_MS, actions.lookup(action));
    if (!found.ok) this.#trouble(found.problem, scope.instance);
    if (!found.ok || found.value.kind === "miss") return undefined;
    const { result } = found.value;
    const bytes = encodeActionResult(result);
    if (this.#options.keep) this.#kept.keep({ scope, action, result, bytes });
    return ok({ result, bytes });
  }

  /** Makes what an encoded result names ours, as far as it can be had. */
  async complete(action: Digest, bytes: Uint8Array): Promise<void> {
    const result = decodeActionResult(bytes, digestFunction(action));
    if (result.ok) await this.#kept.complete(result.value);
  }

  /** Makes a blob ours; several who want the same wait for one. False when it is not behind either. */
  fetch(digest: Digest): Promise<boolean> {
    const known = this.#fetching.get(digest);
    if (known !== undefined) return known;
    if (this.#isAway() || !this.#isKnown(digest)) return Promise.resolve(false);
    const fetching = this.#fetch(digest).finally(() => this.#fetching.delete(digest));
    this.#fetching.set(digest, fetching);
    return fetching;
  }

  send(item: SentItem): void {
    if (this.#options.write && this.#isKnown(item.kind === "blob" ? item.digest : item.action)) this.#sender.send(item);
  }

  flush(timeoutMs: number): Promise<void> {
    return this.#sender.flush(timeoutMs);
  }

  close(): void {
    this.#sender.close();
    this.#kept.close();
    this.#options.backing.close();
  }

  async #fetch(digest: Digest): Promise<boolean> {
    const { backing, store } = this.#options;
    if (digestSizeBytes(digest) <= IN_MEMORY_BYTES) {
      const read = await this.#within(BLOB_MS, backing.blobs.read(digest));
      if (!read.ok) this.#trouble(read.problem);
      if (!read.ok || read.value === undefined) return false;
      return (await store.blobs.write(digest, read.value)).ok;
    }
    return await this.#throughFile(async (path) => {
      const request = { digest, path, executable: false, how: "copy" } as const;
      const made = await backing.blobs.materialize([request]);
      if (!made.ok) this.#trouble(made.problem);
      if (!made.ok || made.value[0] !== "done") return false;
      // The store hashes it: what came from behind is not believed.
      const taken = await store.files.ingest([{ path, executable: false, expected: digest }]);
      return taken.ok && taken.value[0] === digest;
    });
  }

  async #throughFile<T>(use: (path: string) => Promise<T>): Promise<T> {
    const { folder, random, remove } = this.#options;
    const path = `${folder}/${randomHex(random, 24)}`;
    try {
      return await use(path);
    } finally {
      remove(path);
    }
  }

  /** An answer, or after that long that there is none; what comes later is not looked at. */
  async #within<T>(limitMs: number, asked: Promise<Result<T, StoreProblem>>): Promise<Result<T, StoreProblem>> {
    const answered = new AbortController();
    const late = sleep(this.#options.clock, limitMs, answered.signal).then(() => err(silent(limitMs)));
    const answer = await Promise.race([asked, late]);
    answered.abort();
    return answer;
  }

  /** Nobody waits for the retries of a cache that just failed. */
  #isAway(instance = ""): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    return ["", instance].some((each) => nowMs < (this.#awayUntilMs.get(each) ?? nowMs));
  }

  /** Whether it is one that the cache behind may be asked for: it would refuse others, which any client can name. */
  #isKnown(digest: Digest): boolean {
    return digestFunction(digest) === this.#options.backing.digestFunction;
  }

  /** @param instance that a question was about; what is no refusal is about all. */
  #trouble(problem: Problem, instance = ""): void {
    const isRefused = problem.code === "store-refused";
    const untilMs = this.#options.clock.monotonicMs() + (isRefused ? REFUSED_MS : AWAY_MS);
    this.#awayUntilMs.set(isRefused ? instance : "", untilMs);
    this.#report(problem);
  }

  #report(problem: Problem): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (problem.code === "store-refused") {
      if (nowMs - this.#refusedAtMs < REPORT_REFUSED_MS) return;
      this.#refusedAtMs = nowMs;
    } else {
      if (nowMs - this.#reportedAtMs < REPORT_MS) return;
      this.#reportedAtMs = nowMs;
    }
    this.#options.report({ ...problem, severity: "warning" });
  }
}

function silent(limitMs: number): StoreProblem {
  const next = "Look whether the server of backing.url is well; until it answers, everything is done without it.";
  return problem("store-remote", `the cache behind has not answered for ${limitMs} ms`, { next });
}
