// Written by tools/protos.mjs from build/bazel/remote/logstream/v1/remote_logstream.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `build.bazel.remote.logstream.v1.CreateLogStreamRequest` */
export interface CreateLogStreamRequest {
  readonly parent: string;
}
export const CreateLogStreamRequest: Codec<CreateLogStreamRequest> = /* @__PURE__ */ codec("build.bazel.remote.logstream.v1.CreateLogStreamRequest", writeCreateLogStreamRequest, readCreateLogStreamRequest);

export function writeCreateLogStreamRequest(writer: WireWriter, message: Init<CreateLogStreamRequest>): void {
  if (message.parent) writer.string(10, message.parent);
}

export function readCreateLogStreamRequest(reader: WireReader): CreateLogStreamRequest {
  let parent = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        parent = reader.string("parent");
        break;
      default:
        reader.skip();
    }
  }
  return { parent };
}

/** `build.bazel.remote.logstream.v1.LogStream` */
export interface LogStream {
  readonly name: string;
  readonly writeResourceName: string;
}
export const LogStream: Codec<LogStream> = /* @__PURE__ */ codec("build.bazel.remote.logstream.v1.LogStream", writeLogStream, readLogStream);

export function writeLogStream(writer: WireWriter, message: Init<LogStream>): void {
  if (message.writeResourceName) writer.string(18, message.writeResourceName);
  if (message.name) writer.string(10, message.name);
}

export function readLogStream(reader: WireReader): LogStream {
  let name = "";
  let writeResourceName = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        name = reader.string("name");
        break;
      case 18:
        writeResourceName = reader.string("write_resource_name");
        break;
      default:
        reader.skip();
    }
  }
  return { name, writeResourceName };
}

/** Methods of `build.bazel.remote.logstream.v1.LogStreamService`; each is a `Method` of ../codec.ts. */
export const LogStreamServiceMethods = {
  createLogStream: {
    path: "/build.bazel.remote.logstream.v1.LogStreamService/CreateLogStream",
    request: CreateLogStreamRequest,
    response: LogStream,
    requestStream: false,
    responseStream: false,
  },
} as const;
