// Written by tools/protos.mjs from google/rpc/status.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";
import { Any, readAny, writeAny } from "./any.ts";

/** `google.rpc.Status` */
export interface Status {
  readonly code: number;
  readonly message: string;
  readonly details: readonly Any[];
}
export const Status: Codec<Status> = /* @__PURE__ */ codec("google.rpc.Status", writeStatus, readStatus);

export function writeStatus(writer: WireWriter, message: Init<Status>): void {
  if (message.details !== undefined) for (let index = message.details.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeAny(writer, message.details[index]!);
    writer.close(26, length);
  }
  if (message.message) writer.string(18, message.message);
  if (message.code) writer.int32(8, message.code);
}

export function readStatus(reader: WireReader): Status {
  let code: number = 0;
  let message = "";
  const details: Any[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        code = reader.int32("code");
        break;
      case 18:
        message = reader.string("message");
        break;
      case 26:
        {
          const outer = reader.enter("details");
          details.push(readAny(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { code, message, details };
}
