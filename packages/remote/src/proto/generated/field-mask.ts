// Written by tools/protos.mjs from google/protobuf/field_mask.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `google.protobuf.FieldMask` */
export interface FieldMask {
  readonly paths: readonly string[];
}
export const FieldMask: Codec<FieldMask> = /* @__PURE__ */ codec("google.protobuf.FieldMask", writeFieldMask, readFieldMask);

export function writeFieldMask(writer: WireWriter, message: Init<FieldMask>): void {
  if (message.paths !== undefined) for (let index = message.paths.length - 1; index >= 0; index--) writer.string(10, message.paths[index]!);
}

export function readFieldMask(reader: WireReader): FieldMask {
  const paths: string[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        paths.push(reader.string("paths"));
        break;
      default:
        reader.skip();
    }
  }
  return { paths };
}
