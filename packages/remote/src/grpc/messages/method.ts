/**
 * What can be called: a path, a kind, and how its messages are encoded. Shared by server and client.
 */
import { invariant } from "@kahn/core";
import type { EncodedMessage } from "./message-encoding.ts";

/** How many messages go each way. */
export type MethodKind = "unary" | "server-streaming" | "client-streaming" | "bidirectional";

/** Encoding of one message type. `Init` is what may be encoded, where that is more than what decoding gives. */
export interface Codec<T, Init = T> {
  /** The bytes of a message, in parts where its bytes lie about already. */
  encode(message: Init): EncodedMessage;
  /** The message of these bytes, which stay the caller's: copy what is kept. Throws if they are malformed. */
  decode(bytes: Uint8Array): T;
}

/** One method of a service. */
export interface Method<
  Request,
  Response,
  Kind extends MethodKind = MethodKind,
  RequestInit = Request,
  ResponseInit = Response,
> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly kind: Kind;
  readonly request: Codec<Request, RequestInit>;
  readonly response: Codec<Response, ResponseInit>;
}

/** Messages as they are on the wire: for bytes that are stored encoded, and for tests. */
export const RAW_BYTES: Codec<Uint8Array> = { encode: (message) => message, decode: (bytes) => bytes };

/** Like `RAW_BYTES`; what is sent may come in parts. */
export const RAW_PARTS: Codec<Uint8Array, EncodedMessage> = { encode: (message) => message, decode: (bytes) => bytes };

/** A method as generated code describes it. */
export interface DescribedMethod<Request, RequestInit, Response, ResponseInit> {
  readonly path: string;
  readonly request: Codec<Request, RequestInit>;
  readonly response: Codec<Response, ResponseInit>;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/**
 * A described method with its kind in its type. For the hot paths spread it and replace a codec by `RAW_PARTS`.
 *
 * @throws InvariantError if the description is of another kind.
 */
export function methodOf<Kind extends MethodKind, Request, RequestInit, Response, ResponseInit>(
  kind: Kind,
  described: DescribedMethod<Request, RequestInit, Response, ResponseInit>,
): Method<Request, Response, Kind, RequestInit, ResponseInit> {
  const { path, request, response, requestStream, responseStream } = described;
  const isRequestStream = kind === "client-streaming" || kind === "bidirectional";
  const isResponseStream = kind === "server-streaming" || kind === "bidirectional";
  invariant(requestStream === isRequestStream && responseStream === isResponseStream, `${path} is not ${kind}`);
  return { path, kind, request, response };
}
