/** Which blobs an action result stands on. */
import type { ActionResult, Digest, FlattenOptions, Result, TreeProblem } from "@kahn/core";
import { flattenTree } from "@kahn/core";

/** The blobs that a result names itself: files, trees, stdout and stderr. What is in the trees is not among them. */
export function namedDigests(result: ActionResult): Digest[] {
  const digests = result.outputFiles.map((file) => file.digest);
  for (const directory of result.outputDirectories) digests.push(directory.tree);
  if (result.stdout !== undefined) digests.push(result.stdout);
  if (result.stderr !== undefined) digests.push(result.stderr);
  return digests;
}

/** The files of an encoded `Tree`. */
export function treeFileDigests(tree: Uint8Array, options: FlattenOptions): Result<Digest[], TreeProblem> {
  const flat = flattenTree(tree, options);
  if (!flat.ok) return flat;
  const digests = new Set<Digest>();
  for (const entry of flat.value.entries) if (entry.kind === "file") digests.add(entry.digest);
  return { ok: true, value: [...digests] };
}
