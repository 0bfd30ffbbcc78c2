/**
 * Action results as protobuf JSON, both ways: camel case, 64-bit numbers as texts, bytes in base64, times as texts.
 *
 * Note:   reading is lenient as the mapping asks: field names also as in the .proto file, numbers also as texts, unknown
 *         fields passed over, `null` as absent. Writing leaves out what has its default value.
 * Source: protobuf's "ProtoJSON format".
 */
import type { Init } from "../../proto/codec.ts";
import { ActionResult } from "../../proto/generated/remote-execution.ts";
import { HttpRefusal } from "../exchange/http-refusal.ts";
import { durationText, durationValue, timestampText, timestampValue } from "./protobuf-time.ts";

/** What a field holds. A function: a message of that shape. A list of one: repeated. */
type Kind =
  | "string"
  | "bool"
  | "int32"
  | "int64"
  | "bytes"
  | "timestamp"
  | "duration"
  | "uint32-value"
  | Shape
  | readonly [Kind];
interface Shape {
  readonly [field: string]: Kind;
}

const DIGEST: Shape = { hash: "string", sizeBytes: "int64" };
const PROPERTIES: Shape = {
  properties: [{ name: "string", value: "string" }],
  mtime: "timestamp",
  unixMode: "uint32-value",
};
const SYMLINK: Shape = { path: "string", target: "string", nodeProperties: PROPERTIES };
const ACTION_RESULT: Shape = {
  outputFiles: [
    { path: "string", digest: DIGEST, isExecutable: "bool", contents: "bytes", nodeProperties: PROPERTIES },
  ],
  outputDirectories: [
    { path: "string", treeDigest: DIGEST, isTopologicallySorted: "bool", rootDirectoryDigest: DIGEST },
  ],
  exitCode: "int32",
  stdoutRaw: "bytes",
  stdoutDigest: DIGEST,
  stderrRaw: "bytes",
  stderrDigest: DIGEST,
  executionMetadata: {
    worker: "string",
    queuedTimestamp: "timestamp",
    workerStartTimestamp: "timestamp",
    workerCompletedTimestamp: "timestamp",
    inputFetchStartTimestamp: "timestamp",
    inputFetchCompletedTimestamp: "timestamp",
    executionStartTimestamp: "timestamp",
    executionCompletedTimestamp: "timestamp",
    outputUploadStartTimestamp: "timestamp",
    outputUploadCompletedTimestamp: "timestamp",
    // `auxiliaryMetadata` is not here: what its `Any`s hold has no JSON without the descriptor of its type.
    virtualExecutionDuration: "duration",
  },
  outputFileSymlinks: [SYMLINK],
  outputDirectorySymlinks: [SYMLINK],
  outputSymlinks: [SYMLINK],
};

/** The JSON of an encoded action result, which has been decoded before. */
export function actionResultToJson(bytes: Uint8Array): unknown {
  return messageToJson(ACTION_RESULT, ActionResult.decode(bytes));
}

/** The encoded action result in a JSON object. @throws HttpRefusal that names the field which is wrong. */
export function actionResultFromJson(json: Readonly<Record<string, unknown>>): Uint8Array {
  return ActionResult.encode(messageFromJson(ACTION_RESULT, json, "") as Init<ActionResult>);
}

function messageToJson(shape: Shape, message: object): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const [field, kind] of Object.entries(shape)) {
    const value = valueToJson(kind, (message as Record<string, unknown>)[field]);
    if (value !== undefined) json[field] = value;
  }
  return json;
}

/** `undefined` for a default value. */
function valueToJson(kind: Kind, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (isList(kind)) {
    const list = (value as readonly unknown[]).map((each) => valueToJson(kind[0], each) ?? {});
    return list.length === 0 ? undefined : list;
  }
  if (typeof kind === "object") return messageToJson(kind, value as object);
  switch (kind) {
    case "string":
      return value === "" ? undefined : value;
    case "bool":
      return value === false ? undefined : value;
    case "int32":
      return value === 0 ? undefined : value;
    case "int64":
      // Clients that map it to a field that must be there get it also when it is 0.
      return String(value);
    case "bytes":
      return (value as Uint8Array).byteLength === 0 ? undefined : Buffer.from(value as Uint8Array).toString("base64");
    case "timestamp":
      return timestampText(value as { readonly seconds: number; readonly nanos: number });
    case "duration":
      return durationText(value as { readonly seconds: number; readonly nanos: number });
    case "uint32-value":
      return (value as { readonly value: number }).value;
  }
}

function messageFromJson(shape: Shape, json: Readonly<Record<string, unknown>>, path: string): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(json)) {
    const field = Object.hasOwn(shape, name) ? name : camelCase(name);
    if (value === null || !Object.hasOwn(shape, field)) continue;
    message[field] = valueFromJson(shape[field]!, value, path === "" ? field : `${path}.${field}`);
  }
  return message;
}

function valueFromJson(kind: Kind, value: unknown, path: string): unknown {
  if (isList(kind)) {
    if (!Array.isArray(value)) throw wrong(path, "a list");
    return value.map((each, index) => valueFromJson(kind[0], each, `${path}[${index}]`));
  }
  if (typeof kind === "object") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(path, "an object");
    return messageFromJson(kind, value as Record<string, unknown>, path);
  }
  switch (kind) {
    case "string":
      if (typeof value !== "string") throw wrong(path, "a text");
      return value;
    case "bool":
      if (typeof value !== "boolean") throw wrong(path, "true or false");
      return value;
    case "int32":
      return numberFromJson(value, path, { min: -0x8000_0000, max: 0x7fff_ffff });
    case "int64":
      return numberFromJson(value, path, { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    case "uint32-value":
      return { value: numberFromJson(value, path, { min: 0, max: 0xffff_ffff }) };
    case "bytes":
      if (typeof value !== "string" || !/^[\w+/-]*={0,2}$/.test(value)) throw wrong(path, "base64");
      return Buffer.from(value, "base64");
    case "timestamp":
      return timestampValue(value) ?? fail(path, "a time such as 2024-01-31T12:00:00.5Z");
    case "duration":
      return durationValue(value) ?? fail(path, "a duration such as 1.5s");
  }
}

function numberFromJson(
  value: unknown,
  path: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const number = typeof value === "string" && /^-?\d{1,19}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number) || number < min || number > max) {
    throw wrong(path, `a whole number from ${min} to ${max}`);
  }
  return number;
}

function isList(kind: Kind): kind is readonly [Kind] {
  return Array.isArray(kind);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function wrong(path: string, expected: string): HttpRefusal {
  return new HttpRefusal("malformed", `the field ${path} of the action result is not ${expected}`);
}

function fail(path: string, expected: string): never {
  throw wrong(path, expected);
}
