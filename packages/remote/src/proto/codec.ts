/**
 * What a generated message type is at run time: a name, and both directions.
 *
 * Note: `encode` writes no field that has its default value, and the fields in the order of their numbers, as the
 *       protobuf libraries of the REAPI clients do. Messages whose bytes are hashed are nevertheless `@kahn/core`'s
 *       business: it also sorts what must be sorted.
 */
import { DecodeError } from "./decode-error.ts";
import { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

/**
 * A message as one may write it down: what is left out has its default value, at every level. Every decoded message
 * is one as well.
 */
export type Init<T> = T extends string | number | boolean | Uint8Array | undefined
  ? T
  : T extends readonly (infer Element)[]
    ? readonly Init<Element>[]
    : T extends ReadonlyMap<infer Key, infer Value>
      ? ReadonlyMap<Key, Init<Value>>
      : T extends OneOf<infer Kind, infer Value>
        ? OneOf<Kind, Init<Value>>
        : { readonly [Key in keyof T]?: Init<T[Key]> | undefined };

/** One arm of a `oneof`: `kind` is the field's name in camel case. */
export interface OneOf<Kind extends string, Value> {
  readonly kind: Kind;
  readonly value: Value;
}

/** One message type. Compare `typeName`s, not codecs. */
export interface Codec<T> {
  /** Full name, for example `build.bazel.remote.execution.v2.Digest`. */
  readonly typeName: string;
  /**
   * The message's bytes, which are the caller's.
   *
   * @throws InvariantError for a number that its field cannot hold.
   */
  encode(message: Init<T>): Uint8Array;
  /**
   * The message's bytes in parts, without a copy of large `bytes` fields: those are parts themselves, so they must not
   * change until the parts are sent. For messages that hold blobs.
   */
  encodeParts(message: Init<T>): readonly Uint8Array[];
  /**
   * The message in these bytes. Its `bytes` fields are views into them: see `wire-reader.ts`.
   *
   * @throws DecodeError for bytes that are no such message; nothing else.
   */
  decode(bytes: Uint8Array): T;
}

/** One method of a service. */
export interface Method<Request, Response> {
  /** The path of its HTTP/2 requests, for example `/google.bytestream.ByteStream/Read`. */
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  /** True when the client sends any number of requests. */
  readonly requestStream: boolean;
  /** True when the server sends any number of responses. */
  readonly responseStream: boolean;
}

/** Makes a codec of what the generator wrote. */
export function codec<T>(
  typeName: string,
  write: (writer: WireWriter, message: Init<T>) => void,
  read: (reader: WireReader) => T,
): Codec<T> {
  return {
    typeName,
    encode: (message) => {
      shared.reset(false);
      write(shared, message);
      return shared.take();
    },
    encodeParts: (message) => {
      shared.reset(true);
      write(shared, message);
      return shared.takeParts();
    },
    decode: (bytes) => {
      try {
        return read(new WireReader(bytes));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        throw new DecodeError({ typeName, path: error.path, reason: error.reason });
      }
    },
  };
}

// One buffer serves every call: encoding is synchronous and nothing here calls back into an encoder.
const shared = new WireWriter();
