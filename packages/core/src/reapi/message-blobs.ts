/**
 * Messages that stand in blobs: read whole, so none that is larger than its kind may be.
 *
 * Invariant: a digest that anybody may have sent never makes us hold, hash or decode a blob of any size.
 */
import { type Digest, digestSizeBytes } from "../digest.ts";
import { ok, type Result } from "../result.ts";

/** Of a `Directory`: some 150,000 names. One more, with what is around it, has room in a gRPC message of 16 MiB. */
export const DIRECTORY_MAX_BYTES = 15 * 1024 * 1024;
/** Of a `Tree`: all directories of an output, about a million names. */
export const TREE_MAX_BYTES = 128 * 1024 * 1024;

/** What a digest that ought to be a message's gave. */
export type MessageBlob =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "missing" }
  /** It was not read. */
  | { readonly kind: "too-large" };

/** What messages are read from. */
export interface MessageSource<P> {
  read(digest: Digest): Promise<Result<Uint8Array | undefined, P>>;
}

/** Reads a message of at most `maxBytes`. The empty message is always there, whether the source has it or not. */
export async function readMessage<P>(
  source: MessageSource<P>,
  digest: Digest,
  maxBytes: number,
): Promise<Result<MessageBlob, P>> {
  const sizeBytes = digestSizeBytes(digest);
  if (sizeBytes > maxBytes) return ok({ kind: "too-large" });
  if (sizeBytes === 0) return ok({ kind: "bytes", bytes: new Uint8Array() });
  const read = await source.read(digest);
  if (!read.ok) return read;
  return ok(read.value === undefined ? { kind: "missing" } : { kind: "bytes", bytes: read.value });
}
