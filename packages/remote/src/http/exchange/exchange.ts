/** One request and its answer, with what answering takes: the services of the server, and who asks. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Clock, Random } from "@kahn/core";
import type { Peer } from "../../grpc/index.ts";
import { parseInstanceName } from "../../names/resource-name.ts";
import type { Access, AccessAnswer, AccessQuestion, Caller } from "../../reapi/requests/access-port.ts";
import type { PieceBuffers } from "../../reapi/streams/blob-pieces.ts";
import type { Zstd } from "../../reapi/wire/zstd-port.ts";
import type { ActionScope, ServerStore } from "../../store/server-store.ts";
import type { HeldBytes } from "./held-bytes.ts";
import { HttpRefusal } from "./http-refusal.ts";

/** Bounds on what requests can take. */
export interface HttpLimits {
  /** Of a JSON request, and of an action result in JSON. */
  readonly jsonMaxBytes: number;
  /** Of bodies that are in memory, of all requests together. */
  readonly heldMaxBytes: number;
  /** A binary body at `/ac/` is looked at up to here; a longer one is opaque. */
  readonly actionResultMaxBytes: number;
  /** In every such time a body has to bring so many bytes, and a client has to take what it was sent. */
  readonly paceMs: number;
  readonly paceMinBytes: number;
  /** After a refusal so much of the body, for so long, is read away, that the client may see the answer. */
  readonly discardMaxBytes: number;
  readonly discardMaxMs: number;
  /** Uploads of GitHub Actions that are under way at once, and how long an idle one is kept. */
  readonly actionsUploadsMax: number;
  readonly actionsUploadKeptMs: number;
}

/** Limits for a server of a team. */
export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  jsonMaxBytes: 16 << 20,
  heldMaxBytes: 256 << 20,
  actionResultMaxBytes: 4 << 20,
  paceMs: 30_000,
  paceMinBytes: 1024,
  discardMaxBytes: 16 << 20,
  discardMaxMs: 5_000,
  actionsUploadsMax: 1000,
  actionsUploadKeptMs: 10 * 60_000,
};

/** What every protocol is made with. */
export interface HttpServices {
  readonly store: ServerStore;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly zstd: Zstd | undefined;
  readonly limits: HttpLimits;
  /** For pieces of large blobs. */
  readonly buffers: PieceBuffers;
  /** Told of the bytes of bodies as they come. */
  readonly received: (request: IncomingMessage, bytes: number) => void;
}

/** A request that is being answered. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly peer: Peer;
  readonly caller: Caller;
  readonly services: HttpServices;
  /** What its body holds of memory. */
  readonly held: HeldBytes;
  /** What stands behind the question mark. */
  readonly query: string;
}

/** Answers in full. */
export function answer(
  { response, request }: Exchange,
  status: number,
  { headers = {}, body = "" }: { readonly headers?: OutgoingHttpHeaders; readonly body?: string | Uint8Array } = {},
): void {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  response.writeHead(status, { ...headers, "content-length": length });
  if (request.method === "HEAD" || length === 0) response.end();
  else response.end(body);
}

/** Answers 200 with JSON. */
export function answerJson(exchange: Exchange, value: unknown, headers: OutgoingHttpHeaders = {}): void {
  const type = { "content-type": "application/json", ...headers };
  answer(exchange, 200, { headers: type, body: JSON.stringify(value) });
}

/** The layer of an instance that the caller may read or write. @throws HttpRefusal when it may not. */
export function permitted(exchange: Exchange, what: AccessQuestion["what"], instanceName: string): ActionScope {
  const instance = parseInstanceName(instanceName);
  if (!instance.ok) throw new HttpRefusal("malformed", instance.problem.message);
  const said = exchange.services.access.may(exchange.caller, { what, instance: instance.value });
  if (said.kind === "denied") throw denial(said);
  return said.kind === "overlay" ? { instance: instance.value, overlay: said.overlay } : { instance: instance.value };
}

/** A denial as a refusal. */
export function denial({ because, message }: Extract<AccessAnswer, { readonly kind: "denied" }>): HttpRefusal {
  if (because === "forbidden") return new HttpRefusal("forbidden", message);
  return new HttpRefusal("unauthenticated", message, { "www-authenticate": 'Bearer realm="kahn", Basic realm="kahn"' });
}

/** @throws HttpRefusal unless the request's method is one of these. */
export function onlyMethods({ request }: Exchange, ...methods: readonly string[]): void {
  if (methods.includes(request.method ?? "")) return;
  const message = `${request.method} is not answered here; ${methods.join(", ")} are`;
  throw new HttpRefusal("method-unknown", message, { allow: methods.join(", ") });
}

/** True for the methods that read. */
export function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}
