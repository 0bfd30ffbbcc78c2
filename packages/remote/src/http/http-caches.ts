/**
 * Every cache protocol that is spoken over HTTP, on one port and one store.
 *
 * Owns:      finding the protocol of a request, asking who calls, and saying refusals as each protocol's clients expect.
 * Invariant: each request is answered or cut off, never forgotten; no error of one leaves its handler, but bugs, which
 *            are told to `onFault`. A read that fails for the store's sake is a miss: no build may fail for a cache.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, Random } from "@kahn/core";
import { unreachable } from "@kahn/core";
import type { Peer } from "../grpc/index.ts";
import { ByteBudget, UNKNOWN_PEER } from "../grpc/index.ts";
import type { Access, AccessAnswer, Caller } from "../reapi/requests/access-port.ts";
import { ANONYMOUS } from "../reapi/requests/access-port.ts";
import { PieceBuffers } from "../reapi/streams/blob-pieces.ts";
import type { Zstd } from "../reapi/wire/zstd-port.ts";
import type { ServerStore } from "../store/server-store.ts";
import { serveActionsBlob } from "./actions/blobs.ts";
import type { ActionsState } from "./actions/cache.ts";
import { actionsState, serveActionsCall } from "./actions/cache.ts";
import { serveNx } from "./artifacts/nx.ts";
import { serveTurborepo } from "./artifacts/turborepo.ts";
import { serveGradle, serveValue } from "./artifacts/values.ts";
import { serveActionResult, serveBlob } from "./bazel/bazel.ts";
import type { Exchange, HttpLimits, HttpServices } from "./exchange/exchange.ts";
import { DEFAULT_HTTP_LIMITS, denial } from "./exchange/exchange.ts";
import { HeldBytes } from "./exchange/held-bytes.ts";
import { ClientGone, HttpRefusal, MISSING } from "./exchange/http-refusal.ts";
import { requestTarget } from "./exchange/request-target.ts";
import type { Route } from "./exchange/route.ts";
import { routeOf } from "./exchange/route.ts";
import { refuse } from "./refuse.ts";

/** Whom a request comes from; a denial when what it shows for itself is wrong. */
export type Identified =
  | { readonly kind: "caller"; readonly caller: Caller }
  | Extract<AccessAnswer, { readonly kind: "denied" }>;

/** What the caches stand on. */
export interface HttpCachesOptions {
  readonly store: ServerStore;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  /** Finds out who calls. Default: nobody in particular. */
  readonly identify?: (request: IncomingMessage, peer: Peer) => Identified | Promise<Identified>;
  /** Told of the bytes of bodies as they come. */
  readonly received?: (request: IncomingMessage, bytes: number) => void;
  /** Told why a request is not answered as asked; not of what is only not there. */
  readonly refused?: (request: IncomingMessage, refusal: Pick<HttpRefusal, "kind" | "message">) => void;
  readonly zstd?: Zstd;
  readonly limits?: Partial<HttpLimits>;
  /** Signs addresses for GitHub Actions; with the same key they outlive a restart. Default: a random one. */
  readonly signingKey?: Uint8Array;
  /** Told of errors that are bugs of handlers; the client gets 500. */
  readonly onFault?: (error: unknown) => void;
}

/** A handler for `openPort`, or for a server of `node:http`. */
export type HttpCaches = (request: IncomingMessage, response: ServerResponse, peer?: Peer) => void;

/** Makes the handler. */
export function httpCaches(options: HttpCachesOptions): HttpCaches {
  const { store, access, clock, random, zstd } = options;
  const services: HttpServices = {
    ...{ store, access, clock, random, zstd },
    limits: { ...DEFAULT_HTTP_LIMITS, ...options.limits },
    buffers: new PieceBuffers(),
    received: options.received ?? ignore,
  };
  const memory = new ByteBudget(services.limits.heldMaxBytes);
  const actions = actionsState(services, options.signingKey ?? random.bytes(32));
  return (request, response, peer = UNKNOWN_PEER) => {
    const { path, query } = requestTarget(request.url ?? "/");
    const route = routeOf(path);
    const held = new HeldBytes(memory);
    const exchange = { request, response, peer, services, held, query, caller: ANONYMOUS };
    response.on("error", ignore);
    request.on("error", ignore);
    serve(exchange, { options, actions, route }).then(
      () => held.giveBack(),
      (error) => {
        held.giveBack();
        settle(exchange, { options, route }, error);
      },
    );
  };
}

interface Handling {
  readonly options: HttpCachesOptions;
  readonly route: Route;
}

async function serve(
  anonymous: Exchange,
  { options, actions, route }: Handling & { readonly actions: ActionsState },
): Promise<void> {
  // Before anything is asked: signed addresses are a token.
  if (route.kind === "actions-blob") return await serveActionsBlob(anonymous, actions, route.token);
  const said = await options.identify?.(anonymous.request, anonymous.peer);
  if (said?.kind === "denied" && anonymous.request.method !== "OPTIONS") throw denial(said);
  const exchange = said?.kind === "caller" ? { ...anonymous, caller: said.caller } : anonymous;
  await serveRoute(exchange, actions, route);
}

async function serveRoute(exchange: Exchange, actions: ActionsState, route: Exclude<Route, { kind: "actions-blob" }>) {
  switch (route.kind) {
    case "blob":
      return await serveBlob(exchange, route);
    case "action-result":
      return await serveActionResult(exchange, route);
    case "turborepo":
      return await serveTurborepo(exchange, route.instance, route.call);
    case "nx":
      return await serveNx(exchange, route.instance, route.key);
    case "gradle":
      return await serveGradle(exchange, route.instance, route.key);
    case "value":
      return await serveValue(exchange, route);
    case "actions-call":
      return await serveActionsCall(exchange, actions, route.method);
    case "malformed":
      throw new HttpRefusal("malformed", route.message);
    case "unknown":
      throw new HttpRefusal("missing", "no cache is served at this path");
    default:
      return unreachable(route);
  }
}

/** Answers what was thrown. */
function settle(exchange: Exchange, { options, route }: Handling, error: unknown): void {
  const { request, response } = exchange;
  if (error instanceof ClientGone) {
    request.destroy();
    return;
  }
  const isRefusal = error instanceof HttpRefusal;
  if (!isRefusal) tell(options, error);
  const refusal = isRefusal ? error : new HttpRefusal("trouble", "something went wrong in the server");
  if (refusal !== MISSING) options.refused?.(request, refusal);
  // A part of it is out: cut it, so that nobody takes it for whole.
  if (response.headersSent) response.destroy();
  else refuse(exchange, route, refusal);
}

function tell({ onFault }: HttpCachesOptions, error: unknown): void {
  try {
    onFault?.(error);
  } catch {
    // There is nobody left to tell.
  }
}

function ignore(): void {}
