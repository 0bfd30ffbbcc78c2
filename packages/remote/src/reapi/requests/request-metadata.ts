/** What clients tell of themselves with each call: tool, invocation, action, target. For logs, metrics and indexes. */
import type { CallContext } from "../../grpc/index.ts";
import { callKey } from "../../grpc/index.ts";
import { DecodeError } from "../../proto/decode-error.ts";
import { RequestMetadata } from "../../proto/generated/remote-execution.ts";

const HEADER = "build.bazel.remote.execution.v2.requestmetadata-bin";
/** Longer ones are not read: nobody has so much to say. */
const BYTES_MAX = 8192;

/** Where a call keeps it once somebody asked. */
const REQUEST_METADATA = callKey<RequestMetadata | "none">("request-metadata");

/** A call's `RequestMetadata`; `undefined` when it has none or one that cannot be read. Decoded when first asked for. */
export function requestMetadata(call: CallContext): RequestMetadata | undefined {
  const known = call.get(REQUEST_METADATA);
  if (known !== undefined) return known === "none" ? undefined : known;
  const decoded = decode(call.metadata.bytes(HEADER)[0]);
  call.set(REQUEST_METADATA, decoded ?? "none");
  return decoded;
}

/** It is a hint: a broken one harms nobody. */
function decode(bytes: Uint8Array | undefined): RequestMetadata | undefined {
  if (bytes === undefined || bytes.length > BYTES_MAX) return undefined;
  try {
    return RequestMetadata.decode(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
