/**
 * Plain HTTP over HTTP/2: the request and response objects of Node's compatibility layer, made by hand.
 *
 * A `request` listener on the http2 server would make Node wrap every stream, gRPC's too, and its trailers would come
 * before ours (trap 1). So only streams that gRPC did not want are wrapped, here.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request and its response, as handlers of HTTP/1.1 know them. */
export interface HttpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Wraps a stream that nobody has touched; answers `expect: 100-continue` as a server of HTTP/1.1 does. */
export function compatExchange(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): HttpExchange {
  // Without a listener an aborted upload would end the process.
  stream.on("error", () => {});
  const request = new Http2ServerRequest(stream, headers, {}, []);
  const response = new Http2ServerResponse(stream);
  if (headers.expect === "100-continue") response.writeContinue();
  // The two families agree in what HTTP handlers use: headers, streams, status, end.
  return { request: request as unknown as IncomingMessage, response: response as unknown as ServerResponse };
}
