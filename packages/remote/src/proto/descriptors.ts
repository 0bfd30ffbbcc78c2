/**
 * What the reflection service tells: the descriptors of every .proto file in `sources`.
 *
 * Note: loaded when first asked for, also in a bundle of one file.
 */
import { inflateRawSync } from "node:zlib";
import { WireReader } from "./wire-reader.ts";

/** One .proto file of a `FileDescriptorSet`. */
export interface DescriptorFile {
  /** As other files import it. */
  readonly name: string;
  /** The serialized `FileDescriptorProto`. */
  readonly bytes: Uint8Array;
  /** Names of the files that it imports. */
  readonly dependencies: readonly string[];
  /** Full names of the services in it. */
  readonly services: readonly string[];
  /** Full names of all it declares: messages, their fields, enums, services, methods. */
  readonly symbols: readonly string[];
}

/** The serialized `FileDescriptorSet` of all files; each before those that import it. */
export async function descriptorSet(): Promise<Uint8Array> {
  const { DESCRIPTOR_SET } = await import("./generated/descriptors.ts");
  return inflateRawSync(Buffer.from(DESCRIPTOR_SET, "base64"));
}

/**
 * The files of a serialized `FileDescriptorSet`, in its order.
 *
 * @throws DecodeError for bytes that are none.
 */
export function descriptorFiles(set: Uint8Array): readonly DescriptorFile[] {
  const files: DescriptorFile[] = [];
  const reader = new WireReader(set);
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === FILE) files.push(fileOf(reader.bytes("file")));
    else reader.skip();
  }
  return files;
}

// Tags of descriptor.proto: field number times eight plus 2 for everything that has a length.
const FILE = 10;
const NAME = 10;
const FILE_PACKAGE = 18;
const FILE_DEPENDENCY = 26;
const FILE_MESSAGE = 34;
const FILE_ENUM = 42;
const FILE_SERVICE = 50;
const FILE_EXTENSION = 58;
const MESSAGE_FIELD = 18;
const MESSAGE_NESTED = 26;
const MESSAGE_ENUM = 34;
const SERVICE_METHOD = 18;

/** Which fields of a declaration are declarations in its scope, and which fields those have in turn. */
type Scope = ReadonlyMap<number, Scope>;

const LEAF: Scope = new Map();
const SERVICE: Scope = new Map([[SERVICE_METHOD, LEAF]]);
const MESSAGE = new Map<number, Scope>([
  [MESSAGE_FIELD, LEAF],
  [MESSAGE_ENUM, LEAF],
]);
MESSAGE.set(MESSAGE_NESTED, MESSAGE);

function fileOf(bytes: Uint8Array): DescriptorFile {
  let name = "";
  let scope = "";
  const dependencies: string[] = [];
  const symbols: string[] = [];
  const services: string[] = [];
  const reader = new WireReader(bytes);
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === NAME) name = reader.string("name");
    else if (tag === FILE_PACKAGE) scope = reader.string("package");
    else if (tag === FILE_DEPENDENCY) dependencies.push(reader.string("dependency"));
    else if (tag === FILE_MESSAGE) symbols.push(...declared(reader.bytes("message_type"), MESSAGE));
    else if (tag === FILE_ENUM) symbols.push(...declared(reader.bytes("enum_type"), LEAF));
    else if (tag === FILE_EXTENSION) symbols.push(...declared(reader.bytes("extension"), LEAF));
    else if (tag === FILE_SERVICE) {
      const names = declared(reader.bytes("service"), SERVICE);
      services.push(names[0]!);
      symbols.push(...names);
    } else reader.skip();
  }
  const full = (symbol: string) => (scope === "" ? symbol : `${scope}.${symbol}`);
  return { name, bytes, dependencies, services: services.map(full), symbols: symbols.map(full) };
}

/** The name of a declaration, and below it those of all that it declares. */
function declared(bytes: Uint8Array, scope: Scope): string[] {
  let name = "";
  const inner: string[] = [];
  const reader = new WireReader(bytes);
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    const nested = scope.get(tag);
    if (tag === NAME) name = reader.string("name");
    else if (nested !== undefined) inner.push(...declared(reader.bytes("declaration"), nested));
    else reader.skip();
  }
  return [name, ...inner.map((each) => `${name}.${each}`)];
}
