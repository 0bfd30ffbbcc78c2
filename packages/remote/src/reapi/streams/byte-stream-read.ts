/**
 * ByteStream.Read of blobs, plain and compressed.
 *
 * Invariant: offsets count bytes of the blob, also of one that is sent compressed: each piece is a frame of its own.
 */
import { digestSizeBytes } from "@kahn/core";
import type { SendingCall } from "../../grpc/index.ts";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import type { BlobName } from "../../names/resource-name.ts";
import type { Init } from "../../proto/codec.ts";
import type { ReadRequest, ReadResponse } from "../../proto/generated/bytestream.ts";
import { blobNotFound, invalidArgument, soundBytes, stored } from "../requests/refusal.ts";
import type { ServiceContext } from "../requests/service-context.ts";
import { zstdOf } from "../requests/service-context.ts";
import { BlobPieces, type PieceBuffers } from "./blob-pieces.ts";

/** The bytes of a blob that a request wants. */
export interface ReadRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The range of a request.
 *
 * @param sizeBytes of what is read; `undefined` while that grows.
 * @throws StatusError OUT_OF_RANGE, INVALID_ARGUMENT
 */
export function readRange(request: ReadRequest, sizeBytes: number | undefined): ReadRange {
  const { readOffset, readLimit } = request;
  if (readOffset < 0) throw invalidArgument(`read_offset ${readOffset} is negative`);
  if (readLimit < 0) throw outOfRange(`read_limit ${readLimit} is negative`);
  if (sizeBytes !== undefined && readOffset > sizeBytes) {
    throw outOfRange(`read_offset ${readOffset} is behind the end, ${sizeBytes}`);
  }
  const end = sizeBytes ?? Number.POSITIVE_INFINITY;
  return { from: readOffset, to: readLimit === 0 ? end : Math.min(end, readOffset + readLimit) };
}

/** One call. */
export interface BlobRead {
  readonly name: BlobName;
  readonly request: ReadRequest;
  readonly buffers: PieceBuffers;
}

/** Serves a call for a blob. @throws StatusError */
export async function readBlob(
  context: ServiceContext,
  call: SendingCall<Init<ReadResponse>>,
  { name, request, buffers }: BlobRead,
): Promise<void> {
  const isPacked = name.compressor !== "identity";
  if (isPacked && request.readLimit !== 0) throw invalidArgument("read_limit is not possible for a compressed blob");
  const { from, to } = readRange(request, digestSizeBytes(name.digest));
  const reader = stored(await context.store.blobs.open(name.digest));
  if (reader === undefined) throw blobNotFound(name.digest);
  const pieces = new BlobPieces(reader, { from, to, buffers });
  try {
    for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) {
      const bytes = soundBytes(piece.bytes, name.digest);
      if (bytes.length === 0) throw blobNotFound(name.digest);
      if (isPacked) {
        const data = await zstdOf(context).compress(bytes);
        piece.done();
        await call.send({ data });
      } else {
        await call.send({ data: bytes }, piece.done);
      }
    }
  } finally {
    await pieces.close();
  }
}

function outOfRange(message: string): StatusError {
  return new StatusError(StatusCode.outOfRange, message);
}
