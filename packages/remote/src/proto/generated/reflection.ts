// Written by tools/protos.mjs from grpc/reflection/v1/reflection.proto. Do not edit.
import type { Codec, Init, OneOf } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `grpc.reflection.v1.ServerReflectionRequest` */
export interface ServerReflectionRequest {
  readonly host: string;
  readonly messageRequest: OneOf<"fileByFilename", string> | OneOf<"fileContainingSymbol", string> | OneOf<"fileContainingExtension", ExtensionRequest> | OneOf<"allExtensionNumbersOfType", string> | OneOf<"listServices", string> | undefined;
}
export const ServerReflectionRequest: Codec<ServerReflectionRequest> = /* @__PURE__ */ codec("grpc.reflection.v1.ServerReflectionRequest", writeServerReflectionRequest, readServerReflectionRequest);

export function writeServerReflectionRequest(writer: WireWriter, message: Init<ServerReflectionRequest>): void {
  if (message.messageRequest?.kind === "listServices") writer.string(58, message.messageRequest.value);
  if (message.messageRequest?.kind === "allExtensionNumbersOfType") writer.string(50, message.messageRequest.value);
  if (message.messageRequest?.kind === "fileContainingExtension") {
    const length = writer.length;
    writeExtensionRequest(writer, message.messageRequest.value);
    writer.close(42, length);
  }
  if (message.messageRequest?.kind === "fileContainingSymbol") writer.string(34, message.messageRequest.value);
  if (message.messageRequest?.kind === "fileByFilename") writer.string(26, message.messageRequest.value);
  if (message.host) writer.string(10, message.host);
}

export function readServerReflectionRequest(reader: WireReader): ServerReflectionRequest {
  let host = "";
  let messageRequest: OneOf<"fileByFilename", string> | OneOf<"fileContainingSymbol", string> | OneOf<"fileContainingExtension", ExtensionRequest> | OneOf<"allExtensionNumbersOfType", string> | OneOf<"listServices", string> | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        host = reader.string("host");
        break;
      case 26:
        messageRequest = { kind: "fileByFilename", value: reader.string("file_by_filename") };
        break;
      case 34:
        messageRequest = { kind: "fileContainingSymbol", value: reader.string("file_containing_symbol") };
        break;
      case 42:
        {
          const outer = reader.enter("file_containing_extension");
          messageRequest = { kind: "fileContainingExtension", value: readExtensionRequest(reader) };
          reader.leave(outer);
        }
        break;
      case 50:
        messageRequest = { kind: "allExtensionNumbersOfType", value: reader.string("all_extension_numbers_of_type") };
        break;
      case 58:
        messageRequest = { kind: "listServices", value: reader.string("list_services") };
        break;
      default:
        reader.skip();
    }
  }
  return { host, messageRequest };
}

/** `grpc.reflection.v1.ExtensionRequest` */
export interface ExtensionRequest {
  readonly containingType: string;
  readonly extensionNumber: number;
}
export const ExtensionRequest: Codec<ExtensionRequest> = /* @__PURE__ */ codec("grpc.reflection.v1.ExtensionRequest", writeExtensionRequest, readExtensionRequest);

export function writeExtensionRequest(writer: WireWriter, message: Init<ExtensionRequest>): void {
  if (message.extensionNumber) writer.int32(16, message.extensionNumber);
  if (message.containingType) writer.string(10, message.containingType);
}

export function readExtensionRequest(reader: WireReader): ExtensionRequest {
  let containingType = "";
  let extensionNumber: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        containingType = reader.string("containing_type");
        break;
      case 16:
        extensionNumber = reader.int32("extension_number");
        break;
      default:
        reader.skip();
    }
  }
  return { containingType, extensionNumber };
}

/** `grpc.reflection.v1.ServerReflectionResponse` */
export interface ServerReflectionResponse {
  readonly validHost: string;
  readonly originalRequest: ServerReflectionRequest | undefined;
  readonly messageResponse: OneOf<"fileDescriptorResponse", FileDescriptorResponse> | OneOf<"allExtensionNumbersResponse", ExtensionNumberResponse> | OneOf<"listServicesResponse", ListServiceResponse> | OneOf<"errorResponse", ErrorResponse> | undefined;
}
export const ServerReflectionResponse: Codec<ServerReflectionResponse> = /* @__PURE__ */ codec("grpc.reflection.v1.ServerReflectionResponse", writeServerReflectionResponse, readServerReflectionResponse);

export function writeServerReflectionResponse(writer: WireWriter, message: Init<ServerReflectionResponse>): void {
  if (message.messageResponse?.kind === "errorResponse") {
    const length = writer.length;
    writeErrorResponse(writer, message.messageResponse.value);
    writer.close(58, length);
  }
  if (message.messageResponse?.kind === "listServicesResponse") {
    const length = writer.length;
    writeListServiceResponse(writer, message.messageResponse.value);
    writer.close(50, length);
  }
  if (message.messageResponse?.kind === "allExtensionNumbersResponse") {
    const length = writer.length;
    writeExtensionNumberResponse(writer, message.messageResponse.value);
    writer.close(42, length);
  }
  if (message.messageResponse?.kind === "fileDescriptorResponse") {
    const length = writer.length;
    writeFileDescriptorResponse(writer, message.messageResponse.value);
    writer.close(34, length);
  }
  if (message.originalRequest !== undefined) {
    const length = writer.length;
    writeServerReflectionRequest(writer, message.originalRequest);
    writer.close(18, length);
  }
  if (message.validHost) writer.string(10, message.validHost);
}

export function readServerReflectionResponse(reader: WireReader): ServerReflectionResponse {
  let validHost = "";
  let originalRequest: ServerReflectionRequest | undefined;
  let messageResponse: OneOf<"fileDescriptorResponse", FileDescriptorResponse> | OneOf<"allExtensionNumbersResponse", ExtensionNumberResponse> | OneOf<"listServicesResponse", ListServiceResponse> | OneOf<"errorResponse", ErrorResponse> | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        validHost = reader.string("valid_host");
        break;
      case 18:
        {
          const outer = reader.enter("original_request");
          originalRequest = readServerReflectionRequest(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("file_descriptor_response");
          messageResponse = { kind: "fileDescriptorResponse", value: readFileDescriptorResponse(reader) };
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("all_extension_numbers_response");
          messageResponse = { kind: "allExtensionNumbersResponse", value: readExtensionNumberResponse(reader) };
          reader.leave(outer);
        }
        break;
      case 50:
        {
          const outer = reader.enter("list_services_response");
          messageResponse = { kind: "listServicesResponse", value: readListServiceResponse(reader) };
          reader.leave(outer);
        }
        break;
      case 58:
        {
          const outer = reader.enter("error_response");
          messageResponse = { kind: "errorResponse", value: readErrorResponse(reader) };
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { validHost, originalRequest, messageResponse };
}

/** `grpc.reflection.v1.FileDescriptorResponse` */
export interface FileDescriptorResponse {
  readonly fileDescriptorProto: readonly Uint8Array[];
}
export const FileDescriptorResponse: Codec<FileDescriptorResponse> = /* @__PURE__ */ codec("grpc.reflection.v1.FileDescriptorResponse", writeFileDescriptorResponse, readFileDescriptorResponse);

export function writeFileDescriptorResponse(writer: WireWriter, message: Init<FileDescriptorResponse>): void {
  if (message.fileDescriptorProto !== undefined) for (let index = message.fileDescriptorProto.length - 1; index >= 0; index--) writer.bytes(10, message.fileDescriptorProto[index]!);
}

export function readFileDescriptorResponse(reader: WireReader): FileDescriptorResponse {
  const fileDescriptorProto: Uint8Array[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        fileDescriptorProto.push(reader.bytes("file_descriptor_proto"));
        break;
      default:
        reader.skip();
    }
  }
  return { fileDescriptorProto };
}

/** `grpc.reflection.v1.ExtensionNumberResponse` */
export interface ExtensionNumberResponse {
  readonly baseTypeName: string;
  readonly extensionNumber: readonly number[];
}
export const ExtensionNumberResponse: Codec<ExtensionNumberResponse> = /* @__PURE__ */ codec("grpc.reflection.v1.ExtensionNumberResponse", writeExtensionNumberResponse, readExtensionNumberResponse);

export function writeExtensionNumberResponse(writer: WireWriter, message: Init<ExtensionNumberResponse>): void {
  if (message.extensionNumber?.length) writer.packed(18, message.extensionNumber);
  if (message.baseTypeName) writer.string(10, message.baseTypeName);
}

export function readExtensionNumberResponse(reader: WireReader): ExtensionNumberResponse {
  let baseTypeName = "";
  const extensionNumber: number[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        baseTypeName = reader.string("base_type_name");
        break;
      case 16:
        extensionNumber.push(reader.int32("extension_number"));
        break;
      case 18:
        reader.packed("extension_number", () => void extensionNumber.push(reader.int32("extension_number")));
        break;
      default:
        reader.skip();
    }
  }
  return { baseTypeName, extensionNumber };
}

/** `grpc.reflection.v1.ListServiceResponse` */
export interface ListServiceResponse {
  readonly service: readonly ServiceResponse[];
}
export const ListServiceResponse: Codec<ListServiceResponse> = /* @__PURE__ */ codec("grpc.reflection.v1.ListServiceResponse", writeListServiceResponse, readListServiceResponse);

export function writeListServiceResponse(writer: WireWriter, message: Init<ListServiceResponse>): void {
  if (message.service !== undefined) for (let index = message.service.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeServiceResponse(writer, message.service[index]!);
    writer.close(10, length);
  }
}

export function readListServiceResponse(reader: WireReader): ListServiceResponse {
  const service: ServiceResponse[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("service");
          service.push(readServiceResponse(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { service };
}

/** `grpc.reflection.v1.ServiceResponse` */
export interface ServiceResponse {
  readonly name: string;
}
export const ServiceResponse: Codec<ServiceResponse> = /* @__PURE__ */ codec("grpc.reflection.v1.ServiceResponse", writeServiceResponse, readServiceResponse);

export function writeServiceResponse(writer: WireWriter, message: Init<ServiceResponse>): void {
  if (message.name) writer.string(10, message.name);
}

export function readServiceResponse(reader: WireReader): ServiceResponse {
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

/** `grpc.reflection.v1.ErrorResponse` */
export interface ErrorResponse {
  readonly errorCode: number;
  readonly errorMessage: string;
}
export const ErrorResponse: Codec<ErrorResponse> = /* @__PURE__ */ codec("grpc.reflection.v1.ErrorResponse", writeErrorResponse, readErrorResponse);

export function writeErrorResponse(writer: WireWriter, message: Init<ErrorResponse>): void {
  if (message.errorMessage) writer.string(18, message.errorMessage);
  if (message.errorCode) writer.int32(8, message.errorCode);
}

export function readErrorResponse(reader: WireReader): ErrorResponse {
  let errorCode: number = 0;
  let errorMessage = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        errorCode = reader.int32("error_code");
        break;
      case 18:
        errorMessage = reader.string("error_message");
        break;
      default:
        reader.skip();
    }
  }
  return { errorCode, errorMessage };
}

/** Methods of `grpc.reflection.v1.ServerReflection`; each is a `Method` of ../codec.ts. */
export const ServerReflectionMethods = {
  serverReflectionInfo: {
    path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    request: ServerReflectionRequest,
    response: ServerReflectionResponse,
    requestStream: true,
    responseStream: true,
  },
} as const;
