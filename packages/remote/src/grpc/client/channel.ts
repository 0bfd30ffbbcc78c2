/**
 * A channel: calls to one server, over a connection that is made when needed and made again when lost.
 *
 * Owns:      the connection, the pause after failed attempts, keepalive pings.
 * Never:     repeats a call; a status with `unprocessed` says that its caller may at once.
 * Invariant: at most one connection takes new calls; one that said GOAWAY finishes its calls and takes none.
 *
 *   idle ── call ──▶ connecting ── connected ──▶ ready ── GOAWAY, closed ──▶ idle
 *                        └── failed ──▶ backoff (calls fail at once) ── time over ──▶ idle
 */
import type { ClientHttp2Session, OutgoingHttpHeaders, SecureClientSessionOptions } from "node:http2";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Random, Result } from "@kahn/core";
import { err, ok, randomBelow } from "@kahn/core";
import type { KeepaliveOptions } from "../connection/keepalive.ts";
import { CLIENT_KEEPALIVE, keepAlive } from "../connection/keepalive.ts";
import { clientSessionOptions, widenWindow } from "../connection/session-options.ts";
import { formatTimeout } from "../messages/deadline.ts";
import { ACCEPTED_ENCODINGS } from "../messages/message-encoding.ts";
import type { OutgoingMetadata } from "../messages/metadata.ts";
import { addMetadata } from "../messages/metadata.ts";
import type { Method, MethodKind } from "../messages/method.ts";
import type { Status } from "../messages/status.ts";
import { StatusCode } from "../messages/status.ts";
import { ClientCall } from "./client-call.ts";
import type { ChannelTarget } from "./target.ts";
import { authorityOf, targetText } from "./target.ts";

/** TLS of a channel. PEM texts. */
export interface ChannelTls {
  /** Authorities that vouch for the server; default: those of Node. */
  readonly authorities?: string | Buffer;
  /** The certificate this client shows, and its key. */
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name the server's certificate must bear; default: the host. */
  readonly serverName?: string;
}

/** What a channel needs. */
export interface ChannelOptions {
  readonly target: ChannelTarget;
  readonly clock: Clock;
  readonly random: Random;
  readonly tls?: ChannelTls;
  /** Sent with each call; asked for each time, so that tokens may change. */
  readonly metadata?: () => OutgoingMetadata;
  /** Largest answer, in bytes, after unpacking. Default: 64 MiB. */
  readonly messageMaxBytes?: number;
  /** Messages of at least this many bytes are compressed; default: none is. */
  readonly gzipFromBytes?: number;
  readonly userAgent?: string;
  readonly keepalive?: KeepaliveOptions;
  /** Default: 20 s. */
  readonly connectTimeoutMs?: number;
  /** Pause after the first failed attempt, and the longest; each is 1.6 times the one before, ± 20 %. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
}

/** One call's own wishes. */
export interface CallOptions {
  readonly metadata?: OutgoingMetadata;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

type Connection = Result<ClientHttp2Session, Status>;

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly made: Promise<Connection> }
  | { readonly kind: "ready"; readonly session: ClientHttp2Session }
  | { readonly kind: "backoff"; readonly untilMs: number; readonly status: Status }
  | { readonly kind: "closed" };

/** A method of which only the client's side matters. */
type Callable<Response, RequestInit, Kind extends MethodKind> = Method<unknown, Response, Kind, RequestInit, never>;

type Failure = Pick<Status, "message" | "about">;

/** Codes of OpenSSL's verification as Node names them, and its alerts. */
export function isAboutCertificate(code: string | undefined): boolean {
  return code !== undefined && /CERT|UNABLE_TO_|HOSTNAME_MISMATCH|UNKNOWN_CA/.test(code);
}

/** Of a peer that closed the connection before it spoke HTTP/2. */
function closedSilently(target: ChannelTarget): Failure {
  const message = "it closed the connection before it spoke HTTP/2";
  if (target.kind === "unix") return { message };
  if (target.isEncrypted) return { message, about: "certificate" };
  return { message: `${message}; a port with TLS is written grpcs://` };
}

const NO_TLS = "it does not speak TLS; a port without is written grpc://";
const DEFAULT_BACKOFF = { firstMs: 1000, maxMs: 120_000 };
const IDLE: State = { kind: "idle" };

/** What may be called with. */
export type Calls = Pick<Channel, "call" | "unary" | "read">;

/** Calls one server. */
export class Channel {
  readonly #options: ChannelOptions;
  readonly #baseHeaders: OutgoingHttpHeaders;
  readonly #sessions = new Set<ClientHttp2Session>();
  readonly #sockets = new Set<Duplex>();
  #state: State = IDLE;
  #failedAttempts = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#baseHeaders = {
      ":method": "POST",
      ":scheme": options.target.kind === "tcp" && options.target.isEncrypted ? "https" : "http",
      ":authority": authorityOf(options.target),
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": options.userAgent ?? "kahn",
      "grpc-accept-encoding": ACCEPTED_ENCODINGS,
    };
    if (options.gzipFromBytes !== undefined) this.#baseHeaders["grpc-encoding"] = "gzip";
  }

  /** What the connection is doing. */
  get state(): State["kind"] {
    return this.#state.kind;
  }

  /** Begins a call of any kind. */
  call<Response, RequestInit>(
    method: Callable<Response, RequestInit, MethodKind>,
    options: CallOptions = {},
  ): ClientCall<Response, RequestInit> {
    const headers: OutgoingHttpHeaders = { ...this.#baseHeaders, ":path": method.path };
    if (options.timeoutMs !== undefined) headers["grpc-timeout"] = formatTimeout(options.timeoutMs);
    if (this.#options.metadata !== undefined) addMetadata(headers, this.#options.metadata());
    if (options.metadata !== undefined) addMetadata(headers, options.metadata);
    return new ClientCall(method, {
      clock: this.#options.clock,
      messageMaxBytes: this.#options.messageMaxBytes ?? 64 << 20,
      gzipFromBytes: this.#options.gzipFromBytes,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      headers,
      session: this.#session(),
    });
  }

  /** One request, one answer. Whatever goes wrong is the status. */
  unary<Response, RequestInit>(
    method: Callable<Response, RequestInit, "unary">,
    request: RequestInit,
    options: CallOptions = {},
  ): Promise<Result<Response, Status>> {
    const call = this.call(method, options);
    call.end(request);
    return call.answer();
  }

  /** One request, any number of answers: `messages`, then `status`. */
  read<Response, RequestInit>(
    method: Callable<Response, RequestInit, "server-streaming">,
    request: RequestInit,
    options: CallOptions = {},
  ): ClientCall<Response, RequestInit> {
    const call = this.call(method, options);
    call.end(request);
    return call;
  }

  /** The same channel, for calls that carry this as well. */
  with(metadata: OutgoingMetadata): Calls {
    const more = (options: CallOptions = {}) => ({ ...options, metadata: { ...metadata, ...options.metadata } });
    return {
      call: (method, options) => this.call(method, more(options)),
      unary: (method, request, options) => this.unary(method, request, more(options)),
      read: (method, request, options) => this.read(method, request, more(options)),
    };
  }

  /** Closes the channel: open calls fail with UNAVAILABLE, later ones too. */
  close(): void {
    this.#state = { kind: "closed" };
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The connection for a new call. */
  #session(): Connection | Promise<Connection> {
    const state = this.#state;
    switch (state.kind) {
      case "ready":
        if (!state.session.closed && !state.session.destroyed) return ok(state.session);
        return this.#connect();
      case "connecting":
        return state.made;
      case "backoff":
        return this.#options.clock.monotonicMs() < state.untilMs ? err(state.status) : this.#connect();
      case "idle":
        return this.#connect();
      case "closed":
        return err({ code: StatusCode.unavailable, message: "the channel is closed" });
    }
  }

  #connect(): Promise<Connection> {
    const session = this.#openSession();
    this.#sessions.add(session);
    const made = new Promise<Connection>((resolve) => this.#watch(session, resolve));
    this.#state = { kind: "connecting", made };
    return made;
  }

  /** Follows a session from its attempt to its end. */
  #watch(session: ClientHttp2Session, made: (connection: Connection) => void): void {
    const { clock, keepalive = CLIENT_KEEPALIVE, connectTimeoutMs = 20_000 } = this.#options;
    const timer = clock.setTimer(connectTimeoutMs, () => {
      failure = { message: `no connection within ${connectTimeoutMs} ms` };
      session.destroy();
      socket?.destroy();
    });
    let socket: Duplex | undefined;
    let isConnected = false;
    let failure = closedSilently(this.#options.target);
    const failed = ({ code, message }: NodeJS.ErrnoException) => {
      if (code === "ERR_SSL_WRONG_VERSION_NUMBER") failure = { message: NO_TLS };
      else failure = { message, ...(isAboutCertificate(code) ? { about: "certificate" } : {}) };
    };
    let isEnded = false;
    const ended = () => {
      if (isEnded) return;
      isEnded = true;
      timer.cancel();
      this.#sessions.delete(session);
      this.#forget(session);
      if (!isConnected) made(err(this.#failed(failure)));
    };
    session.on("error", failed);
    session.on("connect", (_, own) => {
      socket = own;
      this.#sockets.add(own);
      // A server that refuses our certificate says so only now, and to the socket alone: Node destroys the session without
      // an event, and leaves the socket open.
      own.once("error", (error) => {
        failed(error);
        own.destroy();
      });
      own.once("close", () => {
        this.#sockets.delete(own);
        ended();
      });
    });
    // Only a peer that speaks HTTP/2 proves that the address is right, and that it takes us.
    session.once("remoteSettings", () => {
      isConnected = true;
      this.#failedAttempts = 0;
      timer.cancel();
      widenWindow(session);
      keepAlive(session, clock, keepalive);
      if (this.#state.kind === "connecting") this.#state = { kind: "ready", session };
      made(ok(session));
    });
    session.on("goaway", () => this.#forget(session));
    session.on("close", ended);
  }

  #openSession(): ClientHttp2Session {
    const { target, tls } = this.#options;
    if (target.kind === "unix") {
      const options = { ...clientSessionOptions(), createConnection: () => connectSocket({ path: target.path }) };
      return connectHttp2("http://localhost", options);
    }
    const authority = authorityOf(target);
    if (!target.isEncrypted) return connectHttp2(`http://${authority}`, clientSessionOptions());
    const options: SecureClientSessionOptions = { ...clientSessionOptions() };
    if (tls?.authorities !== undefined) options.ca = tls.authorities;
    if (tls?.certificate !== undefined) options.cert = tls.certificate;
    if (tls?.key !== undefined) options.key = tls.key;
    if (tls?.serverName !== undefined) options.servername = tls.serverName;
    return connectHttp2(`https://${authority}`, options);
  }

  /** New calls go elsewhere. */
  #forget(session: ClientHttp2Session): void {
    if (this.#state.kind === "ready" && this.#state.session === session) this.#state = IDLE;
  }

  /** An attempt failed: calls pause for a while. @returns what to tell those who wait. */
  #failed({ message: why, about }: Failure): Status {
    const message = `${targetText(this.#options.target)} cannot be reached: ${why}`;
    const status: Status = {
      code: StatusCode.unavailable,
      message,
      unprocessed: true,
      ...(about === undefined ? {} : { about }),
    };
    if (this.#state.kind === "closed") return status;
    const { firstMs, maxMs } = this.#options.backoff ?? DEFAULT_BACKOFF;
    const pauseMs = Math.min(maxMs, firstMs * 1.6 ** this.#failedAttempts++);
    const jittered = pauseMs * (0.8 + randomBelow(this.#options.random, 401) / 1000);
    this.#state = { kind: "backoff", untilMs: this.#options.clock.monotonicMs() + jittered, status };
    return status;
  }
}
