/** Where a blob's bytes are, for people who want to see them and for tests that damage them. */
import type { Digest, Result, StoreProblem } from "@kahn/core";
import { digestSizeBytes } from "@kahn/core";
import type { DiskStore } from "./disk-store.ts";
import { contextOf } from "./disk-store.ts";
import { headBytes } from "./internal/pack-format.ts";
import { storeResult } from "./internal/store-problem.ts";

/** A blob's place: its own file, or a part of a pack. */
export interface BlobLocation {
  /** Absolute path. */
  readonly path: string;
  /** Where in the file its bytes begin; 0 in a file of its own. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** The place that a read of the blob would look at first; `undefined` when it is missing. Its bytes are not looked at. */
export function locateBlob(store: DiskStore, digest: Digest): Promise<Result<BlobLocation | undefined, StoreProblem>> {
  const { fs, layout, packs, engines } = contextOf(store);
  return storeResult(async () => {
    const set = packs.of((await engines.forDigests([digest]))(digest));
    const sizeBytes = digestSizeBytes(digest);
    const packed = set.find(digest);
    if (packed !== undefined) {
      return { path: packed.pack.path, offset: packed.record.offset + headBytes(set.ports.hashBytes), sizeBytes };
    }
    for (const path of [layout.blob(digest), layout.blob(digest, true)]) {
      if (fs.lstat(path)?.sizeBytes === sizeBytes) return { path, offset: 0, sizeBytes };
    }
    return undefined;
  });
}
