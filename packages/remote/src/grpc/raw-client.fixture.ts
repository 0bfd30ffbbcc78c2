/** A bare HTTP/2 client for tests: sends exactly the bytes it is told, and shows exactly what comes back. */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import type { TestServer } from "./echo.fixture.ts";

/** What came back on one stream. */
export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** HTTP/2 error code of a reset; 0 for none. */
  readonly rstCode: number;
  /** From trailers or, where the answer is trailers only, headers. */
  readonly status: string | undefined;
}

/** Opens a connection; errors of it are left to its streams. @param localAddress where it comes from. */
export async function rawSession(server: TestServer, localAddress = "127.0.0.1"): Promise<ClientHttp2Session> {
  const { target } = server;
  const [host = "", port] = target.split(":");
  const to = host === "unix" ? { path: target.slice(5) } : { host, port: Number(port), localAddress };
  const session = connect("http://localhost", { createConnection: () => connectSocket(to) });
  session.on("error", () => {});
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  return session;
}

/** One frame: prefix and message. */
export function frame(message: Uint8Array | string, flag = 0): Buffer {
  const bytes = Buffer.from(message as Uint8Array);
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** Begins a stream with the headers of gRPC. */
export function rawStream(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const stream = session.request(
    { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers },
    { endStream: false },
  );
  stream.on("error", () => {});
  return stream;
}

/** Waits for the end of a stream. */
export function rawAnswer(stream: ClientHttp2Stream): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    stream.on("response", (received) => {
      headers = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("close", () => {
      const status = (trailers["grpc-status"] ?? headers["grpc-status"]) as string | undefined;
      resolve({ headers, trailers, body: Buffer.concat(chunks), rstCode: stream.rstCode, status });
    });
  });
}

/** One call: these chunks, each written by itself, then the end. */
export async function rawCall(
  session: ClientHttp2Session,
  path: string,
  chunks: readonly Uint8Array[],
  headers: OutgoingHttpHeaders = {},
): Promise<RawAnswer> {
  const stream = rawStream(session, path, headers);
  const answer = rawAnswer(stream);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return answer;
}

/** Waits until a condition holds, without a clock. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
