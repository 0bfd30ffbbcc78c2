/** A small service for tests of the transport: one method of each kind, on raw bytes. */
import type { Clock } from "@kahn/core";
import { nodeClock } from "@kahn/system";
import type { Port, PortOptions } from "../port/index.ts";
import { openPort } from "../port/index.ts";
import type { GrpcServerOptions, Registration } from "./index.ts";
import { GrpcServer, RAW_PARTS, StatusCode, StatusError, serve } from "./index.ts";

const raw = { request: RAW_PARTS, response: RAW_PARTS } as const;

/** Answers with the request. */
export const ECHO = { path: "/test.Echo/Unary", kind: "unary", ...raw } as const;
/** Answers with as many messages of as many bytes as the request says: `count size`. */
export const COUNT = { path: "/test.Echo/Count", kind: "server-streaming", ...raw } as const;
/** Answers with the number of messages and bytes: `count bytes`. */
export const SUM = { path: "/test.Echo/Sum", kind: "client-streaming", ...raw } as const;
/** Answers each message with itself. */
export const CHAT = { path: "/test.Echo/Chat", kind: "bidirectional", ...raw } as const;
/** Answers the first message, and no more. */
export const FIRST = { path: "/test.Echo/First", kind: "client-streaming", ...raw } as const;
/** Fails as the request says: `code message`, or throws what is no status for an empty one. */
export const FAIL = { path: "/test.Echo/Fail", kind: "unary", ...raw } as const;
/** Never answers; resolves when it is cancelled. */
export const HANG = { path: "/test.Echo/Hang", kind: "unary", ...raw } as const;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

/** The handlers. */
export const ECHO_SERVICE: readonly Registration[] = [
  serve(ECHO, (request) => request),
  serve(COUNT, async (request, call) => {
    const [count = 0, size = 0] = text(request).split(" ").map(Number);
    const message = Buffer.alloc(size, "x");
    for (let sent = 0; sent < count; sent++) await call.send(message);
  }),
  serve(SUM, async (requests) => {
    let count = 0;
    let bytes = 0;
    for await (const request of requests) {
      count++;
      bytes += request.length;
    }
    return Buffer.from(`${count} ${bytes}`);
  }),
  serve(CHAT, async (requests, call) => {
    for await (const request of requests) await call.send(request);
  }),
  serve(FIRST, async (requests) => {
    await requests.ready();
    return requests.poll() ?? Buffer.alloc(0);
  }),
  serve(FAIL, (request, call) => {
    if (request.length === 0) throw new TypeError("a bug of the handler");
    const [code, ...words] = text(request).split(" ");
    call.setTrailers({ "x-trailer": "said", "x-trailer-bin": Buffer.from([0, 255]) });
    throw new StatusError(Number(code) as StatusCode, words.join(" "), Buffer.from([8, Number(code)]));
  }),
  serve(HANG, (_request, call) => {
    return new Promise((_resolve, reject) => {
      call.signal.addEventListener("abort", () => reject(new StatusError(StatusCode.cancelled, "hung up")));
    });
  }),
];

/** A server on a port of its own. */
export interface TestServer {
  readonly grpc: GrpcServer;
  readonly port: Port;
  /** `127.0.0.1:PORT`, or `unix:PATH`. */
  readonly target: string;
  /** What broke that is a bug. */
  readonly faults: unknown[];
  close(): Promise<void>;
}

/** Starts a server for a test; what is left out serves the echo service on loopback. */
export async function startServer(
  grpcOptions: Partial<GrpcServerOptions> = {},
  portOptions: Partial<PortOptions> = {},
): Promise<TestServer> {
  const clock: Clock = grpcOptions.clock ?? nodeClock();
  const faults: unknown[] = [];
  const onFault = (error: unknown) => void faults.push(error);
  const grpc = new GrpcServer({ services: ECHO_SERVICE, clock, onFault, ...grpcOptions });
  const opened = await openPort({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    clock,
    onStream: (stream, headers, peer) => grpc.accept(stream, headers, peer),
    onFault,
    ...portOptions,
  });
  if (!opened.ok) throw new Error(opened.problem.message);
  const port = opened.value;
  const { address } = port;
  return {
    grpc,
    port,
    target: address.kind === "unix" ? `unix:${address.path}` : `127.0.0.1:${address.port}`,
    faults,
    close: async () => {
      grpc.close();
      await port.close();
    },
  };
}
