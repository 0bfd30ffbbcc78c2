/** Codecs of messages on the wire that the generated ones do not have: in parts, or with their bytes. */
import type { Codec as WireCodec } from "../../grpc/index.ts";
import type { Codec, Init } from "../../proto/codec.ts";

/** A message that holds blobs, encoded without a copy of them. */
export function inParts<T>(codec: Codec<T>): WireCodec<T, Init<T>> {
  return { encode: (message) => codec.encodeParts(message), decode: (bytes) => codec.decode(bytes) };
}

/** A message, and the bytes that it came in. */
export interface WithBytes<T> {
  readonly message: T;
  readonly bytes: Uint8Array;
}

/** For messages of which a part is kept as it was sent. */
export function withBytes<T>(codec: Codec<T>): WireCodec<WithBytes<T>, Init<T>> {
  return { encode: (message) => codec.encode(message), decode: (bytes) => ({ message: codec.decode(bytes), bytes }) };
}
