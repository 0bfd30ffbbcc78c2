/** A second implementation of every message: protobufjs, fed with the same descriptors, and random messages for both. */
import fc from "fast-check";
import protobuf from "protobufjs";
import "protobufjs/ext/descriptor.js";
import type { Codec } from "./codec.ts";
import { descriptorSet } from "./descriptors.ts";
import * as any from "./generated/any.ts";
import * as bytestream from "./generated/bytestream.ts";
import * as duration from "./generated/duration.ts";
import * as empty from "./generated/empty.ts";
import * as errorDetails from "./generated/error-details.ts";
import * as fieldMask from "./generated/field-mask.ts";
import * as health from "./generated/health.ts";
import * as operations from "./generated/operations.ts";
import * as reflection from "./generated/reflection.ts";
import * as asset from "./generated/remote-asset.ts";
import * as execution from "./generated/remote-execution.ts";
import * as logstream from "./generated/remote-logstream.ts";
import * as semver from "./generated/semver.ts";
import * as status from "./generated/status.ts";
import * as timestamp from "./generated/timestamp.ts";
import * as worker from "./generated/worker-protocol.ts";
import * as wrappers from "./generated/wrappers.ts";

const MODULES: readonly object[] = [
  ...[any, bytestream, duration, empty, errorDetails, fieldMask, health, operations, reflection, asset, execution],
  ...[logstream, semver, status, timestamp, worker, wrappers],
];

/** Every generated codec. */
export const CODECS: readonly Codec<unknown>[] = MODULES.flatMap((module) => Object.values(module)).filter(
  (value): value is Codec<unknown> => typeof value === "object" && value !== null && "typeName" in value,
);

const root = protobuf.Root.fromDescriptor((await descriptorSet()) as never);

/** A message in the form of the oracle: oneofs flat, nothing that has its default value. */
type Plain = { [key: string]: unknown };

/** The oracle's bytes of one of our messages. */
export function oracleBytes(typeName: string, message: unknown): Uint8Array {
  const type = root.lookupType(typeName);
  return type.encode(type.fromObject(plainOf(type, message as Plain))).finish();
}

/** What the oracle reads from bytes, as one of our messages. */
export function oracleMessage(typeName: string, bytes: Uint8Array): unknown {
  const type = root.lookupType(typeName);
  const plain = type.toObject(type.decode(bytes), { longs: Number, bytes: Buffer, defaults: true, oneofs: true });
  return messageOf(type, plain as Plain);
}

/** Random messages of a type, in our form: every field is there. */
export function messages(typeName: string): fc.Arbitrary<unknown> {
  return messageArbitrary(root.lookupType(typeName), 0);
}

const int64 = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(0, -1, 127, 128, 2 ** 31, 2 ** 32, 2 ** 35));
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({ maxLength: 150 }),
  fc.constantFrom("", "a".repeat(127), "é".repeat(64), "0".repeat(128), "x".repeat(129)),
);
const SCALARS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: text,
  bytes: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  bool: fc.boolean(),
  int32: fc.integer(),
  uint32: fc.nat({ max: 0xffff_ffff }),
  int64,
  uint64: int64.map(Math.abs),
  double: fc.double(),
  float: fc.float(),
};

function messageArbitrary(type: protobuf.Type, depth: number): fc.Arbitrary<unknown> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of fieldsOf(type)) {
    const { oneof } = field;
    if (oneof === undefined) members[field.name] = fieldArbitrary(field, depth);
    else members[memberOf(oneof)] ??= fc.option(fc.oneof(...oneof.fieldsArray.map(armOf(depth))), { nil: undefined });
  }
  return fc.record(members, { noNullPrototype: true });
}

function armOf(depth: number) {
  return (field: protobuf.Field) => valueArbitrary(field, depth).map((value) => ({ kind: field.name, value }));
}

function fieldArbitrary(field: protobuf.Field, depth: number): fc.Arbitrary<unknown> {
  const value = valueArbitrary(field, depth);
  const maxLength = depth > 2 ? 1 : 3;
  if (field.map) return fc.array(fc.tuple(text, value), { maxLength }).map(mapOf);
  if (field.repeated) return fc.array(value, { maxLength });
  if (isOptional(field)) return fc.option(value, { nil: undefined });
  return value;
}

/** In the order in which the oracle, which keeps maps as objects, has the keys. */
function mapOf(pairs: readonly (readonly [string, unknown])[]): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(Object.fromEntries(pairs.filter(([key]) => key !== "__proto__"))));
}

function valueArbitrary(field: protobuf.Field, depth: number): fc.Arbitrary<unknown> {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return fc.oneof(fc.nat({ max: 10 }), fc.integer());
  if (resolvedType instanceof protobuf.Type) return messageArbitrary(resolvedType, depth + 1);
  return SCALARS[field.type]!;
}

function fieldsOf(type: protobuf.Type): readonly protobuf.Field[] {
  return type.fieldsArray.map((field) => {
    field.resolve();
    // An `optional` field is in a oneof of its own, which is nobody's business.
    if (field.partOf && !field.options?.proto3_optional) Object.assign(field, { oneof: field.partOf });
    return field;
  });
}

declare module "protobufjs" {
  interface Field {
    oneof?: protobuf.OneOf;
  }
}

/** The oracle leaves the names of oneofs as they are in the .proto file. */
function memberOf(oneof: protobuf.OneOf): string {
  return oneof.name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function isOptional(field: protobuf.Field): boolean {
  return field.resolvedType instanceof protobuf.Type || field.options?.proto3_optional === true;
}

function isDefault(value: unknown): boolean {
  return Object.is(value, 0) || value === "" || value === false || (value instanceof Uint8Array && value.length === 0);
}

function plainOf(type: protobuf.Type, message: Plain): Plain {
  const plain: Plain = {};
  for (const field of fieldsOf(type)) {
    const one = (value: unknown) =>
      field.resolvedType instanceof protobuf.Type ? plainOf(field.resolvedType, value as Plain) : value;
    const { oneof } = field;
    const arm = oneof && (message[memberOf(oneof)] as { kind: string; value: unknown } | undefined);
    const value = oneof ? (arm?.kind === field.name ? arm.value : undefined) : message[field.name];
    if (value === undefined) continue;
    if (value instanceof Map) plain[field.name] = Object.fromEntries([...value].map(([key, each]) => [key, one(each)]));
    else if (Array.isArray(value)) plain[field.name] = value.map(one);
    else if (oneof || isOptional(field) || !isDefault(value)) plain[field.name] = one(value);
  }
  return plain;
}

function messageOf(type: protobuf.Type, plain: Plain): Plain {
  const message: Plain = {};
  for (const field of fieldsOf(type)) {
    const one = (value: unknown) =>
      field.resolvedType instanceof protobuf.Type ? messageOf(field.resolvedType, value as Plain) : value;
    const value = plain[field.name] ?? undefined;
    if (field.oneof) {
      message[memberOf(field.oneof)] ??= undefined;
      if (plain[field.oneof.name] === field.name)
        message[memberOf(field.oneof)] = { kind: field.name, value: one(value) };
    } else if (field.map) {
      message[field.name] = new Map(Object.entries(value as Plain).map(([key, each]) => [key, one(each)]));
    } else if (Array.isArray(value)) message[field.name] = value.map(one);
    else message[field.name] = value === undefined ? undefined : one(value);
  }
  return message;
}
