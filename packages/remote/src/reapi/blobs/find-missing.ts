/**
 * FindMissingBlobs: what clients ask most, of ten thousand blobs at once.
 *
 * Method:    the digests of a request are read into a list, without a text for each, and those that are missing are answered
 *            with the bytes that asked for them: a digest has the same field in both messages.
 * Invariant: a request that cannot be read so is decoded and answered as any other.
 */
import { digestAt } from "@kahn/core";
import type { CallContext, EncodedMessage, Registration } from "../../grpc/index.ts";
import { decoded, methodOf, RAW_BYTES, RAW_PARTS, serve } from "../../grpc/index.ts";
import type { PlainDigests } from "../../names/plain-digests.ts";
import { plainDigests, plainFieldBytes } from "../../names/plain-digests.ts";
import { digestMessage } from "../../names/request-digest.ts";
import {
  FindMissingBlobsRequest,
  FindMissingBlobsResponse,
  ContentAddressableStorageMethods as Methods,
} from "../../proto/generated/remote-execution.ts";
import { stored } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { allDigests, permitted, servedDigest } from "../requests/service-context.ts";

/** The method. */
export function findMissingMethod(context: ServiceContext): Registration {
  const method = { ...methodOf("unary", Methods.findMissingBlobs), request: RAW_BYTES, response: RAW_PARTS };
  return serve(method, async (message, call) => {
    const plain = plainDigests(message);
    return plain === undefined
      ? await answerMessage(context, call, message)
      : await answerPlain({ context, call, message, plain });
  });
}

async function answerMessage(context: ServiceContext, call: CallContext, message: Uint8Array): Promise<EncodedMessage> {
  const request = decoded(FindMissingBlobsRequest, message);
  permitted(context, call, { what: "cas.read", instance: request.instanceName });
  const digests = allDigests(context, request.blobDigests, request.digestFunction);
  const missing = stored(await context.store.blobs.findMissing(digests));
  return FindMissingBlobsResponse.encode({ missingBlobDigests: missing.map(digestMessage) });
}

interface PlainQuestion {
  readonly context: ServiceContext;
  readonly call: CallContext;
  readonly message: Uint8Array;
  readonly plain: PlainDigests;
}

async function answerPlain({ context, call, message, plain }: PlainQuestion): Promise<EncodedMessage> {
  const { instanceName, list, starts } = plain;
  permitted(context, call, { what: "cas.read", instance: instanceName });
  // One function per request.
  servedDigest(context, digestAt(list, 0));
  const missing = stored(await context.store.blobs.findMissingIn(list));
  return joinedFields(
    message,
    missing.map((at) => starts[at]!),
  );
}

/** Fields of digests, of which those side by side are copied together. */
function joinedFields(message: Uint8Array, starts: readonly number[]): Uint8Array {
  const runs: { from: number; to: number }[] = [];
  let sizeBytes = 0;
  for (const from of starts) {
    const to = from + plainFieldBytes(message, from);
    sizeBytes += to - from;
    const last = runs.at(-1);
    if (last?.to === from) last.to = to;
    else runs.push({ from, to });
  }
  const joined = Buffer.allocUnsafe(sizeBytes);
  let filled = 0;
  for (const { from, to } of runs) {
    joined.set(message.subarray(from, to), filled);
    filled += to - from;
  }
  return joined;
}
