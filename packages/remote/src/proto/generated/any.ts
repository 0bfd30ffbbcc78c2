// Written by tools/protos.mjs from google/protobuf/any.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { NO_BYTES, type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `google.protobuf.Any` */
export interface Any {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}
export const Any: Codec<Any> = /* @__PURE__ */ codec("google.protobuf.Any", writeAny, readAny);

export function writeAny(writer: WireWriter, message: Init<Any>): void {
  if (message.value !== undefined && message.value.length > 0) writer.bytes(18, message.value);
  if (message.typeUrl) writer.string(10, message.typeUrl);
}

export function readAny(reader: WireReader): Any {
  let typeUrl = "";
  let value: Uint8Array = NO_BYTES;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        typeUrl = reader.string("type_url");
        break;
      case 18:
        value = reader.bytes("value");
        break;
      default:
        reader.skip();
    }
  }
  return { typeUrl, value };
}
