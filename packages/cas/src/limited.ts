/**
 * A blob store that refuses blobs above a size.
 *
 * Invariant: a call that holds one too large stores nothing at all, so a result is never half in the store.
 */
import type { BlobStore, FileSystem, StoreProblem } from "@kahn/core";
import { err, problem } from "@kahn/core";

/** What is refused. */
export interface BlobLimits {
  readonly maxBlobBytes: number;
  /** The sum over the files of one `ingest`. Default: no limit. */
  readonly maxIngestBytes?: number;
}

/** Puts limits before a store; `fs` tells the sizes of files to be ingested. */
export function limited(blobs: BlobStore, fs: FileSystem, limits: BlobLimits): BlobStore {
  const { maxBlobBytes, maxIngestBytes = Number.POSITIVE_INFINITY } = limits;
  return {
    findMissing: (digests) => blobs.findMissing(digests),
    read: (digest) => blobs.read(digest),
    write: async (digest, bytes) =>
      bytes.byteLength > maxBlobBytes
        ? err(tooLarge(`blob ${digest}`, bytes.byteLength, maxBlobBytes))
        : blobs.write(digest, bytes),
    ingest: async (requests) => {
      let totalBytes = 0;
      const stats = fs.statMany(requests.map(({ path }) => path));
      for (const [index, { path, expected }] of requests.entries()) {
        const sizeBytes = stats[index]?.sizeBytes ?? 0;
        totalBytes += sizeBytes;
        if (sizeBytes > maxBlobBytes) return err(tooLarge(expected ?? path, sizeBytes, maxBlobBytes));
        if (totalBytes > maxIngestBytes) return err(tooLarge(`the files up to ${path}`, totalBytes, maxIngestBytes));
      }
      return blobs.ingest(requests);
    },
    materialize: (requests) => blobs.materialize(requests),
  };
}

function tooLarge(what: string, sizeBytes: number, maxBytes: number): StoreProblem {
  return problem("blob-too-large", `${what}: ${sizeBytes} bytes are more than the store takes (${maxBytes})`, {
    next: "Leave it out of the task's outputs, or raise the limit.",
  });
}
