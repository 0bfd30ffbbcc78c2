/**
 * An action cache that answers "hit" only for results whose blobs are all there.
 *
 * Invariant: every blob of a hit was in the store during the look-up (files inside output trees too) and counts as
 *            used; a result that lacks one is a miss of reason `incomplete` which names what is missing.
 * Cost:      one `findMissing`, and one read for each output directory. A client that restores at once need not ask:
 *            `materialize` says what is missing.
 */
import type { ActionCache, ActionResult, BlobStore, CacheLookup, Digest, Result, StoreProblem } from "@kahn/core";
import { digestFunction, ok, readMessage, TREE_MAX_BYTES } from "@kahn/core";
import { loadEngine } from "./hasher.ts";
import { namedDigests, treeFileDigests } from "./result-digests.ts";

/** Puts the check before a cache. */
export function completenessChecked(actions: ActionCache, blobs: BlobStore): ActionCache {
  return {
    lookup: async (action) => {
      const found = await actions.lookup(action);
      if (!found.ok || found.value.kind === "miss") return found;
      const missing = await missingBlobs(blobs, found.value.result);
      if (!missing.ok) return missing;
      if (missing.value.length === 0) return found;
      return ok<CacheLookup>({ kind: "miss", reason: "incomplete", missing: missing.value });
    },
    record: (action, result) => actions.record(action, result),
    forget: (action) => actions.forget(action),
  };
}

/** Everything a result stands on, and the trees that could not be read or are none. */
export interface ResultBlobs {
  readonly digests: readonly Digest[];
  readonly unreadableTrees: readonly Digest[];
}

/** Names all blobs of a result, reading its trees from the store. */
export async function resultBlobs(
  blobs: Pick<BlobStore, "read">,
  result: ActionResult,
): Promise<Result<ResultBlobs, StoreProblem>> {
  const digests = new Set(namedDigests(result));
  const unreadableTrees: Digest[] = [];
  for (const { tree } of result.outputDirectories) {
    const message = await readMessage(blobs, tree, TREE_MAX_BYTES);
    if (!message.ok) return message;
    const engine = await loadEngine(digestFunction(tree));
    const { value } = message;
    const files = value.kind === "bytes" && treeFileDigests(value.bytes, { fn: engine.fn, digest: engine.digest });
    if (files !== false && files.ok) for (const file of files.value) digests.add(file);
    else unreadableTrees.push(tree);
  }
  return ok({ digests: [...digests], unreadableTrees });
}

/** The blobs of a result that are not in the store. A tree that cannot be read, or is no tree, is missing itself. */
export async function missingBlobs(
  blobs: Pick<BlobStore, "read" | "findMissing">,
  result: ActionResult,
): Promise<Result<Digest[], StoreProblem>> {
  const named = await resultBlobs(blobs, result);
  if (!named.ok) return named;
  const absent = await blobs.findMissing(named.value.digests);
  return absent.ok ? ok([...new Set([...named.value.unreadableTrees, ...absent.value])]) : absent;
}
