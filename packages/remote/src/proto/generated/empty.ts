// Written by tools/protos.mjs from google/protobuf/empty.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `google.protobuf.Empty` */
export interface Empty {
}
export const Empty: Codec<Empty> = /* @__PURE__ */ codec("google.protobuf.Empty", writeEmpty, readEmpty);

export function writeEmpty(_writer: WireWriter, _message: Init<Empty>): void {
}

export function readEmpty(reader: WireReader): Empty {
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    reader.skip();
  }
  return {};
}
