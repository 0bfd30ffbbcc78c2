// Written by tools/protos.mjs from google/protobuf/wrappers.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { NO_BYTES, type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `google.protobuf.DoubleValue` */
export interface DoubleValue {
  readonly value: number;
}
export const DoubleValue: Codec<DoubleValue> = /* @__PURE__ */ codec("google.protobuf.DoubleValue", writeDoubleValue, readDoubleValue);

export function writeDoubleValue(writer: WireWriter, message: Init<DoubleValue>): void {
  if (message.value !== undefined && !Object.is(message.value, 0)) writer.double(9, message.value);
}

export function readDoubleValue(reader: WireReader): DoubleValue {
  let value: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 9:
        value = reader.double("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.FloatValue` */
export interface FloatValue {
  readonly value: number;
}
export const FloatValue: Codec<FloatValue> = /* @__PURE__ */ codec("google.protobuf.FloatValue", writeFloatValue, readFloatValue);

export function writeFloatValue(writer: WireWriter, message: Init<FloatValue>): void {
  if (message.value !== undefined && !Object.is(message.value, 0)) writer.float(13, message.value);
}

export function readFloatValue(reader: WireReader): FloatValue {
  let value: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 13:
        value = reader.float("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.Int64Value` */
export interface Int64Value {
  readonly value: number;
}
export const Int64Value: Codec<Int64Value> = /* @__PURE__ */ codec("google.protobuf.Int64Value", writeInt64Value, readInt64Value);

export function writeInt64Value(writer: WireWriter, message: Init<Int64Value>): void {
  if (message.value) writer.int64(8, message.value);
}

export function readInt64Value(reader: WireReader): Int64Value {
  let value: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        value = reader.int64("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.UInt64Value` */
export interface UInt64Value {
  readonly value: number;
}
export const UInt64Value: Codec<UInt64Value> = /* @__PURE__ */ codec("google.protobuf.UInt64Value", writeUInt64Value, readUInt64Value);

export function writeUInt64Value(writer: WireWriter, message: Init<UInt64Value>): void {
  if (message.value) writer.uint64(8, message.value);
}

export function readUInt64Value(reader: WireReader): UInt64Value {
  let value: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        value = reader.uint64("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.Int32Value` */
export interface Int32Value {
  readonly value: number;
}
export const Int32Value: Codec<Int32Value> = /* @__PURE__ */ codec("google.protobuf.Int32Value", writeInt32Value, readInt32Value);

export function writeInt32Value(writer: WireWriter, message: Init<Int32Value>): void {
  if (message.value) writer.int32(8, message.value);
}

export function readInt32Value(reader: WireReader): Int32Value {
  let value: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        value = reader.int32("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.UInt32Value` */
export interface UInt32Value {
  readonly value: number;
}
export const UInt32Value: Codec<UInt32Value> = /* @__PURE__ */ codec("google.protobuf.UInt32Value", writeUInt32Value, readUInt32Value);

export function writeUInt32Value(writer: WireWriter, message: Init<UInt32Value>): void {
  if (message.value) writer.uint32(8, message.value);
}

export function readUInt32Value(reader: WireReader): UInt32Value {
  let value: number = 0;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        value = reader.uint32("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.BoolValue` */
export interface BoolValue {
  readonly value: boolean;
}
export const BoolValue: Codec<BoolValue> = /* @__PURE__ */ codec("google.protobuf.BoolValue", writeBoolValue, readBoolValue);

export function writeBoolValue(writer: WireWriter, message: Init<BoolValue>): void {
  if (message.value) writer.bool(8, message.value);
}

export function readBoolValue(reader: WireReader): BoolValue {
  let value = false;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        value = reader.bool("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.StringValue` */
export interface StringValue {
  readonly value: string;
}
export const StringValue: Codec<StringValue> = /* @__PURE__ */ codec("google.protobuf.StringValue", writeStringValue, readStringValue);

export function writeStringValue(writer: WireWriter, message: Init<StringValue>): void {
  if (message.value) writer.string(10, message.value);
}

export function readStringValue(reader: WireReader): StringValue {
  let value = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        value = reader.string("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}

/** `google.protobuf.BytesValue` */
export interface BytesValue {
  readonly value: Uint8Array;
}
export const BytesValue: Codec<BytesValue> = /* @__PURE__ */ codec("google.protobuf.BytesValue", writeBytesValue, readBytesValue);

export function writeBytesValue(writer: WireWriter, message: Init<BytesValue>): void {
  if (message.value !== undefined && message.value.length > 0) writer.bytes(10, message.value);
}

export function readBytesValue(reader: WireReader): BytesValue {
  let value: Uint8Array = NO_BYTES;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        value = reader.bytes("value");
        break;
      default:
        reader.skip();
    }
  }
  return { value };
}
