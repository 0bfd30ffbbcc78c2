/** All blobs that a result stands on, those in its trees too. */
import type { ActionResult, Digest } from "@kahn/core";
import { digestFunction, readMessage, TREE_MAX_BYTES } from "@kahn/core";
import { namedDigests, treeFileDigests } from "../result-digests.ts";
import type { ResidentBlobs } from "./resident-blobs.ts";

/** Their digests, each once; `undefined` when a tree is missing, too large, or none. */
export async function blobsOfResult(result: ActionResult, blobs: ResidentBlobs): Promise<Digest[] | undefined> {
  const digests = new Set(namedDigests(result));
  for (const { tree } of result.outputDirectories) {
    const message = await readMessage(blobs, tree, TREE_MAX_BYTES);
    if (!message.ok || message.value.kind !== "bytes") return undefined;
    const { engine } = await blobs.shelf(digestFunction(tree));
    const files = treeFileDigests(message.value.bytes, { fn: engine.fn, digest: engine.digest });
    if (!files.ok) return undefined;
    for (const digest of files.value) digests.add(digest);
  }
  return [...digests];
}
