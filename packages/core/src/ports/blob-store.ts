/**
 * Port: content-addressed blobs.
 *
 * Every method takes many items and answers once. A blob that is not there is an answer; it may vanish between two
 * calls (garbage collection, another process), so a caller never relies on an earlier answer.
 */
import type { Digest } from "../digest.ts";
import type { Problem } from "../problem.ts";
import type { Result } from "../result.ts";

/** A file of the work tree to be taken into the store. */
export interface IngestRequest {
  readonly path: string;
  readonly executable: boolean;
  /** The digest the caller believes it has; the store verifies it while reading and answers with the true one. */
  readonly expected?: Digest;
  /** `true` lets the store make the file itself its read-only blob, by a hard link, instead of copying it. */
  readonly adopt?: boolean;
}

/** A blob to become a file of the work tree. Parents must exist; an existing file is replaced. */
export interface MaterializeRequest {
  readonly digest: Digest;
  readonly path: string;
  readonly executable: boolean;
  /** `copy` gives a writable file (0644 or 0755), `link` a read-only hard link to the store. */
  readonly how: "copy" | "link";
}

/** The outcome for one blob of a `materialize` call. */
export type MaterializeOutcome = "done" | "missing" | "corrupt";

/** What can go wrong with a store as a whole. */
export type StoreProblem = Problem<
  | "store-full"
  | "store-denied"
  | "store-format-newer"
  | "store-io"
  | "store-remote"
  /** A server that answers, and refuses: asking again changes nothing until somebody mends it. */
  | "store-refused"
  | "blob-mismatch"
  /** Larger than the store takes: the result is not cached, nothing else is wrong. */
  | "blob-too-large"
>;

/** Blobs by digest. Implementations: disk, tiers and decorators in `cas`; memory in `testing`. */
export interface BlobStore {
  /** The digests of the list that are not in the store. Those present count as used now. */
  findMissing(digests: readonly Digest[]): Promise<Result<Digest[], StoreProblem>>;
  /** The whole blob, verified; `undefined` when missing (a corrupt one is set aside and is missing). */
  read(digest: Digest): Promise<Result<Uint8Array | undefined, StoreProblem>>;
  /** Stores bytes under the digest they were promised to have; `blob-mismatch` when they have not. Idempotent. */
  write(digest: Digest, bytes: Uint8Array): Promise<Result<void, StoreProblem>>;
  /** Takes files in; the digests come in the order of the requests. All of them or a problem. */
  ingest(requests: readonly IngestRequest[]): Promise<Result<Digest[], StoreProblem>>;
  /** Makes files; one outcome for each request, in order. */
  materialize(requests: readonly MaterializeRequest[]): Promise<Result<MaterializeOutcome[], StoreProblem>>;
}
