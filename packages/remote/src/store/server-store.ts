/**
 * What the services of a server need of a store: one store, one limit and one garbage collector for every protocol.
 *
 * Owns:      the contract between the protocols (gRPC and HTTP) and the disk; `openServerStore` makes it.
 * Invariant: nothing is given out under a digest that it does not have; nothing is readable before it is whole, verified
 *            and as durable as the store promises. What a caller pins is not collected while it holds the pin.
 */
import type {
  ActionResult,
  BlobStore,
  Digest,
  DigestFunction,
  DigestList,
  Problem,
  Result,
  StoreProblem,
} from "@kahn/core";

/** Trouble with one request. Besides those of any store: refusals that the protocols answer with a code of their own. */
export type ServerStoreProblem =
  | StoreProblem
  /** The hard limit is reached and nothing may be collected: RESOURCE_EXHAUSTED, 507. */
  | Problem<"store-limit">;

/** The store of a server. */
export interface ServerStore {
  readonly blobs: ServerBlobs;
  readonly actions: ServerActions;
  readonly entries: NamedEntries;
  /** Takes in files of an action's outputs, and makes files of its inputs: copies or links. What is taken in is durable. */
  readonly files: Pick<BlobStore, "ingest" | "materialize">;
  /** Keeps blobs and records from collection until it is released; used by running actions and open operations. */
  pin(digests: readonly Digest[]): Pin;
  status(): StoreStatus;
  /** Finishes writes, flushes, and lets go of the directory. */
  close(): Promise<Result<void, ServerStoreProblem>>;
}

/** A hold on blobs. */
export interface Pin {
  release(): void;
}

/** Numbers for `/status` and metrics. */
export interface StoreStatus {
  readonly usedBytes: number;
  readonly maxSizeBytes: number;
  readonly blobs: number;
  readonly records: number;
  /** Why nothing can be written now; `undefined` when all is well. */
  readonly trouble: ServerStoreProblem | undefined;
}

/** Content-addressed blobs. The empty blob of every function is always there. */
export interface ServerBlobs {
  /** No larger blob is taken. */
  readonly maxBlobBytes: number;
  /** Those of the list that are not there, each once. The others count as used now. One pass over an index in memory. */
  findMissing(digests: readonly Digest[]): Promise<Result<Digest[], ServerStoreProblem>>;
  /** The same for a list: the numbers of those that are not there, in order, each digest once. */
  findMissingIn(list: DigestList): Promise<Result<readonly number[], ServerStoreProblem>>;
  /** The whole blob, verified; for small ones. `undefined` when missing. Nobody may change the bytes. */
  read(digest: Digest): Promise<Result<Uint8Array | undefined, ServerStoreProblem>>;
  /** A blob to be read in pieces; `undefined` when missing. It stays readable until it is closed. */
  open(digest: Digest): Promise<Result<BlobReader | undefined, ServerStoreProblem>>;
  /** Stores a small blob; `blob-mismatch` when the bytes are others. Resolves when it is durable. Idempotent. */
  write(digest: Digest, bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>>;
  /** Stores bytes that are in memory under the digest that they have. Resolves when they are durable. Idempotent. */
  add(fn: DigestFunction, bytes: Uint8Array): Promise<Result<Digest, ServerStoreProblem>>;
  /** Begins an upload; `present` when the blob is there already and nothing need be sent. */
  create(digest: Digest): Promise<Result<BlobWriter | "present", ServerStoreProblem>>;
  /** The digest of the blob with this hash: HTTP names blobs by their hash alone. Counts as used now. */
  find(fn: DigestFunction, hash: string): Promise<Result<Digest | undefined, ServerStoreProblem>>;
  /** Begins an upload whose end tells its digest: HTTP sends values without a digest, and chunked ones without a size. */
  receive(fn: DigestFunction): Promise<Result<BlobReceiver, ServerStoreProblem>>;
}

/** An upload of which nobody knows the digest yet. */
export interface BlobReceiver {
  /** Takes bytes, which the caller may reuse once this resolves. `blob-too-large` when there are more than is taken. */
  write(bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>>;
  /**
   * Makes the blob durable and readable.
   *
   * @param expectedHash what the sender says it is; `blob-mismatch`, and nothing kept, when it is not.
   */
  commit(expectedHash?: string): Promise<Result<Digest, ServerStoreProblem>>;
  /** Gives up: what was written is removed. No effect after `commit`. */
  abort(): void;
}

/** An open blob. */
export interface BlobReader {
  readonly sizeBytes: number;
  /**
   * At most `lengthBytes` from `offset`; shorter only at the end. The bytes are valid until the next call.
   *
   * @param into of at least `lengthBytes`; the bytes that are read into it are valid as long as nobody writes there.
   *             They may lie elsewhere, of a blob in memory for one; then nobody may change them.
   * @returns `blob-mismatch` when the blob turned out damaged: it is in quarantine, and missing, from now on.
   */
  read(offset: number, lengthBytes: number, into?: Uint8Array): Promise<Result<Uint8Array, ServerStoreProblem>>;
  close(): void;
  /** All bytes, for a blob that is in memory. Nobody may change them. */
  readonly inMemory?: Uint8Array;
}

/** An upload. Bytes come in order; what was written before a break can be continued (`committedBytes`). */
export interface BlobWriter {
  readonly digest: Digest;
  /** Bytes taken so far. */
  readonly committedBytes: number;
  /** Another upload has stored the blob meanwhile: nothing more need be sent, and `commit` succeeds. Ask after `write`. */
  readonly isPresent: boolean;
  /**
   * Takes bytes that need only be copied, at once: false, and nothing taken, when `write` has to take them. Not while a
   * `write` is under way. Left out where `write` has to take all.
   */
  gather?(bytes: Uint8Array): boolean;
  /** Takes bytes, which the caller may reuse once this resolves. `blob-mismatch` when there are more than the size. */
  write(bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>>;
  /** Nothing comes for a while: lets go of what others can use meanwhile. Left out where there is nothing of the kind. */
  rest?(): Promise<Result<void, ServerStoreProblem>>;
  /** Verifies size and hash, makes the blob durable and readable. `blob-mismatch` drops it. */
  commit(): Promise<Result<void, ServerStoreProblem>>;
  /** Gives up: what was written is removed. No effect after `commit`. */
  abort(): void;
}

/** Whose action results these are: a client's instance name, and the layer of an untrusted branch, if any. */
export interface ActionScope {
  readonly instance: string;
  /** Results of an untrusted writer; read before the shared ones by that writer alone. Default: shared. */
  readonly overlay?: string;
}

/** A result as it was sent. */
export interface StoredResult {
  /** The encoded ActionResult, byte for byte, fields that this version does not know included. */
  readonly bytes: Uint8Array;
  readonly result: ActionResult;
}

/** Action results by scope and action digest. Keys are never interpreted: moon's are no digests of Actions. */
export interface ServerActions {
  /** `undefined` when there is none, or when a blob that it names is missing. All its blobs count as used now. */
  get(scope: ActionScope, action: Digest): Promise<Result<StoredResult | undefined, ServerStoreProblem>>;
  /** Stores an encoded ActionResult that the caller has validated. */
  put(scope: ActionScope, action: Digest, bytes: Uint8Array): Promise<Result<void, ServerStoreProblem>>;
  forget(scope: ActionScope, action: Digest): Promise<Result<void, ServerStoreProblem>>;
}

/** A named value of a protocol without digests, whose blob has a digest of SHA-256: a Turborepo artifact, a body of ccache, a tar of Nx. */
export interface NamedEntry {
  readonly digest: Digest;
  /** Small facts to be given back with it, such as a signature or a duration. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A value that is in memory, to be stored under a name. */
export interface NewEntry {
  readonly bytes: Uint8Array;
  readonly facts: Readonly<Record<string, string>>;
  /** Answers `exists` and changes nothing when the name is taken. */
  readonly exclusive?: boolean;
}

/** Blobs under names of a protocol's own. Names may be any text; they are hashed, never used as paths. */
export interface NamedEntries {
  /** `undefined` when there is none or its blob is gone. */
  get(namespace: string, name: string): Promise<Result<NamedEntry | undefined, ServerStoreProblem>>;
  /** Points a name at a blob that is there. `exclusive`: answers `exists` and changes nothing when there is one. */
  put(
    namespace: string,
    name: string,
    entry: NamedEntry,
    options?: { readonly exclusive?: boolean },
  ): Promise<Result<"stored" | "exists", ServerStoreProblem>>;
  /** Stores a value and points a name at it: a small one costs one flush, where a blob and then its name cost two. */
  putBytes(namespace: string, name: string, entry: NewEntry): Promise<Result<"stored" | "exists", ServerStoreProblem>>;
  forget(namespace: string, name: string): Promise<Result<void, ServerStoreProblem>>;
}
