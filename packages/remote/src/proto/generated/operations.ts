// Written by tools/protos.mjs from google/longrunning/operations.proto. Do not edit.
import type { Codec, Init, OneOf } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";
import { Any, readAny, writeAny } from "./any.ts";
import { Duration, readDuration, writeDuration } from "./duration.ts";
import { Empty } from "./empty.ts";
import { Status, readStatus, writeStatus } from "./status.ts";

/** `google.longrunning.Operation` */
export interface Operation {
  readonly name: string;
  readonly metadata: Any | undefined;
  readonly done: boolean;
  readonly result: OneOf<"error", Status> | OneOf<"response", Any> | undefined;
}
export const Operation: Codec<Operation> = /* @__PURE__ */ codec("google.longrunning.Operation", writeOperation, readOperation);

export function writeOperation(writer: WireWriter, message: Init<Operation>): void {
  if (message.result?.kind === "response") {
    const length = writer.length;
    writeAny(writer, message.result.value);
    writer.close(42, length);
  }
  if (message.result?.kind === "error") {
    const length = writer.length;
    writeStatus(writer, message.result.value);
    writer.close(34, length);
  }
  if (message.done) writer.bool(24, message.done);
  if (message.metadata !== undefined) {
    const length = writer.length;
    writeAny(writer, message.metadata);
    writer.close(18, length);
  }
  if (message.name) writer.string(10, message.name);
}

export function readOperation(reader: WireReader): Operation {
  let name = "";
  let metadata: Any | undefined;
  let done = false;
  let result: OneOf<"error", Status> | OneOf<"response", Any> | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        {
          const outer = reader.enter("metadata");
          metadata = readAny(reader);
          reader.leave(outer);
        }
        break;
      case 24:
        done = reader.bool("done");
        break;
      case 34:
        {
          const outer = reader.enter("error");
          result = { kind: "error", value: readStatus(reader) };
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("response");
          result = { kind: "response", value: readAny(reader) };
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { name, metadata, done, result };
}

/** `google.longrunning.GetOperationRequest` */
export interface GetOperationRequest {
  readonly name: string;
}
export const GetOperationRequest: Codec<GetOperationRequest> = /* @__PURE__ */ codec("google.longrunning.GetOperationRequest", writeGetOperationRequest, readGetOperationRequest);

export function writeGetOperationRequest(writer: WireWriter, message: Init<GetOperationRequest>): void {
  if (message.name) writer.string(10, message.name);
}

export function readGetOperationRequest(reader: WireReader): GetOperationRequest {
  let name = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      default:
        reader.skip();
    }
  }
  return { name };
}

/** `google.longrunning.ListOperationsRequest` */
export interface ListOperationsRequest {
  readonly filter: string;
  readonly pageSize: number;
  readonly pageToken: string;
  readonly name: string;
  readonly returnPartialSuccess: boolean;
}
export const ListOperationsRequest: Codec<ListOperationsRequest> = /* @__PURE__ */ codec("google.longrunning.ListOperationsRequest", writeListOperationsRequest, readListOperationsRequest);

export function writeListOperationsRequest(writer: WireWriter, message: Init<ListOperationsRequest>): void {
  if (message.returnPartialSuccess) writer.bool(40, message.returnPartialSuccess);
  if (message.name) writer.string(34, message.name);
  if (message.pageToken) writer.string(26, message.pageToken);
  if (message.pageSize) writer.int32(16, message.pageSize);
  if (message.filter) writer.string(10, message.filter);
}

export function readListOperationsRequest(reader: WireReader): ListOperationsRequest {
  let filter = "";
  let pageSize: number = 0;
  let pageToken = "";
  let name = "";
  let returnPartialSuccess = false;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        filter = reader.string("filter");
        break;
      case 16:
        pageSize = reader.int32("page_size");
        break;
      case 26:
        pageToken = reader.string("page_token");
        break;
      case 34:
        name = reader.string("name");
        break;
      case 40:
        returnPartialSuccess = reader.bool("return_partial_success");
        break;
      default:
        reader.skip();
    }
  }
  return { filter, pageSize, pageToken, name, returnPartialSuccess };
}

/** `google.longrunning.ListOperationsResponse` */
export interface ListOperationsResponse {
  readonly operations: readonly Operation[];
  readonly nextPageToken: string;
  readonly unreachable: readonly string[];
}
export const ListOperationsResponse: Codec<ListOperationsResponse> = /* @__PURE__ */ codec("google.longrunning.ListOperationsResponse", writeListOperationsResponse, readListOperationsResponse);

export function writeListOperationsResponse(writer: WireWriter, message: Init<ListOperationsResponse>): void {
  if (message.unreachable !== undefined) for (let index = message.unreachable.length - 1; index >= 0; index--) writer.string(26, message.unreachable[index]!);
  if (message.nextPageToken) writer.string(18, message.nextPageToken);
  if (message.operations !== undefined) for (let index = message.operations.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeOperation(writer, message.operations[index]!);
    writer.close(10, length);
  }
}

export function readListOperationsResponse(reader: WireReader): ListOperationsResponse {
  const operations: Operation[] = [];
  let nextPageToken = "";
  const unreachable: string[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("operations");
          operations.push(readOperation(reader));
          reader.leave(outer);
        }
        break;
      case 18:
        nextPageToken = reader.string("next_page_token");
        break;
      case 26:
        unreachable.push(reader.string("unreachable"));
        break;
      default:
        reader.skip();
    }
  }
  return { operations, nextPageToken, unreachable };
}

/** `google.longrunning.CancelOperationRequest` */
export interface CancelOperationRequest {
  readonly name: string;
}
export const CancelOperationRequest: Codec<CancelOperationRequest> = /* @__PURE__ */ codec("google.longrunning.CancelOperationRequest", writeCancelOperationRequest, readCancelOperationRequest);

export function writeCancelOperationRequest(writer: WireWriter, message: Init<CancelOperationRequest>): void {
  if (message.name) writer.string(10, message.name);
}

export function readCancelOperationRequest(reader: WireReader): CancelOperationRequest {
  let name = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      default:
        reader.skip();
    }
  }
  return { name };
}

/** `google.longrunning.DeleteOperationRequest` */
export interface DeleteOperationRequest {
  readonly name: string;
}
export const DeleteOperationRequest: Codec<DeleteOperationRequest> = /* @__PURE__ */ codec("google.longrunning.DeleteOperationRequest", writeDeleteOperationRequest, readDeleteOperationRequest);

export function writeDeleteOperationRequest(writer: WireWriter, message: Init<DeleteOperationRequest>): void {
  if (message.name) writer.string(10, message.name);
}

export function readDeleteOperationRequest(reader: WireReader): DeleteOperationRequest {
  let name = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      default:
        reader.skip();
    }
  }
  return { name };
}

/** `google.longrunning.WaitOperationRequest` */
export interface WaitOperationRequest {
  readonly name: string;
  readonly timeout: Duration | undefined;
}
export const WaitOperationRequest: Codec<WaitOperationRequest> = /* @__PURE__ */ codec("google.longrunning.WaitOperationRequest", writeWaitOperationRequest, readWaitOperationRequest);

export function writeWaitOperationRequest(writer: WireWriter, message: Init<WaitOperationRequest>): void {
  if (message.timeout !== undefined) {
    const length = writer.length;
    writeDuration(writer, message.timeout);
    writer.close(18, length);
  }
  if (message.name) writer.string(10, message.name);
}

export function readWaitOperationRequest(reader: WireReader): WaitOperationRequest {
  let name = "";
  let timeout: Duration | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        {
          const outer = reader.enter("timeout");
          timeout = readDuration(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { name, timeout };
}

/** `google.longrunning.OperationInfo` */
export interface OperationInfo {
  readonly responseType: string;
  readonly metadataType: string;
}
export const OperationInfo: Codec<OperationInfo> = /* @__PURE__ */ codec("google.longrunning.OperationInfo", writeOperationInfo, readOperationInfo);

export function writeOperationInfo(writer: WireWriter, message: Init<OperationInfo>): void {
  if (message.metadataType) writer.string(18, message.metadataType);
  if (message.responseType) writer.string(10, message.responseType);
}

export function readOperationInfo(reader: WireReader): OperationInfo {
  let responseType = "";
  let metadataType = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        responseType = reader.string("response_type");
        break;
      case 18:
        metadataType = reader.string("metadata_type");
        break;
      default:
        reader.skip();
    }
  }
  return { responseType, metadataType };
}

/** Methods of `google.longrunning.Operations`; each is a `Method` of ../codec.ts. */
export const OperationsMethods = {
  listOperations: {
    path: "/google.longrunning.Operations/ListOperations",
    request: ListOperationsRequest,
    response: ListOperationsResponse,
    requestStream: false,
    responseStream: false,
  },
  getOperation: {
    path: "/google.longrunning.Operations/GetOperation",
    request: GetOperationRequest,
    response: Operation,
    requestStream: false,
    responseStream: false,
  },
  deleteOperation: {
    path: "/google.longrunning.Operations/DeleteOperation",
    request: DeleteOperationRequest,
    response: Empty,
    requestStream: false,
    responseStream: false,
  },
  cancelOperation: {
    path: "/google.longrunning.Operations/CancelOperation",
    request: CancelOperationRequest,
    response: Empty,
    requestStream: false,
    responseStream: false,
  },
  waitOperation: {
    path: "/google.longrunning.Operations/WaitOperation",
    request: WaitOperationRequest,
    response: Operation,
    requestStream: false,
    responseStream: false,
  },
} as const;
