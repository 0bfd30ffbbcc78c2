// Written by tools/protos.mjs from google/bytestream/bytestream.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { NO_BYTES, type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `google.bytestream.ReadRequest` */
export interface ReadRequest {
  readonly resourceName: string;
  readonly readOffset: number;
  readonly readLimit: number;
}
export const ReadRequest: Codec<ReadRequest> = /* @__PURE__ */ codec("google.bytestream.ReadRequest", writeReadRequest, readReadRequest);

export function writeReadRequest(writer: WireWriter, message: Init<ReadRequest>): void {
  if (message.readLimit) writer.int64(24, message.readLimit);
  if (message.readOffset) writer.int64(16, message.readOffset);
  if (message.resourceName) writer.string(10, message.resourceName);
}

export function readReadRequest(reader: WireReader): ReadRequest {
  let resourceName = "";
  let readOffset: number = 0;
  let readLimit: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        resourceName = reader.string("resource_name");
        break;
      case 16:
        readOffset = reader.int64("read_offset");
        break;
      case 24:
        readLimit = reader.int64("read_limit");
        break;
      default:
        reader.skip();
    }
  }
  return { resourceName, readOffset, readLimit };
}

/** `google.bytestream.ReadResponse` */
export interface ReadResponse {
  readonly data: Uint8Array;
}
export const ReadResponse: Codec<ReadResponse> = /* @__PURE__ */ codec("google.bytestream.ReadResponse", writeReadResponse, readReadResponse);

export function writeReadResponse(writer: WireWriter, message: Init<ReadResponse>): void {
  if (message.data !== undefined && message.data.length > 0) writer.bytes(82, message.data);
}

export function readReadResponse(reader: WireReader): ReadResponse {
  let data: Uint8Array = NO_BYTES;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 82:
        data = reader.bytes("data");
        break;
      default:
        reader.skip();
    }
  }
  return { data };
}

/** `google.bytestream.WriteRequest` */
export interface WriteRequest {
  readonly resourceName: string;
  readonly writeOffset: number;
  readonly finishWrite: boolean;
  readonly data: Uint8Array;
}
export const WriteRequest: Codec<WriteRequest> = /* @__PURE__ */ codec("google.bytestream.WriteRequest", writeWriteRequest, readWriteRequest);

export function writeWriteRequest(writer: WireWriter, message: Init<WriteRequest>): void {
  if (message.data !== undefined && message.data.length > 0) writer.bytes(82, message.data);
  if (message.finishWrite) writer.bool(24, message.finishWrite);
  if (message.writeOffset) writer.int64(16, message.writeOffset);
  if (message.resourceName) writer.string(10, message.resourceName);
}

export function readWriteRequest(reader: WireReader): WriteRequest {
  let resourceName = "";
  let writeOffset: number = 0;
  let finishWrite = false;
  let data: Uint8Array = NO_BYTES;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        resourceName = reader.string("resource_name");
        break;
      case 16:
        writeOffset = reader.int64("write_offset");
        break;
      case 24:
        finishWrite = reader.bool("finish_write");
        break;
      case 82:
        data = reader.bytes("data");
        break;
      default:
        reader.skip();
    }
  }
  return { resourceName, writeOffset, finishWrite, data };
}

/** `google.bytestream.WriteResponse` */
export interface WriteResponse {
  readonly committedSize: number;
}
export const WriteResponse: Codec<WriteResponse> = /* @__PURE__ */ codec("google.bytestream.WriteResponse", writeWriteResponse, readWriteResponse);

export function writeWriteResponse(writer: WireWriter, message: Init<WriteResponse>): void {
  if (message.committedSize) writer.int64(8, message.committedSize);
}

export function readWriteResponse(reader: WireReader): WriteResponse {
  let committedSize: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        committedSize = reader.int64("committed_size");
        break;
      default:
        reader.skip();
    }
  }
  return { committedSize };
}

/** `google.bytestream.QueryWriteStatusRequest` */
export interface QueryWriteStatusRequest {
  readonly resourceName: string;
}
export const QueryWriteStatusRequest: Codec<QueryWriteStatusRequest> = /* @__PURE__ */ codec("google.bytestream.QueryWriteStatusRequest", writeQueryWriteStatusRequest, readQueryWriteStatusRequest);

export function writeQueryWriteStatusRequest(writer: WireWriter, message: Init<QueryWriteStatusRequest>): void {
  if (message.resourceName) writer.string(10, message.resourceName);
}

export function readQueryWriteStatusRequest(reader: WireReader): QueryWriteStatusRequest {
  let resourceName = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        resourceName = reader.string("resource_name");
        break;
      default:
        reader.skip();
    }
  }
  return { resourceName };
}

/** `google.bytestream.QueryWriteStatusResponse` */
export interface QueryWriteStatusResponse {
  readonly committedSize: number;
  readonly complete: boolean;
}
export const QueryWriteStatusResponse: Codec<QueryWriteStatusResponse> = /* @__PURE__ */ codec("google.bytestream.QueryWriteStatusResponse", writeQueryWriteStatusResponse, readQueryWriteStatusResponse);

export function writeQueryWriteStatusResponse(writer: WireWriter, message: Init<QueryWriteStatusResponse>): void {
  if (message.complete) writer.bool(16, message.complete);
  if (message.committedSize) writer.int64(8, message.committedSize);
}

export function readQueryWriteStatusResponse(reader: WireReader): QueryWriteStatusResponse {
  let committedSize: number = 0;
  let complete = false;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        committedSize = reader.int64("committed_size");
        break;
      case 16:
        complete = reader.bool("complete");
        break;
      default:
        reader.skip();
    }
  }
  return { committedSize, complete };
}

/** Methods of `google.bytestream.ByteStream`; each is a `Method` of ../codec.ts. */
export const ByteStreamMethods = {
  read: {
    path: "/google.bytestream.ByteStream/Read",
    request: ReadRequest,
    response: ReadResponse,
    requestStream: false,
    responseStream: true,
  },
  write: {
    path: "/google.bytestream.ByteStream/Write",
    request: WriteRequest,
    response: WriteResponse,
    requestStream: true,
    responseStream: false,
  },
  queryWriteStatus: {
    path: "/google.bytestream.ByteStream/QueryWriteStatus",
    request: QueryWriteStatusRequest,
    response: QueryWriteStatusResponse,
    requestStream: false,
    responseStream: false,
  },
} as const;
