/** The headers and trailers that a server answers with. */
import type { OutgoingHttpHeaders } from "node:http2";
import { ACCEPTED_ENCODINGS } from "../messages/message-encoding.ts";
import type { OutgoingMetadata } from "../messages/metadata.ts";
import { addMetadata, NO_METADATA } from "../messages/metadata.ts";
import type { Status } from "../messages/status.ts";
import { statusHeaders } from "../messages/status.ts";

/** Of every answer. `node:http2` copies headers, so the one frozen object serves all. */
const RESPONSE_HEADERS: OutgoingHttpHeaders = Object.freeze({
  ":status": 200,
  "content-type": "application/grpc",
  "grpc-accept-encoding": ACCEPTED_ENCODINGS,
});

/** The headers before the first message. */
export function responseHeaders(metadata: OutgoingMetadata, isGzip: boolean): OutgoingHttpHeaders {
  if (!isGzip && metadata === NO_METADATA) return RESPONSE_HEADERS;
  const headers = { ...RESPONSE_HEADERS };
  if (isGzip) headers["grpc-encoding"] = "gzip";
  addMetadata(headers, metadata);
  return headers;
}

/** The headers of an answer that is a status alone. */
export function trailersOnly(status: Status, ...metadata: readonly OutgoingMetadata[]): OutgoingHttpHeaders {
  const headers = { ...RESPONSE_HEADERS, ...statusHeaders(status) };
  for (const each of metadata) addMetadata(headers, each);
  return headers;
}

/** The trailers after the last message. */
export function responseTrailers(status: Status, metadata: OutgoingMetadata): OutgoingHttpHeaders {
  if (metadata === NO_METADATA) return statusHeaders(status);
  const trailers = { ...statusHeaders(status) };
  addMetadata(trailers, metadata);
  return trailers;
}
