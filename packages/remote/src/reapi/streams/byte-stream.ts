/**
 * ByteStream: blobs of any size and logs, read and written by resource names.
 *
 * Owns: which name goes where, and what every name is asked: rights, functions, compressors, the header that repeats it.
 */
import { digestSizeBytes } from "@kahn/core";
import type { CallContext, MessageReader, Registration } from "../../grpc/index.ts";
import { methodOf, StatusCode, StatusError, serve } from "../../grpc/index.ts";
import type { BlobName, UploadName } from "../../names/resource-name.ts";
import { parseReadName, parseWriteName } from "../../names/resource-name.ts";
import {
  ByteStreamMethods,
  type QueryWriteStatusResponse,
  ReadResponse,
  type WriteRequest,
} from "../../proto/generated/bytestream.ts";
import { invalidArgument, stored, wellFormed } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { permitted, servedDigest } from "../requests/service-context.ts";
import { inParts } from "../wire/message-codecs.ts";
import { PieceBuffers } from "./blob-pieces.ts";
import { readBlob } from "./byte-stream-read.ts";
import { writeBlob } from "./byte-stream-write.ts";
import { logWriteStatus, readLog, writeLog } from "./log-stream-calls.ts";
import type { LogStreams } from "./log-streams.ts";
import type { Uploads } from "./uploads.ts";

const NAME_HEADER = "build.bazel.remote.execution.v2.resource-name";

/** The ByteStream service. */
export function byteStreamService(context: ServiceContext, uploads: Uploads, logs: LogStreams): Registration[] {
  const buffers = new PieceBuffers();
  const read = { ...methodOf("server-streaming", ByteStreamMethods.read), response: inParts(ReadResponse) };
  return [
    serve(read, async (request, call) => {
      sameAsHeader(call, request.resourceName);
      const name = wellFormed(parseReadName(request.resourceName));
      permitted(context, call, { what: "cas.read", instance: name.kind === "blob" ? name.instance : name.parent });
      if (name.kind === "log-stream") return await readLog(logs, call, { name, request });
      served(context, name);
      await readBlob(context, call, { name, request, buffers });
    }),
    serve(methodOf("client-streaming", ByteStreamMethods.write), async (requests, call) => {
      const first = await firstOf(requests);
      const { resourceName } = first;
      sameAsHeader(call, resourceName);
      const name = wellFormed(parseWriteName(resourceName));
      permitted(context, call, { what: "cas.write", instance: name.kind === "upload" ? name.instance : name.parent });
      const shared = { resourceName, first, rest: requests };
      if (name.kind === "log-stream") return { committedSize: await writeLog({ logs, name, ...shared }) };
      served(context, name);
      return { committedSize: await writeBlob({ context, uploads, name, ...shared }) };
    }),
    serve(methodOf("unary", ByteStreamMethods.queryWriteStatus), async (request, call) => {
      sameAsHeader(call, request.resourceName);
      const name = wellFormed(parseWriteName(request.resourceName));
      permitted(context, call, { what: "cas.write", instance: name.kind === "upload" ? name.instance : name.parent });
      if (name.kind === "log-stream") return logWriteStatus(logs, name);
      served(context, name);
      return await uploadStatus(context, uploads, name);
    }),
  ];
}

async function firstOf(requests: MessageReader<WriteRequest>): Promise<WriteRequest> {
  const first = (await requests.ready()) ? requests.poll() : undefined;
  if (first === undefined) throw invalidArgument("nothing was written, not even a resource_name");
  return first;
}

/** A blob's size, if it is there; else what is here of the upload. */
async function uploadStatus(
  context: ServiceContext,
  uploads: Uploads,
  name: UploadName,
): Promise<QueryWriteStatusResponse> {
  const missing = stored(await context.store.blobs.findMissing([name.digest]));
  if (missing.length === 0) return { committedSize: digestSizeBytes(name.digest), complete: true };
  const committedSize = uploads.committedBytes(name);
  if (committedSize !== undefined) return { committedSize, complete: false };
  throw new StatusError(StatusCode.notFound, `nothing of the upload ${name.upload} is here; begin at offset 0`);
}

/** A header may repeat the name, for whoever routes by it; it may not name something else. */
function sameAsHeader(call: CallContext, resourceName: string): void {
  const header = call.metadata.text(NAME_HEADER);
  if (header !== undefined && header !== resourceName) {
    throw invalidArgument(`the header ${NAME_HEADER} is not the request's resource_name`);
  }
}

/** @throws StatusError INVALID_ARGUMENT for functions and compressors that the capabilities do not list. */
function served(context: ServiceContext, { digest, compressor }: BlobName | UploadName): void {
  servedDigest(context, digest);
  if (compressor === "identity" || (compressor === "zstd" && context.zstd !== undefined)) return;
  throw invalidArgument(`compressor ${compressor} is not served here`);
}
