/**
 * One listening port for everything: gRPC and plain HTTP over HTTP/2, and HTTP/1.1, with or without TLS.
 *
 * Owns:      the listener, every connection, the two protocol servers (which never listen themselves) and the drain.
 * Never:     knows a service; streams and requests go to the handlers.
 * Invariant: a connection is in exactly one place, peeked at or handed to one server, and gone from all counts once it
 *            closed; no error of a connection or of a handler leaves its listener.
 */
import type { Server as Http1Server, IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttp1Server } from "node:http";
import type { Http2Server, Http2Session, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { constants, createServer as createHttp2Server } from "node:http2";
import type { Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Result, Timer } from "@kahn/core";
import { invariant } from "@kahn/core";
import { keepAlive, SERVER_KEEPALIVE } from "../grpc/connection/keepalive.ts";
import type { Peer } from "../grpc/connection/peer.ts";
import { UNKNOWN_PEER } from "../grpc/connection/peer.ts";
import { serverSessionOptions, widenWindow } from "../grpc/connection/session-options.ts";
import { compatExchange } from "./compat.ts";
import type { ListenProblem } from "./listener.ts";
import { createListener, listen, replaceTls } from "./listener.ts";
import { peek } from "./peek.ts";
import { peerOf } from "./peer-of.ts";
import type { ListenAddress, PortLimits, PortOptions, PortTls } from "./port-options.ts";
import { DEFAULT_PORT_LIMITS } from "./port-options.ts";

/** What a port is doing. All zero once its clients went. */
export interface PortCounts {
  readonly connections: number;
  /** HTTP/2 connections. */
  readonly sessions: number;
  readonly streams: number;
  /** HTTP/1.1 exchanges, and those of plain HTTP over HTTP/2. */
  readonly requests: number;
}

/** How long known connections may go on when no others are taken. Milliseconds. */
export interface Linger {
  /** Over once nothing was asked for so long. */
  readonly idleMs: number;
  readonly maxMs: number;
}

/** How a drain ended: with everything answered, or with connections cut when the time was up. */
export type DrainOutcome = { readonly kind: "drained" } | { readonly kind: "cut"; readonly connections: number };

/** Opens a port. */
export async function openPort(options: PortOptions): Promise<Result<Port, ListenProblem>> {
  const limits = { ...DEFAULT_PORT_LIMITS, ...options.limits };
  let port: Port | undefined;
  const listener = createListener(options.tls, limits, {
    opened: (socket) => port?.opened(socket),
    ready: (socket) => port?.ready(socket),
  });
  if (!listener.ok) return listener;
  listener.value.maxConnections = limits.connectionsMax;
  port = new Port(options, limits, listener.value);
  const bound = await port.listen();
  return bound.ok ? { ok: true, value: port } : bound;
}

/** A port that is open. Made by `openPort`. */
export class Port {
  readonly #options: PortOptions;
  readonly #limits: PortLimits;
  readonly #listener: Server;
  readonly #http1: Http1Server;
  readonly #http2: Http2Server;
  readonly #connections = new Set<Socket>();
  /** Plain connections that have said nothing yet. */
  readonly #silent = new Set<Socket>();
  readonly #sessions = new Set<Http2Session>();
  readonly #responses = new Set<ServerResponse>();
  readonly #peers = new WeakMap<object, Peer>();
  /** Whose connection is being handed to a protocol server, in this very tick. */
  #handing: Peer = UNKNOWN_PEER;
  #streams = 0;
  #address: ListenAddress | undefined;
  #phase: "open" | "lingering" | "draining" | "closed" = "open";
  /** Looks whether to linger on, after every change of what is open. */
  #lingered: (() => void) | undefined;
  #emptied: (() => void) | undefined;
  /** Connections that were open when the shortest grace was over. */
  #cutCount = 0;

  constructor(options: PortOptions, limits: PortLimits, listener: Server) {
    this.#options = options;
    this.#limits = limits;
    this.#listener = listener;
    this.#http1 = this.#makeHttp1();
    this.#http2 = this.#makeHttp2();
  }

  /** True once clients are told to go elsewhere. */
  get #isGoing(): boolean {
    return this.#phase === "draining" || this.#phase === "closed";
  }

  /** Where it listens, with the port that was chosen. */
  get address(): ListenAddress {
    invariant(this.#address !== undefined, "a port has an address once it is open");
    return this.#address;
  }

  counts(): PortCounts {
    return {
      connections: this.#connections.size,
      sessions: this.#sessions.size,
      streams: this.#streams,
      requests: this.#responses.size,
    };
  }

  /** Shows another certificate to connections to come; those that are open stay. A port without TLS stays without. */
  replaceTls(tls: PortTls): Result<void, ListenProblem> {
    return this.#options.tls === undefined ? { ok: true, value: undefined } : replaceTls(this.#listener, tls);
  }

  /**
   * Takes no more connections, and serves those that are there as before: who has just been answered comes back for what
   * the answer names. Resolves when they are gone, were idle, `maxMs` is over, or a drain begins; `drain` is to follow.
   */
  async linger({ idleMs, maxMs }: Linger): Promise<void> {
    if (this.#phase !== "open") return;
    this.#phase = "lingering";
    this.#listener.close();
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      let idle: Timer | undefined;
      const limit = clock.setTimer(maxMs, over);
      const look = (): void => {
        if (this.#phase !== "lingering" || this.#connections.size === 0) over();
        else if (this.#streams === 0 && this.#responses.size === 0) idle ??= clock.setTimer(idleMs, over);
        else {
          idle?.cancel();
          idle = undefined;
        }
      };
      this.#lingered = look;
      const forget = (): void => {
        this.#lingered = undefined;
      };
      look();

      function over(): void {
        idle?.cancel();
        limit.cancel();
        forget();
        resolve();
      }
    });
  }

  /**
   * What SIGTERM asks for: takes no more connections, tells every client to go elsewhere (GOAWAY; `connection: close`),
   * lets what is open finish, and cuts what is left after `graceMs`. May be called again to shorten the grace.
   */
  async drain(graceMs: number): Promise<DrainOutcome> {
    if (this.#phase === "open" || this.#phase === "lingering") this.#beginDrain();
    if (this.#connections.size > 0) {
      const { clock } = this.#options;
      await new Promise<void>((resolve) => {
        const before = this.#emptied;
        const timer = clock.setTimer(graceMs, () => {
          this.#cut();
        });
        this.#emptied = () => {
          timer.cancel();
          before?.();
          resolve();
        };
      });
    }
    this.#finish();
    return this.#cutCount === 0 ? { kind: "drained" } : { kind: "cut", connections: this.#cutCount };
  }

  /** Closes everything at once. */
  async close(): Promise<void> {
    await this.drain(0);
  }

  /** For `openPort`. */
  async listen(): Promise<Result<ListenAddress, ListenProblem>> {
    const bound = await listen(this.#listener, this.#options.address);
    if (bound.ok) this.#address = bound.value;
    else this.#finish();
    return bound;
  }

  /** For the listener. */
  opened(socket: Socket): void {
    // From the first moment: a reset before the first byte must not end the process.
    socket.on("error", () => socket.destroy());
    this.#connections.add(socket);
    socket.on("close", () => {
      this.#connections.delete(socket);
      this.#lingered?.();
      if (this.#connections.size === 0) this.#emptied?.();
    });
  }

  /** For the listener. */
  ready(socket: Socket | TLSSocket): void {
    // A TLS handshake that was under way when the drain began.
    if (this.#isGoing) {
      socket.destroy();
      return;
    }
    const peer = peerOf(socket, this.#options.address.kind === "unix");
    if ("alpnProtocol" in socket) {
      socket.on("error", () => socket.destroy());
      this.#hand(socket, peer, socket.alpnProtocol === "h2" ? "http2" : "http1");
      return;
    }
    this.#silent.add(socket);
    socket.on("close", () => this.#silent.delete(socket));
    peek(socket, {
      clock: this.#options.clock,
      timeoutMs: this.#limits.silenceMaxMs,
      decided: (protocol) => this.#hand(socket, peer, protocol),
    });
  }

  #hand(socket: Socket, peer: Peer, protocol: "http1" | "http2"): void {
    this.#silent.delete(socket);
    this.#handing = peer;
    this.#peers.set(socket, peer);
    if (protocol === "http2") {
      // Half-open, an HTTP/2 connection would never be closed after its client's FIN (trap 2).
      socket.allowHalfOpen = false;
      this.#http2.emit("connection", socket);
    } else {
      this.#http1.emit("connection", socket);
    }
    this.#handing = UNKNOWN_PEER;
  }

  #makeHttp1(): Http1Server {
    const { headMaxMs, idleMaxMs, stallMaxMs } = this.#limits;
    const server = createHttp1Server({
      headersTimeout: headMaxMs,
      requestTimeout: 0,
      keepAliveTimeout: idleMaxMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1000, headMaxMs / 4)),
    });
    server.timeout = stallMaxMs;
    // Without it the answer to a client that has closed its side is lost unless it was ready by then.
    (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    server.on("request", (request, response) => {
      this.#serve(request, response, this.#peers.get(request.socket) ?? UNKNOWN_PEER);
    });
    // Starts the supervision of heads and idle connections, which else waits for a `listen` that never comes (trap 10).
    server.emit("listening");
    return server;
  }

  #makeHttp2(): Http2Server {
    const server = createHttp2Server(serverSessionOptions(this.#limits.streamsMax));
    server.on("session", (session: ServerHttp2Session) => {
      this.#peers.set(session, this.#handing);
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
      widenWindow(session);
      keepAlive(session, this.#options.clock, this.#options.keepalive ?? SERVER_KEEPALIVE);
    });
    // What broke a session has closed it; there is nothing else to do.
    server.on("sessionError", () => {});
    server.on("stream", this.#onStream);
    return server;
  }

  readonly #onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    this.#streams++;
    this.#lingered?.();
    stream.on("close", this.#onStreamClose);
    try {
      const peer = (stream.session && this.#peers.get(stream.session)) ?? UNKNOWN_PEER;
      if (this.#options.onStream?.(stream, headers, peer) === true) return;
      const { request, response } = compatExchange(stream, headers);
      this.#serve(request, response, peer);
    } catch (error) {
      this.#fault(error);
      if (!stream.destroyed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
  };

  readonly #onStreamClose = (): void => {
    this.#streams--;
    this.#lingered?.();
  };

  #serve(request: IncomingMessage, response: ServerResponse, peer: Peer): void {
    this.#responses.add(response);
    this.#lingered?.();
    request.on("error", () => {});
    response.on("error", () => {});
    response.on("close", () => {
      this.#responses.delete(response);
      this.#lingered?.();
      if (this.#isGoing) this.#http1.closeIdleConnections();
    });
    if (this.#isGoing) goAway(request, response);
    try {
      if (this.#options.onRequest === undefined) response.writeHead(404).end();
      else this.#options.onRequest(request, response, peer);
    } catch (error) {
      this.#fault(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  }

  #fault(error: unknown): void {
    try {
      this.#options.onFault?.(error);
    } catch {
      // There is nobody left to tell.
    }
  }

  #beginDrain(): void {
    this.#phase = "draining";
    this.#lingered?.();
    this.#listener.close();
    for (const socket of this.#silent) socket.destroy();
    for (const session of this.#sessions) session.close();
    for (const response of this.#responses) goAway(response.req, response);
    this.#http1.closeIdleConnections();
  }

  #cut(): void {
    this.#cutCount = Math.max(this.#cutCount, this.#connections.size);
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#connections) socket.destroy();
  }

  /** Stops what the two protocol servers do beside connections. */
  #finish(): void {
    this.#phase = "closed";
    this.#http1.close();
    this.#http2.close();
  }
}

/** Asks an HTTP/1.1 client to use another connection next time; over HTTP/2, GOAWAY has said it. */
function goAway(request: IncomingMessage, response: ServerResponse): void {
  if (request.httpVersionMajor === 1 && !response.headersSent) response.setHeader("connection", "close");
}
