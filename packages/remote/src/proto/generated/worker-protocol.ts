// Written by tools/protos.mjs from src/main/protobuf/worker_protocol.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { NO_BYTES, type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `blaze.worker.Input` */
export interface Input {
  readonly path: string;
  readonly digest: Uint8Array;
}
export const Input: Codec<Input> = /* @__PURE__ */ codec("blaze.worker.Input", writeInput, readInput);

export function writeInput(writer: WireWriter, message: Init<Input>): void {
  if (message.digest !== undefined && message.digest.length > 0) writer.bytes(18, message.digest);
  if (message.path) writer.string(10, message.path);
}

export function readInput(reader: WireReader): Input {
  let path = "";
  let digest: Uint8Array = NO_BYTES;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        path = reader.string("path");
        break;
      case 18:
        digest = reader.bytes("digest");
        break;
      default:
        reader.skip();
    }
  }
  return { path, digest };
}

/** `blaze.worker.WorkRequest` */
export interface WorkRequest {
  readonly arguments: readonly string[];
  readonly inputs: readonly Input[];
  readonly requestId: number;
  readonly cancel: boolean;
  readonly verbosity: number;
  readonly sandboxDir: string;
}
export const WorkRequest: Codec<WorkRequest> = /* @__PURE__ */ codec("blaze.worker.WorkRequest", writeWorkRequest, readWorkRequest);

export function writeWorkRequest(writer: WireWriter, message: Init<WorkRequest>): void {
  if (message.sandboxDir) writer.string(50, message.sandboxDir);
  if (message.verbosity) writer.int32(40, message.verbosity);
  if (message.cancel) writer.bool(32, message.cancel);
  if (message.requestId) writer.int32(24, message.requestId);
  if (message.inputs !== undefined) for (let index = message.inputs.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeInput(writer, message.inputs[index]!);
    writer.close(18, length);
  }
  if (message.arguments !== undefined) for (let index = message.arguments.length - 1; index >= 0; index--) writer.string(10, message.arguments[index]!);
}

export function readWorkRequest(reader: WireReader): WorkRequest {
  const arguments_: string[] = [];
  const inputs: Input[] = [];
  let requestId: number = 0;
  let cancel = false;
  let verbosity: number = 0;
  let sandboxDir = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        arguments_.push(reader.string("arguments"));
        break;
      case 18:
        {
          const outer = reader.enter("inputs");
          inputs.push(readInput(reader));
          reader.leave(outer);
        }
        break;
      case 24:
        requestId = reader.int32("request_id");
        break;
      case 32:
        cancel = reader.bool("cancel");
        break;
      case 40:
        verbosity = reader.int32("verbosity");
        break;
      case 50:
        sandboxDir = reader.string("sandbox_dir");
        break;
      default:
        reader.skip();
    }
  }
  return { arguments: arguments_, inputs, requestId, cancel, verbosity, sandboxDir };
}

/** `blaze.worker.WorkResponse` */
export interface WorkResponse {
  readonly exitCode: number;
  readonly output: string;
  readonly requestId: number;
  readonly wasCancelled: boolean;
}
export const WorkResponse: Codec<WorkResponse> = /* @__PURE__ */ codec("blaze.worker.WorkResponse", writeWorkResponse, readWorkResponse);

export function writeWorkResponse(writer: WireWriter, message: Init<WorkResponse>): void {
  if (message.wasCancelled) writer.bool(32, message.wasCancelled);
  if (message.requestId) writer.int32(24, message.requestId);
  if (message.output) writer.string(18, message.output);
  if (message.exitCode) writer.int32(8, message.exitCode);
}

export function readWorkResponse(reader: WireReader): WorkResponse {
  let exitCode: number = 0;
  let output = "";
  let requestId: number = 0;
  let wasCancelled = false;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        exitCode = reader.int32("exit_code");
        break;
      case 18:
        output = reader.string("output");
        break;
      case 24:
        requestId = reader.int32("request_id");
        break;
      case 32:
        wasCancelled = reader.bool("was_cancelled");
        break;
      default:
        reader.skip();
    }
  }
  return { exitCode, output, requestId, wasCancelled };
}
