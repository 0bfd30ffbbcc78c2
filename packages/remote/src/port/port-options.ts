/** What a port is asked to be. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Clock } from "@kahn/core";
import type { KeepaliveOptions } from "../grpc/connection/keepalive.ts";
import type { Peer } from "../grpc/connection/peer.ts";

/** Where to listen. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string /** 0: any free one. */; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** TLS of a port. PEM texts. */
export interface PortTls {
  readonly certificate: string | Buffer;
  readonly key: string | Buffer;
  /** Authorities that vouch for clients. */
  readonly clientAuthorities?: string | Buffer;
  /** `none`: clients are not asked. `verify-if-given`: one that is given must be good. `require`: no one without. */
  readonly clientCertificate: "none" | "verify-if-given" | "require";
}

/** Bounds on what connections can take. */
export interface PortLimits {
  /** Connections at once; more are closed at once. */
  readonly connectionsMax: number;
  /** Streams at once on one HTTP/2 connection. */
  readonly streamsMax: number;
  /** From connecting to the first bytes, and from there to the end of the TLS handshake. */
  readonly silenceMaxMs: number;
  /** From the first byte of an HTTP/1.1 head to its last. */
  readonly headMaxMs: number;
  /** How long an idle HTTP/1.1 connection is kept: longer than clients' pools keep it, or both race. */
  readonly idleMaxMs: number;
  /** How long an HTTP/1.1 exchange may stand still. */
  readonly stallMaxMs: number;
}

/** Limits for a port that is open to a network. */
export const DEFAULT_PORT_LIMITS: PortLimits = {
  connectionsMax: 10_000,
  streamsMax: 512,
  silenceMaxMs: 60_000,
  headMaxMs: 30_000,
  idleMaxMs: 75_000,
  stallMaxMs: 300_000,
};

/** A handler of plain HTTP, of either version. An error it throws closes the exchange, never the process. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, peer: Peer) => void;

/** Takes a stream if it is of gRPC: `GrpcServer.accept`. */
export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: Peer) => boolean;

/** What a port needs. */
export interface PortOptions {
  readonly address: ListenAddress;
  readonly clock: Clock;
  /** Asked first for every HTTP/2 stream. */
  readonly onStream?: StreamHandler;
  /** Every other request. Default: 404. */
  readonly onRequest?: HttpHandler;
  readonly tls?: PortTls;
  readonly limits?: Partial<PortLimits>;
  /** Pings of HTTP/2 connections; default: every minute. */
  readonly keepalive?: KeepaliveOptions;
  /** Told of errors that are bugs of handlers. */
  readonly onFault?: (error: unknown) => void;
}
