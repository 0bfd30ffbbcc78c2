/** The HTTP caches on a port of their own, over a store in memory, under a clock that stands still. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { invariant } from "@kahn/core";
import { virtualClock } from "@kahn/testing";
import type { Port } from "../port/index.ts";
import { openPort } from "../port/index.ts";
import { memoryServerStore } from "../reapi/memory-server-store.fixture.ts";
import type { Access, AccessAnswer, AccessQuestion } from "../reapi/requests/access-port.ts";
import { OPEN_ACCESS } from "../reapi/requests/access-port.ts";
import { STORED_ZSTD } from "../reapi/stored-zstd.fixture.ts";
import type { HttpCaches, HttpCachesOptions } from "./http-caches.ts";
import { httpCaches } from "./http-caches.ts";

/** What tests may set. */
export interface TestCachesOptions extends Partial<Omit<HttpCachesOptions, "store">> {
  readonly maxBlobBytes?: number;
}

/** One request that is over. */
export interface SeenExchange {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly refusal: string | undefined;
}

/** A running server. */
export type TestCaches = Awaited<ReturnType<typeof testCaches>>;

/** Starts one; `await using` closes it. */
export async function testCaches({ maxBlobBytes, ...options }: TestCachesOptions = {}) {
  const store = memoryServerStore(maxBlobBytes === undefined ? {} : { maxBlobBytes });
  const clock = virtualClock();
  const faults: unknown[] = [];
  const events: SeenExchange[] = [];
  const refusals = new WeakMap<IncomingMessage, string>();
  const handler = httpCaches({
    store,
    clock,
    access: OPEN_ACCESS,
    random: { bytes: (length) => randomBytes(length) },
    zstd: STORED_ZSTD,
    refused: (request, { message }) => void refusals.set(request, message),
    onFault: (error) => faults.push(error),
    ...options,
  });
  const onFault = (error: unknown) => void faults.push(error);
  const address = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  const onRequest: HttpCaches = (request, response, peer) => {
    const { method = "", url = "" } = request;
    response.once("close", () => {
      const status = response.headersSent ? response.statusCode : 499;
      events.push({ method, url, status, refusal: refusals.get(request) });
    });
    handler(request, response, peer);
  };
  const opened = await openPort({ address, clock, onRequest, onFault });
  invariant(opened.ok, "a free port is opened");
  const port: Port = opened.value;
  invariant(port.address.kind === "tcp", "it is of TCP");
  const number = port.address.port;
  return {
    ...{ store, clock, faults, events, port },
    base: `http://127.0.0.1:${number}`,
    number,
    [Symbol.asyncDispose]: () => port.close(),
  };
}

/** Rights that a function decides. */
export function accessOf(may: (question: AccessQuestion) => AccessAnswer): Access {
  return { may: (_, question) => may(question) };
}

/** `fetch`, with the body read. */
export async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, { redirect: "error", ...init });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes, text: bytes.toString() };
}

/** A PUT. */
export function put(url: string, body: Uint8Array | string, headers: Record<string, string> = {}) {
  return ask(url, { method: "PUT", body, headers });
}

/** A body without a length. */
export function chunked(...pieces: readonly Uint8Array[]): RequestInit {
  const body = new ReadableStream({
    start: (controller) => {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  return { body, duplex: "half" } as RequestInit;
}

/** A connection on which tests say what no client says. */
export async function rawConnection(port: number) {
  const socket: Socket = connect({ host: "127.0.0.1", port });
  let heard = "";
  const listeners = new Set<() => void>();
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1");
    for (const each of listeners) each();
  });
  socket.on("error", () => {});
  let isClosed = false;
  const closed = new Promise<void>((resolve) =>
    socket.on("close", () => {
      isClosed = true;
      for (const each of listeners) each();
      resolve();
    }),
  );
  await new Promise((resolve) => socket.once("connect", resolve));
  return {
    socket,
    closed,
    heard: () => heard,
    /** Resolves with all that was heard once it holds the text, or the connection closed. */
    hears: (text: string) =>
      new Promise<string>((resolve) => {
        const look = () => {
          if (!heard.includes(text) && !isClosed) return;
          listeners.delete(look);
          resolve(heard);
        };
        listeners.add(look);
        look();
      }),
  };
}

/** Resolves when the condition holds; turns of the event loop pass, no time. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
