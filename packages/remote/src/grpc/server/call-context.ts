/**
 * What a handler and an interceptor know of the call they serve.
 */

import type { Peer } from "../connection/peer.ts";
import type { MessageReader } from "../messages/message-reader.ts";
import type { Metadata, OutgoingMetadata } from "../messages/metadata.ts";
import type { Method, MethodKind } from "../messages/method.ts";
import type { Status } from "../messages/status.ts";

/** Names a value that interceptors leave at a call for handlers, such as who calls. */
export interface CallKey<T> {
  readonly description: string;
  /** Never set: carries the type. */
  readonly type?: T;
}

/** A key of its own, equal to no other. */
export function callKey<T>(description: string): CallKey<T> {
  return { description };
}

/** One call, as its handler sees it. */
export interface CallContext {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly metadata: Metadata;
  readonly peer: Peer;
  /** Monotonic time of arrival. */
  readonly receivedAtMs: number;
  /** Aborts when the peer cancels or vanishes, and at the deadline. Made when first asked for. */
  readonly signal: AbortSignal;
  /** True once nobody waits for the answer any more. */
  readonly isCancelled: boolean;
  /** Milliseconds until the deadline, not below 0; `undefined` without one. */
  timeLeftMs(): number | undefined;
  /** Metadata to send before the first message; no effect after it. */
  setHeaders(metadata: OutgoingMetadata): void;
  /** Metadata to send with the status. */
  setTrailers(metadata: OutgoingMetadata): void;
  /** Has one listener told of the bytes of messages as they come, first of those that are here. It must not throw. */
  countReceived(listener: (bytes: number) => void): void;
  get<T>(key: CallKey<T>): T | undefined;
  set<T>(key: CallKey<T>, value: T): void;
}

/** A call whose handler answers with any number of messages. */
export interface SendingCall<Response> extends CallContext {
  /**
   * Sends one message. Await the result: it waits while too many bytes are on their way, and else is `undefined`.
   *
   * @param sent told when the message's bytes are on their way and may change; never if the call ends before that.
   * @throws StatusError CANCELLED once nobody waits for the answer, so that a producer stops.
   */
  send(message: Response, sent?: () => void): Promise<void> | undefined;
}

/** How a call ended, for interceptors. */
export interface CallEnd {
  readonly status: Status;
  readonly durationMs: number;
  /** Bytes of messages, without prefixes; as they were before compression on our side. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** Told once when the call is over. */
export type CallEndObserver = (end: CallEnd) => void;

/**
 * Runs before the handler. To refuse, it throws a `StatusError`; to learn of the end it returns a function, else
 * `undefined`. Several run in order, each after the one before let the call through.
 */
export type Interceptor = (call: CallContext) => CallEndObserver | undefined | Promise<CallEndObserver | undefined>;

/** The handler of each kind of method. */
export interface HandlerKinds<Request, Response> {
  readonly unary: (request: Request, call: CallContext) => Response | Promise<Response>;
  readonly "server-streaming": (request: Request, call: SendingCall<Response>) => Promise<void> | void;
  readonly "client-streaming": (requests: MessageReader<Request>, call: CallContext) => Response | Promise<Response>;
  readonly bidirectional: (requests: MessageReader<Request>, call: SendingCall<Response>) => Promise<void> | void;
}

/** A method with what answers it; the types of its messages are forgotten. */
export type Registration = {
  readonly [Kind in MethodKind]: {
    readonly kind: Kind;
    readonly method: Method<unknown, unknown, Kind>;
    readonly handler: HandlerKinds<unknown, unknown>[Kind];
  };
}[MethodKind];

/** Binds a handler to a method. Answers are encoded, and requests decoded, by the method's codecs. */
export function serve<Request, Response, Kind extends MethodKind, RequestInit, ResponseInit>(
  method: Method<Request, Response, Kind, RequestInit, ResponseInit>,
  handler: HandlerKinds<Request, ResponseInit>[Kind],
): Registration {
  // The types matched above; what follows never mixes messages of two methods.
  return { kind: method.kind, method, handler } as unknown as Registration;
}
