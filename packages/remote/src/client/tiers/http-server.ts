/**
 * A cache of plain HTTP, as Bazel and its kin speak it: `GET`, `HEAD` and `PUT` of `ac/<hash>` and `cas/<hash>`.
 *
 * Owns:      requests, their repeats, deadlines and bound.
 * Never:     reads more of an answer than it was promised.
 */
import type { IncomingHttpHeaders, RequestOptions } from "node:http";
import type { Readable } from "node:stream";
import type { Clock, Random, Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { ChannelTls, Status } from "../../grpc/index.ts";
import { isAboutCertificate, StatusCode } from "../../grpc/index.ts";
import { Lanes } from "../calls/lanes.ts";
import type { RetryPolicy } from "../calls/retry.ts";
import { CACHE_RETRIES, withRetries } from "../calls/retry.ts";

/** How a server is reached. */
export interface HttpServerOptions {
  /** `http://host/prefix`; `ac/…` and `cas/…` are below it. */
  readonly url: URL;
  readonly clock: Clock;
  readonly random: Random;
  readonly tls?: ChannelTls;
  /** Sent with each request; names in lower case. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** See `Asked`. */
  readonly credentials?: string;
  readonly retries?: RetryPolicy;
  /** Without a byte of progress. Default: 20 s. */
  readonly stallMs?: number;
  /** Requests under way at once. Default: 16. */
  readonly requestsMax?: number;
}

/** What is asked. */
export interface HttpQuestion {
  readonly method: "GET" | "HEAD" | "PUT";
  /** For example `cas/<hash>`. */
  readonly path: string;
  /** Opened for each attempt. */
  readonly body?: { readonly sizeBytes: number; open(): Readable };
  /** Takes what a 200 brings, from the start at each attempt. */
  readonly take?: (bytes: Uint8Array) => boolean;
  readonly begin?: () => Promise<void>;
}

/** An answer that is one. */
export type HttpAnswer = "found" | "missing" | "refused-bytes";

/** A server that may be asked. */
export class HttpServer {
  /** For messages: its address, without what may be a password. */
  readonly name: string;
  readonly credentials: string | undefined;
  readonly #options: HttpServerOptions;
  readonly #lanes: Lanes;
  readonly #prefix: string;
  #agent: Promise<Agent> | undefined;

  constructor(options: HttpServerOptions) {
    const { url } = options;
    this.#options = options;
    this.credentials = options.credentials;
    this.#prefix = url.pathname.replace(/\/*$/, "/");
    this.name = `${url.protocol}//${url.host}${this.#prefix.slice(0, -1)}`;
    this.#lanes = new Lanes(options.requestsMax ?? 16);
  }

  /** Asks, repeated as far as that helps. */
  ask(question: HttpQuestion): Promise<Result<HttpAnswer, Status>> {
    const { clock, random, retries = CACHE_RETRIES } = this.#options;
    return this.#lanes.run(() =>
      withRetries({ clock, random, policy: retries }, async () => {
        await question.begin?.();
        return this.#attempt(question);
      }),
    );
  }

  /** Ends idle connections. */
  async close(): Promise<void> {
    (await this.#agent)?.agent.destroy();
  }

  async #attempt({ method, path, body, take }: HttpQuestion): Promise<Result<HttpAnswer, Status>> {
    this.#agent ??= openAgent(this.#options);
    const { agent, request: start } = await this.#agent;
    const { url, headers, clock, stallMs = 20_000 } = this.#options;
    return new Promise((resolve) => {
      const request = start({
        method,
        agent,
        host: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
        path: this.#prefix + path,
        headers: {
          ...(url.username === "" ? {} : { authorization: basic(url) }),
          ...headers?.(),
          ...(body === undefined
            ? {}
            : { "content-length": body.sizeBytes, "content-type": "application/octet-stream" }),
        },
      });
      let lastMs = clock.monotonicMs();
      const look = () => {
        const leftMs = lastMs + stallMs - clock.monotonicMs();
        if (leftMs > 0) timer = clock.setTimer(leftMs, look);
        else request.destroy(new Error(`nothing moved for ${stallMs} ms`));
      };
      let timer = clock.setTimer(stallMs, look);
      const moved = () => {
        lastMs = clock.monotonicMs();
      };
      const finish = (answer: Result<HttpAnswer, Status>) => {
        timer.cancel();
        resolve(answer);
      };
      request.on("error", (error) => finish(err(notReached(error))));
      request.on("response", (response) => {
        const answer = judge(response.statusCode ?? 0, response.headers);
        const wanted = answer.ok && answer.value === "found" && method === "GET";
        let refused = false;
        response.on("data", (bytes: Buffer) => {
          moved();
          if (!wanted || refused || take?.(bytes) !== false) return;
          refused = true;
          request.destroy();
        });
        response.on("error", () => {}); // `close` follows and tells the same.
        response.on("close", () => {
          if (refused) finish(ok("refused-bytes"));
          else if (response.complete) finish(answer);
          else finish(err({ code: StatusCode.unavailable, message: "the connection was lost" }));
        });
      });
      if (body === undefined) request.end();
      else {
        const source = body.open();
        source.on("data", moved);
        source.on("error", (error) => request.destroy(error));
        source.pipe(request);
      }
    });
  }
}

interface Agent {
  readonly agent: import("node:http").Agent;
  readonly request: (options: RequestOptions) => import("node:http").ClientRequest;
}

async function openAgent({ url, tls, requestsMax = 16 }: HttpServerOptions): Promise<Agent> {
  const shared = { keepAlive: true, maxSockets: requestsMax };
  if (url.protocol === "https:") {
    const https = await import("node:https");
    const agent = new https.Agent({
      ...shared,
      ...(tls?.authorities === undefined ? {} : { ca: tls.authorities }),
      ...(tls?.certificate === undefined ? {} : { cert: tls.certificate }),
      ...(tls?.key === undefined ? {} : { key: tls.key }),
      ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
    });
    return { agent, request: (options) => https.request(options) };
  }
  const http = await import("node:http");
  return { agent: new http.Agent(shared), request: (options) => http.request(options) };
}

function notReached({ code, message }: NodeJS.ErrnoException): Status {
  return { code: StatusCode.unavailable, message, ...(isAboutCertificate(code) ? { about: "certificate" } : {}) };
}

function judge(status: number, headers: IncomingHttpHeaders): Result<HttpAnswer, Status> {
  if (status >= 200 && status < 300) return ok("found");
  if (status === 404) return ok("missing");
  const message = `HTTP status ${status}${headers["retry-after"] === undefined ? "" : ", to be tried later"}`;
  if (status === 401) return err({ code: StatusCode.unauthenticated, message });
  if (status === 403) return err({ code: StatusCode.permissionDenied, message });
  const isPassing = status === 408 || status === 429 || status >= 500;
  return err({ code: isPassing ? StatusCode.unavailable : StatusCode.failedPrecondition, message });
}

function basic({ username, password }: URL): string {
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(text).toString("base64")}`;
}
