/**
 * A local store with remote tiers behind it.
 *
 * Owns:      the order of asking, downloads, uploads, and going on without a tier that has trouble.
 * Invariant: what a caller gets comes out of the local store: a download lands there whole and verified before it is
 *            used. A remote result is a hit, and recorded locally, only once all its blobs are local; or, where downloads
 *            wait until they are needed, once its trees are local and some tier has the rest. A result goes to a remote
 *            after all its blobs did; blobs go nowhere but with a result, so what is not worth caching is not uploaded.
 * Never:     fails because of a remote.
 */
import type { ActionCache, ActionResult, BlobStore, Clock, Digest, FileSystem, Problem, Random } from "@kahn/core";
import { FileSystemError, ok, randomHex } from "@kahn/core";
import { missingBlobs, resultBlobs } from "./completeness.ts";
import { TierHealth } from "./internal/tier-health.ts";
import { type UploadLimits, UploadQueue } from "./internal/upload-queue.ts";

/** A store behind the local one. */
export interface RemoteTier {
  /** As shown in warnings: its URL. Unique. */
  readonly name: string;
  readonly blobs: BlobStore;
  readonly actions: ActionCache;
  readonly read: boolean;
  readonly write: boolean;
  /** Whether it takes results of ours at all: asked before blobs are sent in vain. Left out: it does. */
  takesResults?(): Promise<boolean>;
}

/** What a tiered store is made of. */
export interface TieredOptions {
  readonly local: { readonly blobs: BlobStore; readonly actions: ActionCache };
  /** Asked in this order. */
  readonly remotes: readonly RemoteTier[];
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Where downloads land before the local store adopts them: `DiskStore.temporary`. */
  readonly temporary: string;
  readonly onWarning: (problem: Problem<"cache-tier-down">) => void;
  /** How long a tier with trouble is left alone. Default: 60,000. */
  readonly retryAfterMs?: number;
  /** Given: results are sent in the background. Default: `record` waits until they are sent. */
  readonly uploads?: UploadLimits;
  /** When blobs of a remote hit are fetched: at once (default), or one by one as they are asked for. */
  readonly downloads?: "at-lookup" | "when-needed";
}

/** Local and remote stores as one. */
export interface TieredStore {
  readonly blobs: BlobStore;
  readonly actions: ActionCache;
  /** Waits until all results are sent that were recorded so far. */
  sent(): Promise<void>;
  /** Sends nothing more but what is under way. */
  abandonUploads(): void;
}

/** Local and remote stores as one. */
export function tiered(options: TieredOptions): TieredStore {
  const tiers = new Tiers(options);
  const { local } = options;
  const uploads = options.uploads === undefined ? undefined : new UploadQueue(options.uploads);
  const blobs: BlobStore = {
    findMissing: async (digests) => {
      const missing = await local.blobs.findMissing(digests);
      return missing.ok ? ok(await tiers.notAnywhere(missing.value)) : missing;
    },
    read: async (digest) => {
      const found = await local.blobs.read(digest);
      if (!found.ok || found.value !== undefined) return found;
      return (await tiers.download([digest])) > 0 ? local.blobs.read(digest) : found;
    },
    write: (digest, bytes) => local.blobs.write(digest, bytes),
    ingest: (requests) => local.blobs.ingest(requests),
    materialize: async (requests) => {
      const made = await local.blobs.materialize(requests);
      if (!made.ok) return made;
      const open = made.value.flatMap((outcome, index) => (outcome === "done" ? [] : [index]));
      if (open.length === 0 || (await tiers.download(open.map((index) => requests[index]!.digest))) === 0) return made;
      const again = await local.blobs.materialize(open.map((index) => requests[index]!));
      if (!again.ok) return again;
      const outcomes = [...made.value];
      open.forEach((index, at) => {
        if (again.value[at] === "done") outcomes[index] = "done";
      });
      return ok(outcomes);
    },
  };
  const actions: ActionCache = {
    lookup: async (action) => {
      const found = await local.actions.lookup(action);
      if (!found.ok || found.value.kind === "hit") return found;
      return ok((await tiers.lookup(action, blobs)) ?? found.value);
    },
    record: async (action, result) => {
      const recorded = await local.actions.record(action, result);
      const publish = () => tiers.publish(action, result);
      await (uploads === undefined ? publish() : uploads.add(publish));
      return recorded;
    },
    // A local record answers a look-up before any remote does, so its token is the answer's.
    ...(local.actions.recordToken === undefined ? {} : { recordToken: local.actions.recordToken.bind(local.actions) }),
    forget: async (action) => {
      const forgotten = await local.actions.forget(action);
      await tiers.forget(action);
      return forgotten;
    },
  };
  return {
    blobs,
    actions,
    sent: async () => uploads?.settled(),
    abandonUploads: () => uploads?.abandon(),
  };
}

class Tiers {
  readonly #options: TieredOptions;
  readonly #health: TierHealth;
  readonly #names: string;
  #counter = 0;

  constructor(options: TieredOptions) {
    this.#options = options;
    this.#health = new TierHealth({
      clock: options.clock,
      retryAfterMs: options.retryAfterMs ?? 60_000,
      onWarning: options.onWarning,
    });
    this.#names = randomHex(options.random, 16);
  }

  /** Those that no readable remote has either. */
  async notAnywhere(digests: Digest[]): Promise<Digest[]> {
    let left = digests;
    for (const tier of this.#options.remotes) {
      if (!tier.read || left.length === 0) continue;
      left = (await this.#health.ask(tier.name, () => tier.blobs.findMissing(left))) ?? left;
    }
    return left;
  }

  /** Brings blobs into the local store; answers how many came. */
  async download(digests: readonly Digest[]): Promise<number> {
    const left = new Set(digests);
    for (const tier of this.#options.remotes) {
      if (!tier.read || left.size === 0) continue;
      for (const digest of await this.#downloadFrom(tier, [...left])) left.delete(digest);
    }
    return new Set(digests).size - left.size;
  }

  #downloadFrom(tier: RemoteTier, digests: readonly Digest[]): Promise<Digest[]> {
    const { local } = this.#options;
    return this.#withScratch(digests.length, [], async (files) => {
      const requests = digests.map((digest, index) => ({
        digest,
        path: files[index]!,
        executable: false,
        how: "copy" as const,
      }));
      const outcomes = await this.#health.ask(tier.name, () => tier.blobs.materialize(requests));
      const came = requests.filter((_, index) => outcomes?.[index] === "done");
      const taken = await local.blobs.ingest(
        came.map(({ digest, path }) => ({ path, executable: false, expected: digest, adopt: true })),
      );
      // Trouble with the local store shows at the caller's own next call to it.
      if (!taken.ok) return [];
      return came.flatMap(({ digest }, index) => (taken.value[index] === digest ? [digest] : []));
    });
  }

  /** A remote result, once all that it names is local. */
  async lookup(action: Digest, blobs: BlobStore) {
    const { local, remotes } = this.#options;
    for (const tier of remotes) {
      if (!tier.read) continue;
      const found = await this.#health.ask(tier.name, () => tier.actions.lookup(action));
      if (found?.kind !== "hit") continue;
      const missing = await this.#fetchAll(found.result, blobs);
      if (missing === undefined) continue;
      if (missing.length > 0) return { kind: "miss", reason: "incomplete", missing } as const;
      await local.actions.record(action, found.result);
      return { ...found, from: tier.name };
    }
    return undefined;
  }

  /** Brings what a result names and is not local, or finds out where it is; answers what cannot be had. */
  async #fetchAll(result: ActionResult, blobs: BlobStore): Promise<Digest[] | undefined> {
    const { local } = this.#options;
    // Reading the trees through all tiers makes them local; then the files in them are known.
    const named = await resultBlobs(blobs, result);
    if (!named.ok) return undefined;
    const absent = await local.blobs.findMissing(named.value.digests);
    if (!absent.ok) return undefined;
    if (this.#options.downloads === "when-needed") {
      return [...named.value.unreadableTrees, ...(await this.notAnywhere(absent.value))];
    }
    if (absent.value.length > 0) await this.download(absent.value);
    const missing = await missingBlobs(local.blobs, result);
    return missing.ok ? missing.value : undefined;
  }

  /** Sends a result to every remote that is written to: its blobs, then itself. */
  async publish(action: Digest, result: ActionResult): Promise<void> {
    const { local, remotes } = this.#options;
    const writable = remotes.filter((tier) => tier.write && !this.#health.isDown(tier.name));
    if (writable.length === 0) return;
    const named = await resultBlobs(local.blobs, result);
    // A result that is not whole here is no use elsewhere.
    if (!named.ok || named.value.unreadableTrees.length > 0) return;
    for (const tier of writable) {
      if ((await tier.takesResults?.()) === false) continue;
      const isThere = await this.#upload(tier, named.value.digests);
      if (isThere) await this.#health.ask(tier.name, () => tier.actions.record(action, result));
    }
  }

  /** Forgets a record wherever records are written to. */
  async forget(action: Digest): Promise<void> {
    for (const tier of this.#options.remotes) {
      if (tier.write) await this.#health.ask(tier.name, () => tier.actions.forget(action));
    }
  }

  /** Sends the blobs that a remote lacks; true when it has all of them. */
  async #upload(tier: RemoteTier, digests: readonly Digest[]): Promise<boolean> {
    const { local } = this.#options;
    const missing = await this.#health.ask(tier.name, () => tier.blobs.findMissing(digests));
    if (missing === undefined) return false;
    if (missing.length === 0) return true;
    return this.#withScratch(missing.length, false, async (files) => {
      const made = await local.blobs.materialize(
        missing.map((digest, index) => ({ digest, path: files[index]!, executable: false, how: "link" as const })),
      );
      if (!made.ok || made.value.some((outcome) => outcome !== "done")) return false;
      const requests = missing.map((digest, index) => ({ path: files[index]!, executable: false, expected: digest }));
      const sent = await this.#health.ask(tier.name, () => tier.blobs.ingest(requests));
      return sent?.every((digest, index) => digest === missing[index]) ?? false;
    });
  }

  /** Lends `work` names for files, which are gone afterwards. Trouble with the local disk answers `otherwise`. */
  async #withScratch<T>(count: number, otherwise: T, work: (files: readonly string[]) => Promise<T>): Promise<T> {
    const { fs, temporary } = this.#options;
    const files = Array.from({ length: count }, () => `${temporary}/tier-${this.#names}-${this.#counter++}`);
    try {
      fs.makeDirectory(temporary);
      const answer = await work(files);
      for (const path of files) fs.remove(path);
      return answer;
    } catch (error) {
      // What is left behind is swept with other temporary files; trouble shows at the next call to the local store.
      if (error instanceof FileSystemError) return otherwise;
      throw error;
    }
  }
}
