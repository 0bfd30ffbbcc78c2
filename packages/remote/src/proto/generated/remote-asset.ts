// Written by tools/protos.mjs from build/bazel/remote/asset/v1/remote_asset.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";
import { Duration, readDuration, writeDuration } from "./duration.ts";
import { Digest, DigestFunctionValue, readDigest, writeDigest } from "./remote-execution.ts";
import { Status, readStatus, writeStatus } from "./status.ts";
import { Timestamp, readTimestamp, writeTimestamp } from "./timestamp.ts";

/** `build.bazel.remote.asset.v1.Qualifier` */
export interface Qualifier {
  readonly name: string;
  readonly value: string;
}
export const Qualifier: Codec<Qualifier> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.Qualifier", writeQualifier, readQualifier);

export function writeQualifier(writer: WireWriter, message: Init<Qualifier>): void {
  if (message.value) writer.string(18, message.value);
  if (message.name) writer.string(10, message.name);
}

export function readQualifier(reader: WireReader): Qualifier {
  let name = "";
  let value = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        value = reader.string("value");
        break;
      default:
        reader.skip();
    }
  }
  return { name, value };
}

/** `build.bazel.remote.asset.v1.FetchBlobRequest` */
export interface FetchBlobRequest {
  readonly instanceName: string;
  readonly timeout: Duration | undefined;
  readonly oldestContentAccepted: Timestamp | undefined;
  readonly uris: readonly string[];
  readonly qualifiers: readonly Qualifier[];
  readonly digestFunction: DigestFunctionValue;
}
export const FetchBlobRequest: Codec<FetchBlobRequest> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.FetchBlobRequest", writeFetchBlobRequest, readFetchBlobRequest);

export function writeFetchBlobRequest(writer: WireWriter, message: Init<FetchBlobRequest>): void {
  if (message.digestFunction) writer.int32(48, message.digestFunction);
  if (message.qualifiers !== undefined) for (let index = message.qualifiers.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeQualifier(writer, message.qualifiers[index]!);
    writer.close(42, length);
  }
  if (message.uris !== undefined) for (let index = message.uris.length - 1; index >= 0; index--) writer.string(34, message.uris[index]!);
  if (message.oldestContentAccepted !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.oldestContentAccepted);
    writer.close(26, length);
  }
  if (message.timeout !== undefined) {
    const length = writer.length;
    writeDuration(writer, message.timeout);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readFetchBlobRequest(reader: WireReader): FetchBlobRequest {
  let instanceName = "";
  let timeout: Duration | undefined;
  let oldestContentAccepted: Timestamp | undefined;
  const uris: string[] = [];
  const qualifiers: Qualifier[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("timeout");
          timeout = readDuration(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("oldest_content_accepted");
          oldestContentAccepted = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        uris.push(reader.string("uris"));
        break;
      case 42:
        {
          const outer = reader.enter("qualifiers");
          qualifiers.push(readQualifier(reader));
          reader.leave(outer);
        }
        break;
      case 48:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, timeout, oldestContentAccepted, uris, qualifiers, digestFunction };
}

/** `build.bazel.remote.asset.v1.FetchBlobResponse` */
export interface FetchBlobResponse {
  readonly status: Status | undefined;
  readonly uri: string;
  readonly qualifiers: readonly Qualifier[];
  readonly expiresAt: Timestamp | undefined;
  readonly blobDigest: Digest | undefined;
  readonly digestFunction: DigestFunctionValue;
}
export const FetchBlobResponse: Codec<FetchBlobResponse> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.FetchBlobResponse", writeFetchBlobResponse, readFetchBlobResponse);

export function writeFetchBlobResponse(writer: WireWriter, message: Init<FetchBlobResponse>): void {
  if (message.digestFunction) writer.int32(48, message.digestFunction);
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(42, length);
  }
  if (message.expiresAt !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.expiresAt);
    writer.close(34, length);
  }
  if (message.qualifiers !== undefined) for (let index = message.qualifiers.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeQualifier(writer, message.qualifiers[index]!);
    writer.close(26, length);
  }
  if (message.uri) writer.string(18, message.uri);
  if (message.status !== undefined) {
    const length = writer.length;
    writeStatus(writer, message.status);
    writer.close(10, length);
  }
}

export function readFetchBlobResponse(reader: WireReader): FetchBlobResponse {
  let status: Status | undefined;
  let uri = "";
  const qualifiers: Qualifier[] = [];
  let expiresAt: Timestamp | undefined;
  let blobDigest: Digest | undefined;
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("status");
          status = readStatus(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        uri = reader.string("uri");
        break;
      case 26:
        {
          const outer = reader.enter("qualifiers");
          qualifiers.push(readQualifier(reader));
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("expires_at");
          expiresAt = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 48:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { status, uri, qualifiers, expiresAt, blobDigest, digestFunction };
}

/** `build.bazel.remote.asset.v1.FetchDirectoryRequest` */
export interface FetchDirectoryRequest {
  readonly instanceName: string;
  readonly timeout: Duration | undefined;
  readonly oldestContentAccepted: Timestamp | undefined;
  readonly uris: readonly string[];
  readonly qualifiers: readonly Qualifier[];
  readonly digestFunction: DigestFunctionValue;
}
export const FetchDirectoryRequest: Codec<FetchDirectoryRequest> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.FetchDirectoryRequest", writeFetchDirectoryRequest, readFetchDirectoryRequest);

export function writeFetchDirectoryRequest(writer: WireWriter, message: Init<FetchDirectoryRequest>): void {
  if (message.digestFunction) writer.int32(48, message.digestFunction);
  if (message.qualifiers !== undefined) for (let index = message.qualifiers.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeQualifier(writer, message.qualifiers[index]!);
    writer.close(42, length);
  }
  if (message.uris !== undefined) for (let index = message.uris.length - 1; index >= 0; index--) writer.string(34, message.uris[index]!);
  if (message.oldestContentAccepted !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.oldestContentAccepted);
    writer.close(26, length);
  }
  if (message.timeout !== undefined) {
    const length = writer.length;
    writeDuration(writer, message.timeout);
    writer.close(18, length);
  }
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readFetchDirectoryRequest(reader: WireReader): FetchDirectoryRequest {
  let instanceName = "";
  let timeout: Duration | undefined;
  let oldestContentAccepted: Timestamp | undefined;
  const uris: string[] = [];
  const qualifiers: Qualifier[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        {
          const outer = reader.enter("timeout");
          timeout = readDuration(reader);
          reader.leave(outer);
        }
        break;
      case 26:
        {
          const outer = reader.enter("oldest_content_accepted");
          oldestContentAccepted = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 34:
        uris.push(reader.string("uris"));
        break;
      case 42:
        {
          const outer = reader.enter("qualifiers");
          qualifiers.push(readQualifier(reader));
          reader.leave(outer);
        }
        break;
      case 48:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, timeout, oldestContentAccepted, uris, qualifiers, digestFunction };
}

/** `build.bazel.remote.asset.v1.FetchDirectoryResponse` */
export interface FetchDirectoryResponse {
  readonly status: Status | undefined;
  readonly uri: string;
  readonly qualifiers: readonly Qualifier[];
  readonly expiresAt: Timestamp | undefined;
  readonly rootDirectoryDigest: Digest | undefined;
  readonly digestFunction: DigestFunctionValue;
}
export const FetchDirectoryResponse: Codec<FetchDirectoryResponse> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.FetchDirectoryResponse", writeFetchDirectoryResponse, readFetchDirectoryResponse);

export function writeFetchDirectoryResponse(writer: WireWriter, message: Init<FetchDirectoryResponse>): void {
  if (message.digestFunction) writer.int32(48, message.digestFunction);
  if (message.rootDirectoryDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.rootDirectoryDigest);
    writer.close(42, length);
  }
  if (message.expiresAt !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.expiresAt);
    writer.close(34, length);
  }
  if (message.qualifiers !== undefined) for (let index = message.qualifiers.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeQualifier(writer, message.qualifiers[index]!);
    writer.close(26, length);
  }
  if (message.uri) writer.string(18, message.uri);
  if (message.status !== undefined) {
    const length = writer.length;
    writeStatus(writer, message.status);
    writer.close(10, length);
  }
}

export function readFetchDirectoryResponse(reader: WireReader): FetchDirectoryResponse {
  let status: Status | undefined;
  let uri = "";
  const qualifiers: Qualifier[] = [];
  let expiresAt: Timestamp | undefined;
  let rootDirectoryDigest: Digest | undefined;
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("status");
          status = readStatus(reader);
          reader.leave(outer);
        }
        break;
      case 18:
        uri = reader.string("uri");
        break;
      case 26:
        {
          const outer = reader.enter("qualifiers");
          qualifiers.push(readQualifier(reader));
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("expires_at");
          expiresAt = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("root_directory_digest");
          rootDirectoryDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 48:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { status, uri, qualifiers, expiresAt, rootDirectoryDigest, digestFunction };
}

/** `build.bazel.remote.asset.v1.PushBlobRequest` */
export interface PushBlobRequest {
  readonly instanceName: string;
  readonly uris: readonly string[];
  readonly qualifiers: readonly Qualifier[];
  readonly expireAt: Timestamp | undefined;
  readonly blobDigest: Digest | undefined;
  readonly referencesBlobs: readonly Digest[];
  readonly referencesDirectories: readonly Digest[];
  readonly digestFunction: DigestFunctionValue;
}
export const PushBlobRequest: Codec<PushBlobRequest> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.PushBlobRequest", writePushBlobRequest, readPushBlobRequest);

export function writePushBlobRequest(writer: WireWriter, message: Init<PushBlobRequest>): void {
  if (message.digestFunction) writer.int32(64, message.digestFunction);
  if (message.referencesDirectories !== undefined) for (let index = message.referencesDirectories.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.referencesDirectories[index]!);
    writer.close(58, length);
  }
  if (message.referencesBlobs !== undefined) for (let index = message.referencesBlobs.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.referencesBlobs[index]!);
    writer.close(50, length);
  }
  if (message.blobDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.blobDigest);
    writer.close(42, length);
  }
  if (message.expireAt !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.expireAt);
    writer.close(34, length);
  }
  if (message.qualifiers !== undefined) for (let index = message.qualifiers.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeQualifier(writer, message.qualifiers[index]!);
    writer.close(26, length);
  }
  if (message.uris !== undefined) for (let index = message.uris.length - 1; index >= 0; index--) writer.string(18, message.uris[index]!);
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readPushBlobRequest(reader: WireReader): PushBlobRequest {
  let instanceName = "";
  const uris: string[] = [];
  const qualifiers: Qualifier[] = [];
  let expireAt: Timestamp | undefined;
  let blobDigest: Digest | undefined;
  const referencesBlobs: Digest[] = [];
  const referencesDirectories: Digest[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        uris.push(reader.string("uris"));
        break;
      case 26:
        {
          const outer = reader.enter("qualifiers");
          qualifiers.push(readQualifier(reader));
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("expire_at");
          expireAt = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("blob_digest");
          blobDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 50:
        {
          const outer = reader.enter("references_blobs");
          referencesBlobs.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 58:
        {
          const outer = reader.enter("references_directories");
          referencesDirectories.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 64:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, uris, qualifiers, expireAt, blobDigest, referencesBlobs, referencesDirectories, digestFunction };
}

/** `build.bazel.remote.asset.v1.PushBlobResponse` */
export interface PushBlobResponse {
}
export const PushBlobResponse: Codec<PushBlobResponse> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.PushBlobResponse", writePushBlobResponse, readPushBlobResponse);

export function writePushBlobResponse(_writer: WireWriter, _message: Init<PushBlobResponse>): void {
}

export function readPushBlobResponse(reader: WireReader): PushBlobResponse {
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    reader.skip();
  }
  return {};
}

/** `build.bazel.remote.asset.v1.PushDirectoryRequest` */
export interface PushDirectoryRequest {
  readonly instanceName: string;
  readonly uris: readonly string[];
  readonly qualifiers: readonly Qualifier[];
  readonly expireAt: Timestamp | undefined;
  readonly rootDirectoryDigest: Digest | undefined;
  readonly referencesBlobs: readonly Digest[];
  readonly referencesDirectories: readonly Digest[];
  readonly digestFunction: DigestFunctionValue;
}
export const PushDirectoryRequest: Codec<PushDirectoryRequest> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.PushDirectoryRequest", writePushDirectoryRequest, readPushDirectoryRequest);

export function writePushDirectoryRequest(writer: WireWriter, message: Init<PushDirectoryRequest>): void {
  if (message.digestFunction) writer.int32(64, message.digestFunction);
  if (message.referencesDirectories !== undefined) for (let index = message.referencesDirectories.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.referencesDirectories[index]!);
    writer.close(58, length);
  }
  if (message.referencesBlobs !== undefined) for (let index = message.referencesBlobs.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeDigest(writer, message.referencesBlobs[index]!);
    writer.close(50, length);
  }
  if (message.rootDirectoryDigest !== undefined) {
    const length = writer.length;
    writeDigest(writer, message.rootDirectoryDigest);
    writer.close(42, length);
  }
  if (message.expireAt !== undefined) {
    const length = writer.length;
    writeTimestamp(writer, message.expireAt);
    writer.close(34, length);
  }
  if (message.qualifiers !== undefined) for (let index = message.qualifiers.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeQualifier(writer, message.qualifiers[index]!);
    writer.close(26, length);
  }
  if (message.uris !== undefined) for (let index = message.uris.length - 1; index >= 0; index--) writer.string(18, message.uris[index]!);
  if (message.instanceName) writer.string(10, message.instanceName);
}

export function readPushDirectoryRequest(reader: WireReader): PushDirectoryRequest {
  let instanceName = "";
  const uris: string[] = [];
  const qualifiers: Qualifier[] = [];
  let expireAt: Timestamp | undefined;
  let rootDirectoryDigest: Digest | undefined;
  const referencesBlobs: Digest[] = [];
  const referencesDirectories: Digest[] = [];
  let digestFunction: DigestFunctionValue = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        instanceName = reader.string("instance_name");
        break;
      case 18:
        uris.push(reader.string("uris"));
        break;
      case 26:
        {
          const outer = reader.enter("qualifiers");
          qualifiers.push(readQualifier(reader));
          reader.leave(outer);
        }
        break;
      case 34:
        {
          const outer = reader.enter("expire_at");
          expireAt = readTimestamp(reader);
          reader.leave(outer);
        }
        break;
      case 42:
        {
          const outer = reader.enter("root_directory_digest");
          rootDirectoryDigest = readDigest(reader);
          reader.leave(outer);
        }
        break;
      case 50:
        {
          const outer = reader.enter("references_blobs");
          referencesBlobs.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 58:
        {
          const outer = reader.enter("references_directories");
          referencesDirectories.push(readDigest(reader));
          reader.leave(outer);
        }
        break;
      case 64:
        digestFunction = reader.int32("digest_function");
        break;
      default:
        reader.skip();
    }
  }
  return { instanceName, uris, qualifiers, expireAt, rootDirectoryDigest, referencesBlobs, referencesDirectories, digestFunction };
}

/** `build.bazel.remote.asset.v1.PushDirectoryResponse` */
export interface PushDirectoryResponse {
}
export const PushDirectoryResponse: Codec<PushDirectoryResponse> = /* @__PURE__ */ codec("build.bazel.remote.asset.v1.PushDirectoryResponse", writePushDirectoryResponse, readPushDirectoryResponse);

export function writePushDirectoryResponse(_writer: WireWriter, _message: Init<PushDirectoryResponse>): void {
}

export function readPushDirectoryResponse(reader: WireReader): PushDirectoryResponse {
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    reader.skip();
  }
  return {};
}

/** Methods of `build.bazel.remote.asset.v1.Fetch`; each is a `Method` of ../codec.ts. */
export const FetchMethods = {
  fetchBlob: {
    path: "/build.bazel.remote.asset.v1.Fetch/FetchBlob",
    request: FetchBlobRequest,
    response: FetchBlobResponse,
    requestStream: false,
    responseStream: false,
  },
  fetchDirectory: {
    path: "/build.bazel.remote.asset.v1.Fetch/FetchDirectory",
    request: FetchDirectoryRequest,
    response: FetchDirectoryResponse,
    requestStream: false,
    responseStream: false,
  },
} as const;

/** Methods of `build.bazel.remote.asset.v1.Push`; each is a `Method` of ../codec.ts. */
export const PushMethods = {
  pushBlob: {
    path: "/build.bazel.remote.asset.v1.Push/PushBlob",
    request: PushBlobRequest,
    response: PushBlobResponse,
    requestStream: false,
    responseStream: false,
  },
  pushDirectory: {
    path: "/build.bazel.remote.asset.v1.Push/PushDirectory",
    request: PushDirectoryRequest,
    response: PushDirectoryResponse,
    requestStream: false,
    responseStream: false,
  },
} as const;
