/**
 * A blob store whose every answer is checked, for stores that do not check themselves.
 *
 * Invariant: bytes that come out have the digest that was asked for; bytes that do not are treated as missing, and a
 *            file made of them is removed. Bytes that go in are checked before they are sent.
 * Cost:      hashes each blob once more; not needed around the disk store.
 */
import type {
  BlobStore,
  Digest,
  FileSystem,
  MaterializeOutcome,
  MaterializeRequest,
  Result,
  StoreProblem,
} from "@kahn/core";
import { digestFunction, err, ok, problem } from "@kahn/core";
import { loadEngine } from "./hasher.ts";
import { storeResult } from "./internal/store-problem.ts";

/** Checks what goes in and out of `blobs`; `fs` reads the files that it makes. */
export function verified(blobs: BlobStore, fs: FileSystem): BlobStore {
  return {
    findMissing: (digests) => blobs.findMissing(digests),
    ingest: (requests) => blobs.ingest(requests),
    read: async (digest) => {
      const found = await blobs.read(digest);
      if (!found.ok || found.value === undefined) return found;
      return ok((await hasDigest(found.value, digest)) ? found.value : undefined);
    },
    write: async (digest, bytes) => {
      if (await hasDigest(bytes, digest)) return blobs.write(digest, bytes);
      return err(problem("blob-mismatch", `bytes that were to be stored as ${digest} are not that`));
    },
    materialize: async (requests) => {
      const made = await blobs.materialize(requests);
      return made.ok ? checkFiles(fs, requests, made.value) : made;
    },
  };
}

async function hasDigest(bytes: Uint8Array, digest: Digest): Promise<boolean> {
  const engine = await loadEngine(digestFunction(digest));
  return engine.digest(bytes) === digest;
}

function checkFiles(
  fs: FileSystem,
  requests: readonly MaterializeRequest[],
  outcomes: readonly MaterializeOutcome[],
): Promise<Result<MaterializeOutcome[], StoreProblem>> {
  return storeResult(async () => {
    const checked = [...outcomes];
    for (const [index, { digest, path }] of requests.entries()) {
      if (outcomes[index] !== "done") continue;
      const bytes = fs.readFile(path);
      if (bytes !== undefined && (await hasDigest(bytes, digest))) continue;
      fs.remove(path);
      checked[index] = "corrupt";
    }
    return checked;
  });
}
