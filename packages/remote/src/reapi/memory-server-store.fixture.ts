/** A `ServerStore` in memory, for tests of services: strict about its contract, and open to what tests want to see. */

import { loadEngine, namedDigests } from "@kahn/cas";
import type { ActionResult, Digest, DigestFunction, Result } from "@kahn/core";
import {
  decodeActionResult,
  digestAt,
  digestFunction,
  digestHash,
  digestSizeBytes,
  err,
  invariant,
  ok,
  problem,
} from "@kahn/core";
import { emptyDigest } from "../names/digest-function.ts";
import type {
  BlobReader,
  BlobReceiver,
  BlobWriter,
  NamedEntry,
  ServerStore,
  ServerStoreProblem,
} from "../store/server-store.ts";

/** The store, and its insides. */
export interface MemoryServerStore extends ServerStore {
  readonly blobsByDigest: Map<Digest, Uint8Array>;
  readonly actionsByKey: Map<string, Uint8Array>;
  readonly entriesByName: Map<string, NamedEntry>;
  /** Digests that counted as used, in order. */
  readonly touched: Digest[];
  /** Blobs that turn out damaged when they are read in pieces. */
  readonly damaged: Set<Digest>;
  /** How often the index was asked. */
  readonly counts: { findMissing: number };
  /** Writers that were neither committed nor aborted. */
  openWriters(): number;
  /** Readers that were not closed. */
  openReaders(): number;
  /** Makes every write fail from now on. */
  failWrites(problem: ServerStoreProblem | undefined): void;
}

/** A new one. */
export function memoryServerStore({
  maxBlobBytes = 1 << 30,
}: {
  readonly maxBlobBytes?: number;
} = {}): MemoryServerStore {
  const blobsByDigest = new Map<Digest, Uint8Array>();
  const actionsByKey = new Map<string, Uint8Array>();
  const entriesByName = new Map<string, NamedEntry>();
  const touched: Digest[] = [];
  const counts = { findMissing: 0 };
  let writers = 0;
  let readers = 0;
  const damaged = new Set<Digest>();
  let failure: ServerStoreProblem | undefined;

  const find = (digest: Digest): Uint8Array | undefined => {
    if (digest === emptyDigest(digestFunction(digest))) return new Uint8Array();
    const bytes = blobsByDigest.get(digest);
    if (bytes !== undefined) touched.push(digest);
    return bytes;
  };
  const write = async (digest: Digest, bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>> => {
    if (failure !== undefined) return err(failure);
    if (digestSizeBytes(digest) > maxBlobBytes) return err(problem("blob-too-large", `${digest} is too large`));
    const actual = (await loadEngine(digestFunction(digest))).digest(bytes);
    if (actual !== digest) return err(problem("blob-mismatch", `${digest} was promised, ${actual} came`));
    blobsByDigest.set(digest, Uint8Array.from(bytes));
    return ok(undefined);
  };
  const add = async (fn: DigestFunction, bytes: Uint8Array): Promise<Result<Digest, ServerStoreProblem>> => {
    const digest = (await loadEngine(fn)).digest(bytes);
    const written = await write(digest, bytes);
    return written.ok ? ok(digest) : written;
  };
  const create = async (digest: Digest): Promise<Result<BlobWriter | "present", ServerStoreProblem>> => {
    if (find(digest) !== undefined) return ok("present");
    if (failure !== undefined) return err(failure);
    writers++;
    let bytes = Buffer.alloc(0);
    let state: "open" | "closed" = "open";
    const close = () => {
      if (state === "open") writers--;
      state = "closed";
    };
    return ok({
      digest,
      get committedBytes() {
        return bytes.length;
      },
      get isPresent() {
        return blobsByDigest.has(digest);
      },
      write: async (piece) => {
        invariant(state === "open", "written to after its end");
        if (failure !== undefined) return err(failure);
        if (bytes.length + piece.length > digestSizeBytes(digest))
          return err(problem("blob-mismatch", "too many bytes"));
        bytes = Buffer.concat([bytes, piece]);
        return ok(undefined);
      },
      commit: async () => {
        invariant(state === "open", "committed after its end");
        close();
        return await write(digest, bytes);
      },
      abort: close,
    });
  };
  const receive = async (fn: DigestFunction): Promise<Result<BlobReceiver, ServerStoreProblem>> => {
    if (failure !== undefined) return err(failure);
    writers++;
    let bytes = Buffer.alloc(0);
    let isOpen = true;
    const close = () => {
      if (isOpen) writers--;
      isOpen = false;
    };
    return ok({
      write: async (piece) => {
        invariant(isOpen, "written to after its end");
        if (failure !== undefined) return err(failure);
        if (bytes.length + piece.length > maxBlobBytes) return err(problem("blob-too-large", "the blob is too large"));
        bytes = Buffer.concat([bytes, piece]);
        return ok(undefined);
      },
      commit: async (expectedHash) => {
        invariant(isOpen, "committed after its end");
        close();
        const digest = (await loadEngine(fn)).digest(bytes);
        if (expectedHash !== undefined && expectedHash !== digestHash(digest)) {
          return err(problem("blob-mismatch", `${expectedHash} was promised, ${digest} came`));
        }
        const written = await write(digest, bytes);
        return written.ok ? ok(digest) : written;
      },
      abort: close,
    });
  };
  const open = async (digest: Digest): Promise<Result<BlobReader | undefined, ServerStoreProblem>> => {
    const bytes = find(digest);
    if (bytes === undefined) return ok(undefined);
    readers++;
    let isOpen = true;
    const shared = Buffer.alloc(1 << 20);
    return ok({
      sizeBytes: bytes.length,
      // One buffer for all reads, as the contract allows.
      read: async (offset, lengthBytes, into = shared) => {
        invariant(isOpen, "read after its end");
        if (damaged.has(digest)) {
          blobsByDigest.delete(digest);
          return err(problem("blob-mismatch", `${digest} is damaged`));
        }
        const piece = bytes.subarray(offset, Math.min(bytes.length, offset + Math.min(lengthBytes, into.length)));
        into.fill(0xee);
        into.set(piece);
        return ok(into.subarray(0, piece.length));
      },
      close: () => {
        if (isOpen) readers--;
        isOpen = false;
      },
    });
  };
  const missingOf = (digests: readonly Digest[]) =>
    [...new Set(digests)].filter((digest) => find(digest) === undefined);
  const isComplete = (result: ActionResult) => missingOf(namedDigests(result)).length === 0;
  const key = (...parts: readonly (string | undefined)[]) => JSON.stringify(parts);
  return {
    blobsByDigest,
    actionsByKey,
    entriesByName,
    touched,
    counts,
    damaged,
    openWriters: () => writers,
    openReaders: () => readers,
    failWrites: (problem) => {
      failure = problem;
    },
    blobs: {
      maxBlobBytes,
      findMissing: async (digests) => {
        counts.findMissing++;
        return ok(missingOf(digests));
      },
      findMissingIn: async (list) => {
        counts.findMissing++;
        const digests = Array.from({ length: list.count }, (_, at) => digestAt(list, at));
        return ok(missingOf(digests).map((digest) => digests.indexOf(digest)));
      },
      read: async (digest) => {
        const bytes = find(digest);
        return ok(bytes && Uint8Array.from(bytes));
      },
      open,
      write,
      add,
      create,
      find: async (fn, hash) => {
        if (hash === digestHash(emptyDigest(fn))) return ok(emptyDigest(fn));
        const digest = [...blobsByDigest.keys()].find((each) => each.startsWith(`${fn}:${hash}/`));
        if (digest !== undefined) touched.push(digest);
        return ok(digest);
      },
      receive,
    },
    actions: {
      get: async ({ instance, overlay }, action) => {
        const bytes =
          actionsByKey.get(key(instance, overlay, action)) ?? actionsByKey.get(key(instance, undefined, action));
        if (bytes === undefined) return ok(undefined);
        const result = decodeActionResult(bytes, digestFunction(action));
        return ok(result.ok && isComplete(result.value) ? { bytes, result: result.value } : undefined);
      },
      put: async ({ instance, overlay }, action, bytes) => {
        if (failure !== undefined) return err(failure);
        actionsByKey.set(key(instance, overlay, action), Uint8Array.from(bytes));
        return ok(undefined);
      },
      forget: async ({ instance, overlay }, action) => {
        actionsByKey.delete(key(instance, overlay, action));
        return ok(undefined);
      },
    },
    entries: {
      get: async (namespace, name) => {
        const entry = entriesByName.get(key(namespace, name));
        return ok(entry !== undefined && find(entry.digest) !== undefined ? entry : undefined);
      },
      put: async (namespace, name, entry, { exclusive = false } = {}) => {
        if (exclusive && entriesByName.has(key(namespace, name))) return ok("exists");
        entriesByName.set(key(namespace, name), entry);
        return ok("stored");
      },
      putBytes: async (namespace, name, { bytes, facts, exclusive = false }) => {
        if (exclusive && entriesByName.has(key(namespace, name))) return ok("exists");
        const added = await add("sha256", bytes);
        if (!added.ok) return added;
        entriesByName.set(key(namespace, name), { digest: added.value, facts });
        return ok("stored");
      },
      forget: async (namespace, name) => {
        entriesByName.delete(key(namespace, name));
        return ok(undefined);
      },
    },
    files: {
      ingest: async () => err(problem("store-io", "no files here")),
      materialize: async () => err(problem("store-io", "no files here")),
    },
    pin: () => ({ release: () => {} }),
    status: () => ({
      usedBytes: 0,
      maxSizeBytes: maxBlobBytes,
      blobs: blobsByDigest.size,
      records: actionsByKey.size,
      trouble: failure,
    }),
    close: async () => ok(undefined),
  };
}
