/**
 * The size of an action of which only the hash is known.
 *
 * Method: an `Action` is small, so all its possible sizes are asked for in one call; only the right one is not missing.
 */
import type { Digest, DigestFunction, Problem, Result } from "@kahn/core";
import { digestOfParts, digestSizeBytes, err, ok } from "@kahn/core";
import { remoteProblem } from "../client/calls/call-trouble.ts";
import type { RemoteServer } from "../client/calls/remote-server.ts";
import { methodOf } from "../grpc/index.ts";
import { digestFunctionNumber } from "../names/digest-function.ts";
import { digestMessage } from "../names/request-digest.ts";
import { ContentAddressableStorageMethods } from "../proto/generated/remote-execution.ts";

const FIND_MISSING = methodOf("unary", ContentAddressableStorageMethods.findMissingBlobs);

/** Two digests, a timeout, a salt and some properties: no client makes a larger one. About 300 KiB of request. */
const SIZE_BYTES_MAX = 4096;

/** The digests of this hash that a server has. More than one: it does not compare sizes, so nothing is known. */
export async function findActionDigests(
  server: RemoteServer,
  fn: DigestFunction,
  hash: string,
): Promise<Result<readonly Digest[], Problem>> {
  const features = await server.features();
  if (!features.ok) return err(remoteProblem(server, features.problem));
  const possible: Digest[] = [];
  for (let sizeBytes = 1; sizeBytes <= SIZE_BYTES_MAX; sizeBytes++) {
    const digest = digestOfParts(fn, hash, sizeBytes);
    if (digest !== undefined) possible.push(digest);
  }
  const answer = await server.unary(FIND_MISSING, {
    instanceName: server.instance,
    blobDigests: possible.map(digestMessage),
    digestFunction: digestFunctionNumber(fn),
  });
  if (!answer.ok) return err(remoteProblem(server, answer.problem));
  const missing = new Set(answer.value.missingBlobDigests.map(({ sizeBytes }) => sizeBytes));
  return ok(possible.filter((digest) => !missing.has(digestSizeBytes(digest))));
}
