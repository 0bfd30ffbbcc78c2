/**
 * Refusals on the wire: each protocol's words, and a connection that stays usable or is closed in good order.
 *
 * Method: a client that is still sending would, were its connection closed at once, be reset before it read the answer.
 *         So a short rest of a body is read away, and the connection kept; of a long one only a part, and then closed.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { nxStatus } from "./artifacts/nx.ts";
import type { Exchange } from "./exchange/exchange.ts";
import type { HttpRefusal, RefusalKind } from "./exchange/http-refusal.ts";
import { REFUSAL_STATUS } from "./exchange/http-refusal.ts";
import type { Route } from "./exchange/route.ts";
import { SERVED } from "./exchange/route.ts";

/** A longer rest is not worth a connection. */
const KEPT_REST_BYTES = 1 << 20;

/** Troubles of the store, which a reader is told as a miss. */
const TROUBLES: ReadonlySet<RefusalKind> = new Set(["trouble", "unavailable", "full"]);

/** Answers with a refusal. The head must not have been sent. */
export function refuse(exchange: Exchange, route: Route, refusal: HttpRefusal): void {
  const { request, response } = exchange;
  const status = statusOf(exchange, route, refusal.kind);
  const { type, body } = wording(route, refusal, status);
  const length = Buffer.byteLength(body);
  const headers: OutgoingHttpHeaders = { ...refusal.headers, "content-type": type, "content-length": length };
  const shown = request.method === "HEAD" ? "" : body;
  if (request.readableEnded || isShortRest(request)) {
    response.writeHead(status, headers);
    response.end(shown);
    request.resume();
    return;
  }
  if (request.httpVersionMajor === 1) headers.connection = "close";
  response.writeHead(status, headers);
  response.write(shown);
  lingerAndEnd(exchange);
}

/** The answer is out in full; its end, which closes the connection, waits for the client to be done sending. */
function lingerAndEnd({ request, response, services }: Exchange): void {
  const { discardMaxBytes, discardMaxMs } = services.limits;
  let bytes = 0;
  const end = () => {
    timer.cancel();
    request.off("data", onData).off("end", end).off("close", end);
    finish(request, response);
  };
  const timer = services.clock.setTimer(discardMaxMs, end);
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardMaxBytes) end();
  };
  request.on("data", onData).on("end", end).on("close", end);
  request.resume();
}

function finish(request: IncomingMessage, response: ServerResponse): void {
  const isDone = request.readableEnded;
  response.end(() => {
    // What a client sends after all that is nobody's; over HTTP/2 this ends its stream alone.
    if (!isDone) request.destroy();
  });
}

function isShortRest({ headers, httpVersionMajor }: IncomingMessage): boolean {
  const length = headers["content-length"];
  if (length !== undefined) return Number(length) <= KEPT_REST_BYTES;
  // Over HTTP/2 nobody knows; over HTTP/1.1 there is no body then.
  return httpVersionMajor === 1 && headers["transfer-encoding"] === undefined;
}

function statusOf({ request }: Exchange, route: Route, kind: RefusalKind): number {
  if (route.kind === "nx") return nxStatus(kind, request.method);
  const isRead = request.method === "GET" || request.method === "HEAD";
  return isRead && TROUBLES.has(kind) ? 404 : REFUSAL_STATUS[kind];
}

interface Wording {
  readonly type: string;
  readonly body: string;
}

const JSON_TYPE = "application/json";

/** Codes of Twirp, which has fewer than HTTP. */
const TWIRP_CODES: Partial<Record<RefusalKind, string>> = {
  malformed: "invalid_argument",
  unauthenticated: "unauthenticated",
  forbidden: "permission_denied",
  missing: "not_found",
  "method-unknown": "bad_route",
  exists: "already_exists",
  "too-large": "invalid_argument",
  unavailable: "unavailable",
  full: "resource_exhausted",
};

/** Codes of Turborepo's API. */
const TURBOREPO_CODES: Partial<Record<RefusalKind, string>> = {
  malformed: "bad_request",
  unauthenticated: "unauthorized",
  missing: "not_found",
};

function wording(route: Route, { kind, message }: HttpRefusal, status: number): Wording {
  switch (route.kind) {
    case "turborepo": {
      const code = TURBOREPO_CODES[kind] ?? kind.replaceAll("-", "_");
      return { type: JSON_TYPE, body: JSON.stringify({ error: { code, message } }) };
    }
    case "actions-call":
      return { type: JSON_TYPE, body: JSON.stringify({ code: TWIRP_CODES[kind] ?? "internal", msg: message }) };
    case "unknown":
      return {
        type: JSON_TYPE,
        body: `${JSON.stringify({ error: { code: kind, message }, served: SERVED }, null, 2)}\n`,
      };
    case "actions-blob":
      return {
        type: "application/xml",
        body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${kind}</Code></Error>`,
      };
    default:
      // Clients show this text, or nobody sees it.
      return { type: "text/plain", body: status === 404 && kind === "missing" ? "not found\n" : `${message}\n` };
  }
}
