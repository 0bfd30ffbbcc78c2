/** A server's store as the rest of Kahn knows stores. */
import type { BlobStore, Result, StoreProblem } from "@kahn/core";
import { err } from "@kahn/core";
import type { ServerStore, ServerStoreProblem } from "./server-store.ts";

/** The same store; a limit that is reached is a store that is full. */
export function blobStoreOf({ blobs, files }: Pick<ServerStore, "blobs" | "files">): BlobStore {
  return {
    findMissing: async (digests) => plain(await blobs.findMissing(digests)),
    read: async (digest) => plain(await blobs.read(digest)),
    write: async (digest, bytes) => plain(await blobs.write(digest, bytes)),
    ingest: (requests) => files.ingest(requests),
    materialize: (requests) => files.materialize(requests),
  };
}

function plain<T>(result: Result<T, ServerStoreProblem>): Result<T, StoreProblem> {
  if (result.ok) return result;
  const { problem: found } = result;
  return err(found.code === "store-limit" ? { ...found, code: "store-full" } : (found as StoreProblem));
}
