/**
 * The gRPC server: takes HTTP/2 streams, and gives each to a call.
 *
 * Owns:      the methods, the open calls and the limits over all of them.
 * Never:     listens, or knows whose connection it is: `port` hands it streams.
 * Invariant: `accept` never throws; a stream it takes is answered exactly once.
 */
import type { Http2Session, IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Clock, Timer } from "@kahn/core";
import { InvariantError } from "@kahn/core";
import { HealthMethods } from "../../proto/generated/health.ts";
import type { Peer } from "../connection/peer.ts";
import { networkOf } from "../connection/peer.ts";
import { ByteBudget } from "../messages/byte-budget.ts";
import type { MessageMemory } from "../messages/frame-reader.ts";
import type { Status } from "../messages/status.ts";
import { StatusCode } from "../messages/status.ts";
import type { CallContext, Interceptor, Registration } from "./call-context.ts";
import { ADDRESS_PART, CallShares, CONNECTION_PART, shareInterceptor, tooMany } from "./call-shares.ts";
import type { ServerLimits } from "./limits.ts";
import { DEFAULT_SERVER_LIMITS } from "./limits.ts";
import { trailersOnly } from "./response-headers.ts";
import type { ServerCallParts } from "./server-call.ts";
import { ServerCall } from "./server-call.ts";
import type { CallConnection, ServerContext } from "./server-context.ts";

/** What a server needs. */
export interface GrpcServerOptions {
  readonly services: readonly Registration[];
  readonly clock: Clock;
  /** In the order in which they run. */
  readonly interceptors?: readonly Interceptor[];
  readonly limits?: Partial<ServerLimits>;
  /** Answers of at least this many bytes are compressed for peers that accept gzip; default: none is. */
  readonly gzipFromBytes?: number;
  /** Lends memory for large messages of clients' streams, until their handlers give them back or are over. */
  readonly memory?: MessageMemory | undefined;
  /** Told of every error that is no status: bugs, for the log. The call is answered INTERNAL. */
  readonly onFault?: (error: unknown, call: CallContext) => void;
}

/** What a server is doing. */
export interface GrpcServerCounts {
  readonly calls: number;
  /** Bytes of unfinished and unread messages. */
  readonly heldBytes: number;
}

const SWEEP_MS = 5000;
/** Room for those who ask for the server's health when all other is taken. */
const HEALTH_CALLS = 64;
const HEALTH_PATH = HealthMethods.check.path;

/** Who calls, and what. */
type Who = Pick<ServerCallParts, "registration" | "peer">;

/** Serves methods on streams that it is given. */
export class GrpcServer {
  readonly #methods = new Map<string, Registration>();
  readonly #services = new Set<string>();
  readonly #context: ServerContext;
  readonly #calls = new Set<ServerCall>();
  readonly #budget: ByteBudget;
  readonly #networks = new CallShares();
  readonly #connections = new WeakMap<Http2Session, CallConnection>();
  #sweeper: Timer | undefined;
  #isClosed = false;

  constructor(options: GrpcServerOptions) {
    for (const registration of options.services) this.#register(registration);
    const limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
    const { callsMax } = limits;
    this.#budget = new ByteBudget(limits.serverHeldMaxBytes);
    const onFault = options.onFault ?? (() => {});
    this.#context = {
      clock: options.clock,
      limits,
      interceptors: [
        ...(options.interceptors ?? []),
        shareInterceptor(callsMax, () => Math.max(0, callsMax - this.#calls.size)),
      ],
      gzipFromBytes: options.gzipFromBytes,
      memory: options.memory,
      onFault: (error, call) => quietly(() => onFault(error, call)),
      closed: (call) => this.#closed(call as ServerCall),
    };
  }

  /** Calls whose streams are open, and bytes held for them. */
  counts(): GrpcServerCounts {
    return { calls: this.#calls.size, heldBytes: this.#budget.heldBytes };
  }

  /**
   * Takes a stream if it is one of gRPC, that is by its content type or by its path.
   *
   * @returns false if it is not; the stream is then untouched.
   */
  accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: Peer): boolean {
    const path = headers[":path"] ?? "";
    const registration = this.#methods.get(path);
    const contentType = headers["content-type"];
    const isGrpc = contentType !== undefined && /^application\/grpc($|[+;])/.test(contentType);
    if (!isGrpc && registration === undefined) return false;
    try {
      if (!isGrpc) this.#end(stream, { ":status": 415 });
      else if (headers[":method"] !== "POST") this.#end(stream, { ":status": 405, allow: "POST" });
      else if (registration === undefined) this.#refuse(stream, this.#unknown(path));
      else if (this.#isClosed) this.#refuse(stream, CLOSED);
      else this.#admit(stream, headers, { registration, peer });
    } catch {
      // Only a stream that died under our hands throws here; what a handler throws was caught by its call.
      if (!stream.destroyed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
    return true;
  }

  /** Refuses calls from now on; those that are open go on. No timer is left once they are gone. */
  close(): void {
    this.#isClosed = true;
    if (this.#calls.size === 0) this.#stopSweeper();
  }

  #admit(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, who: Who): void {
    const connection = this.#connectionOf(stream.session, who.peer);
    // Who asks whether the server is well is answered also when it is full.
    const max = this.#context.limits.callsMax + (who.registration.method.path === HEALTH_PATH ? HEALTH_CALLS : 0);
    const refused = this.#refusal(connection, max - this.#calls.size);
    if (refused !== undefined) {
      this.#refuse(stream, { code: StatusCode.resourceExhausted, message: refused });
      return;
    }
    const call = new ServerCall({ context: this.#context, stream, headers, connection, ...who });
    connection.calls++;
    this.#networks.add(connection.network);
    this.#calls.add(call);
    this.#sweeper ??= this.#armSweeper();
    call.start();
  }

  /** Why one more call is not taken. @param left so many could be. */
  #refusal({ calls, network }: CallConnection, left: number): string | undefined {
    const { callsMax } = this.#context.limits;
    if (left <= 0) return `this server has ${callsMax} calls, and takes no more at once; try again later`;
    if (calls >= CONNECTION_PART * left) return tooMany("this connection", calls, callsMax);
    const all = this.#networks.of(network);
    return all >= ADDRESS_PART * left ? tooMany(network, all, callsMax) : undefined;
  }

  #connectionOf(session: Http2Session | undefined, peer: Peer): CallConnection {
    // A stream that has lost its session already: its call ends at once.
    if (session === undefined) return { budget: this.#budget, calls: 0, network: peer.transport };
    let connection = this.#connections.get(session);
    if (connection === undefined) {
      const network = networkOf(peer) || peer.transport;
      const budget = new ByteBudget(this.#context.limits.connectionHeldMaxBytes, this.#budget);
      connection = { budget, calls: 0, network };
      this.#connections.set(session, connection);
    }
    return connection;
  }

  #closed(call: ServerCall): void {
    call.connection.calls--;
    this.#networks.remove(call.connection.network);
    this.#calls.delete(call);
    if (this.#isClosed && this.#calls.size === 0) this.#stopSweeper();
  }

  #stopSweeper(): void {
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
  }

  /** One timer for all calls, and none while there are none. */
  #armSweeper(): Timer {
    const { clock } = this.#context;
    return clock.setTimer(Math.min(SWEEP_MS, this.#context.limits.stallMaxMs), () => {
      const nowMs = clock.monotonicMs();
      for (const call of this.#calls) call.sweep(nowMs);
      this.#sweeper = this.#calls.size > 0 ? this.#armSweeper() : undefined;
    });
  }

  #register(registration: Registration): void {
    const { path } = registration.method;
    if (this.#methods.has(path)) throw new InvariantError(`${path} is served twice`);
    this.#methods.set(path, registration);
    this.#services.add(serviceOf(path));
  }

  #unknown(path: string): Status {
    const service = serviceOf(path);
    const what = this.#services.has(service) ? `method ${path}` : `service ${service}`;
    return { code: StatusCode.unimplemented, message: `this server has no ${what}` };
  }

  /** Answers a stream that becomes no call. */
  #refuse(stream: ServerHttp2Stream, status: Status): void {
    this.#end(stream, trailersOnly(status));
  }

  /** Sends headers alone, and drops what the peer still sends. */
  #end(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
    stream.on("error", () => {});
    stream.on("data", () => {});
    stream.respond(headers, { endStream: true });
    const timer = this.#context.clock.setTimer(this.#context.limits.lingerMs, () => {
      if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
    stream.on("end", () => timer.cancel());
    stream.on("close", () => timer.cancel());
  }
}

const CLOSED: Status = { code: StatusCode.unavailable, message: "the server is going away", unprocessed: true };

function serviceOf(path: string): string {
  return path.slice(1, Math.max(1, path.lastIndexOf("/")));
}

/** Runs an observer of faults; one that throws itself must not end the process. */
function quietly(observe: () => void): void {
  try {
    observe();
  } catch {
    // There is nobody left to tell.
  }
}
