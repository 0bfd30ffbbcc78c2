/**
 * Messages for the checks, by protobufjs, from descriptors that protoc made: no code of the server's codec takes part.
 *
 * Invariant: answers have the shapes of `proto/generated` (types only), except that oneofs are flat.
 */
import { inflateRawSync } from "node:zlib";
import protobuf from "protobufjs";
import "protobufjs/ext/descriptor.js";
import { DESCRIPTOR_SET } from "../proto/generated/descriptors.ts";

const root = protobuf.Root.fromDescriptor(inflateRawSync(Buffer.from(DESCRIPTOR_SET, "base64")) as never);

const SHAPE = { longs: Number, bytes: Buffer, defaults: true } as const;

/** One method of a service, with both directions of its messages. */
export interface WireMethod {
  readonly path: string;
  encode(request: object): Buffer;
  decode(bytes: Uint8Array): unknown;
}

/** Finds a method by `package.Service/Method`. */
export function wireMethod(name: string): WireMethod {
  const [service = "", method = ""] = name.split("/");
  const found = root.lookupService(service).methods[method]!;
  found.resolve();
  return {
    path: `/${name}`,
    encode: (request) => encoded(found.resolvedRequestType!, request),
    decode: (bytes) => decoded(found.resolvedResponseType!, bytes),
  };
}

/** The bytes of a message of REAPI, such as `Action`. */
export function encodeMessage(type: string, message: object): Buffer {
  return encoded(root.lookupType(`build.bazel.remote.execution.v2.${type}`), message);
}

/** Reads a message of any package by its full name. @throws Error for bytes that are none. */
export function decodeMessage(fullName: string, bytes: Uint8Array): unknown {
  return decoded(root.lookupType(fullName), bytes);
}

/** Reads an `Any` if it is of this type. */
export function unpackedAny(
  fullName: string,
  any: { readonly typeUrl: string; readonly value: Uint8Array } | undefined,
): unknown {
  if (any === undefined || any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1) !== fullName) return undefined;
  return decodeMessage(fullName, any.value);
}

function encoded(type: protobuf.Type, message: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(message as Record<string, unknown>)).finish());
}

function decoded(type: protobuf.Type, bytes: Uint8Array): unknown {
  return withoutNulls(type.toObject(type.decode(bytes), SHAPE));
}

/** protobufjs has `null` for messages that are not there; nothing else of its is `null`. */
function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutNulls(each)]));
}
