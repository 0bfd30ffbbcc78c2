// Written by tools/protos.mjs from google/protobuf/duration.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `google.protobuf.Duration` */
export interface Duration {
  readonly seconds: number;
  readonly nanos: number;
}
export const Duration: Codec<Duration> = /* @__PURE__ */ codec("google.protobuf.Duration", writeDuration, readDuration);

export function writeDuration(writer: WireWriter, message: Init<Duration>): void {
  if (message.nanos) writer.int32(16, message.nanos);
  if (message.seconds) writer.int64(8, message.seconds);
}

export function readDuration(reader: WireReader): Duration {
  let seconds: number = 0;
  let nanos: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        seconds = reader.int64("seconds");
        break;
      case 16:
        nanos = reader.int32("nanos");
        break;
      default:
        reader.skip();
    }
  }
  return { seconds, nanos };
}
