/** A cache behind a server, as its store sees it. */
import type { ActionCache, BlobStore, DigestFunction } from "@kahn/core";

/** The cache behind. */
export interface BackingCache {
  /** Of the digests that it knows: of others nothing is asked there, and nothing sent. */
  readonly digestFunction: DigestFunction;
  /** Its `ingest` and `materialize` are used for large blobs. */
  readonly blobs: BlobStore;
  /** Results of one instance here; `undefined` for one that is not to be found behind. */
  actionsOf(instance: string): ActionCache | undefined;
  /** Ends its connections. */
  close(): void;
}
