/**
 * What every plain HTTP request goes through: the server's own pages, then authentication, quotas, and the caches.
 *
 * Owns:      `/status`, `/metrics`, `/healthz`, `/readyz`.
 * Invariant: each exchange is counted once, when its answer is over; no request reaches a cache without a subject.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, Result } from "@kahn/core";
import type { AuthenticationRefusal, Authenticator } from "../access/authenticator.ts";
import type { Quotas } from "../access/quotas.ts";
import type { Subject } from "../access/subject.ts";
import { ANONYMOUS_SUBJECT } from "../access/subject.ts";
import type { Peer } from "../grpc/index.ts";
import { requestTarget } from "../http/exchange/request-target.ts";
import type { HttpCaches, Identified } from "../http/index.ts";
import type { HttpHandler } from "../port/index.ts";
import type { Access } from "../reapi/index.ts";
import type { CallObserver } from "./call-observer.ts";
import type { Metrics } from "./metrics.ts";
import { METRICS_CONTENT_TYPE } from "./metrics.ts";
import type { UnreadyReason } from "./readiness.ts";
import type { ServerStatus } from "./server-status.ts";

/** What `httpCaches` asks and tells the front. */
export interface CacheHooks {
  /** Whom a request comes from. */
  readonly identify: (request: IncomingMessage) => Identified;
  readonly received: (request: IncomingMessage, bytes: number) => void;
  readonly refused: (request: IncomingMessage, why: { readonly kind: string; readonly message: string }) => void;
}

/** What the front stands before. */
export interface HttpFrontOptions {
  readonly authenticator: Authenticator;
  readonly access: Access;
  readonly quotas: Quotas;
  readonly observer: CallObserver;
  readonly metrics: Metrics;
  readonly openMetrics: boolean;
  readonly clock: Clock;
  readonly status: () => ServerStatus;
  readonly unready: () => readonly UnreadyReason[];
  /** A word for the route of a path, one of few. */
  readonly routeName: (path: string) => string;
  /** False for a path of a protocol that is switched off. */
  readonly isServed: (path: string) => boolean;
  /** Makes the handler of the caches. */
  readonly caches: (hooks: CacheHooks) => HttpCaches;
}

const CHALLENGE = 'Bearer realm="kahn", Basic realm="kahn"';
const SENDING: ReadonlySet<string> = new Set(["PUT", "POST", "PATCH"]);

/** Makes the handler of plain HTTP. */
export function httpFront(options: HttpFrontOptions): HttpHandler {
  const identified = new WeakMap<IncomingMessage, Identified>();
  const exchanges = new WeakMap<IncomingMessage, ObservedExchange>();
  const caches = options.caches({
    identify: (request) => identified.get(request) ?? UNIDENTIFIED,
    received: (request, bytes) => {
      const exchange = exchanges.get(request);
      if (exchange === undefined) return;
      exchange.bodyBytes += bytes;
      if (SENDING.has(request.method ?? "")) options.quotas.addBytes(exchange.subject, bytes);
    },
    refused: (request, why) => {
      const exchange = exchanges.get(request);
      if (exchange !== undefined) exchange.refused = why;
    },
  });
  return (request, response, peer) => {
    const { path } = requestTarget(request.url ?? "/");
    const exchange = observed(options, { request, response, path, peer });
    exchanges.set(request, exchange);
    if (answerOwnPage(options, path, { request, response })) return;
    if (!options.isServed(path)) {
      request.resume();
      exchange.refused = { kind: "missing", message: "this protocol is switched off" };
      answerText(response, 404, `${exchange.refused.message}\n`);
      return;
    }
    const admit = (outcome: Result<Subject, AuthenticationRefusal>): void => {
      if (!outcome.ok) exchange.refused = { kind: outcome.problem.because, message: outcome.problem.message };
      if (!outcome.ok && outcome.problem.because === "overloaded") {
        answerText(response, 503, `${outcome.problem.message}\n`, { "retry-after": "1" });
        return;
      }
      if (outcome.ok) exchange.subject = outcome.value;
      identified.set(request, identifiedAs(outcome));
      if (path === "/metrics" && isRead(request)) answerMetrics(options, exchange, { response, outcome });
      else if (!isOverQuota(options, exchange, { request, response })) caches(request, response, peer);
    };
    const outcome = options.authenticator.authenticate(request.headers.authorization, peer);
    if (!(outcome instanceof Promise)) admit(outcome);
    else void outcome.then(admit).catch(() => response.destroy());
  };
}

/** Never seen by a cache: every request that comes to one was identified. */
const UNIDENTIFIED: Identified = { kind: "denied", because: "unauthenticated", message: "nobody knows who calls" };

interface Answering {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

function identifiedAs(outcome: Result<Subject, AuthenticationRefusal>): Identified {
  if (outcome.ok) return { kind: "caller", caller: outcome.value };
  return { kind: "denied", because: "unauthenticated", message: outcome.problem.message };
}

/** Answers what probes ask, who have no credentials. */
function answerOwnPage(options: HttpFrontOptions, path: string, { request, response }: Answering): boolean {
  if (!isRead(request)) return false;
  if (path === "/healthz") answerText(response, 200, "ok\n");
  else if (path === "/readyz") answerReadiness(options, response);
  else if (path === "/status") {
    const status = options.status();
    // Not 503: who reads the page wants the page; `/readyz` is for those who want the code.
    answerText(response, 200, `${JSON.stringify(status)}\n`, { "content-type": "application/json" });
  } else return false;
  return true;
}

function isOverQuota(
  { quotas }: HttpFrontOptions,
  exchange: ObservedExchange,
  { request, response }: Answering,
): boolean {
  const refused = SENDING.has(request.method ?? "") ? quotas.refusesBytes(exchange.subject) : undefined;
  if (refused === undefined) return false;
  exchange.refused = { kind: "quota", message: refused.message };
  const headers = { "retry-after": String(Math.ceil(refused.retryAfterMs / 1000)), connection: "close" };
  answerText(response, 429, `${refused.message}\n`, request.httpVersionMajor === 1 ? headers : {});
  // What it still sends is read away, so that it sees the answer.
  request.resume();
  return true;
}

interface ObservedExchange {
  subject: Subject;
  /** That a cache took. */
  bodyBytes: number;
  /** Why it was not answered as asked. */
  refused: { readonly kind: string; readonly message: string } | undefined;
}

function observed(
  options: HttpFrontOptions,
  { request, response, path, peer }: Answering & { readonly path: string; readonly peer: Peer },
): ObservedExchange {
  const { observer, clock } = options;
  const exchange: ObservedExchange = { subject: ANONYMOUS_SUBJECT, bodyBytes: 0, refused: undefined };
  const startedAtMs = clock.monotonicMs();
  const method = request.method ?? "";
  const route = options.routeName(path);
  const traceparent = request.headers.traceparent;
  const span = observer.beginExchange(`${method} ${route}`, typeof traceparent === "string" ? traceparent : undefined);
  response.once("close", () => {
    const length = Number(response.getHeader("content-length") ?? 0);
    observer.exchangeEnded(
      {
        ...{ route, method, path, receivedBytes: exchange.bodyBytes },
        peer: peer.name,
        subject: exchange.subject.name,
        // A client that left before its answer: what nginx calls it.
        status: response.headersSent ? response.statusCode : 499,
        sentBytes: method === "HEAD" || !Number.isSafeInteger(length) ? 0 : length,
        durationMs: clock.monotonicMs() - startedAtMs,
        refused: exchange.refused,
      },
      span,
    );
  });
  return exchange;
}

function answerMetrics(
  { access, metrics, openMetrics }: HttpFrontOptions,
  exchange: ObservedExchange,
  { response, outcome }: Pick<Answering, "response"> & { readonly outcome: Result<Subject, AuthenticationRefusal> },
): void {
  const may = outcome.ok ? access.may(outcome.value, { what: "admin", instance: "" }) : identifiedAs(outcome);
  if (openMetrics || may.kind !== "denied") {
    exchange.refused = undefined;
    answerText(response, 200, metrics.text(), { "content-type": METRICS_CONTENT_TYPE });
    return;
  }
  exchange.refused = { kind: may.because, message: may.message };
  if (may.because === "forbidden") answerText(response, 403, `${may.message}\n`);
  else answerText(response, 401, `${may.message}\n`, { "www-authenticate": CHALLENGE });
}

function answerReadiness(options: HttpFrontOptions, response: ServerResponse): void {
  const reasons = options.unready();
  const text = reasons.map(({ code, message }) => `${code}: ${message}\n`).join("");
  answerText(response, reasons.length === 0 ? 200 : 503, reasons.length === 0 ? "ok\n" : text);
}

/** Size: as `writeHead` and `end` together. */
function answerText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const length = Buffer.byteLength(text);
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "content-length": length, ...headers });
  response.end(text);
}

function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}
