/**
 * What became of a call: the code, the message and the details that end it.
 *
 * Owns:   the codes, `StatusError`, and how a status stands in trailers (percent-encoding, `grpc-status-details-bin`).
 * Source: gRPC's "PROTOCOL-HTTP2" and "statuscodes"; `google.rpc.Status` has code = 1, message = 2, details = 3.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";

/** The status codes of gRPC by name. */
export const StatusCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** One of gRPC's seventeen codes. */
export type StatusCode = (typeof StatusCode)[keyof typeof StatusCode];

/** How a call ended. */
export interface Status {
  readonly code: StatusCode;
  /** For people; empty for OK. */
  readonly message: string;
  /** An encoded `google.rpc.Status` with the same code and message, where there are details. */
  readonly details?: Uint8Array;
  /** True when the peer is known not to have begun the call, so that any call may be made again at once. */
  readonly unprocessed?: true;
  /** Set when no connection came about because one side did not accept the certificate of the other. */
  readonly about?: "certificate";
}

/** The end of a call that went well. */
export const OK: Status = { code: StatusCode.ok, message: "" };

/** Carries a status out of a handler. What else a handler throws is a fault and is answered INTERNAL. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: Status;
  constructor(code: StatusCode, message: string, details?: Uint8Array) {
    super(message);
    this.status = details === undefined ? { code, message } : { code, message, details };
  }
}

/** Longest message and longest details in trailers, in bytes: clients refuse more than 8 KiB of headers as a whole. */
const MESSAGE_MAX_BYTES = 2048;
const DETAILS_MAX_BYTES = 4096;

/** The trailers that say OK, without any metadata. Never mutated: `node:http2` copies what it is given. */
const OK_TRAILERS: OutgoingHttpHeaders = Object.freeze({ "grpc-status": "0" });

/**
 * The headers that end a call with this status. Details that are too long for any client's header limit are left out,
 * and a message that is too long is cut: code and message arriving is worth more.
 */
export function statusHeaders(status: Status): OutgoingHttpHeaders {
  if (status.code === StatusCode.ok && status.message === "" && status.details === undefined) return OK_TRAILERS;
  const headers: OutgoingHttpHeaders = { "grpc-status": String(status.code) };
  if (status.message !== "") headers["grpc-message"] = percentEncode(status.message);
  if (status.details !== undefined && status.details.length <= DETAILS_MAX_BYTES) {
    headers["grpc-status-details-bin"] = unpaddedBase64(status.details);
  }
  return headers;
}

/** The status that headers or trailers carry, `undefined` if they carry none. An unknown code is UNKNOWN. */
export function statusOf(headers: IncomingHttpHeaders): Status | undefined {
  const text = headers["grpc-status"];
  if (typeof text !== "string") return undefined;
  const code = /^(\d|1[0-6])$/.test(text) ? (Number(text) as StatusCode) : StatusCode.unknown;
  const encoded = headers["grpc-message"];
  const message = typeof encoded === "string" ? percentDecode(encoded) : "";
  const details = headers["grpc-status-details-bin"];
  return typeof details === "string" ? { code, message, details: Buffer.from(details, "base64") } : { code, message };
}

/** The status that stands for an HTTP answer that is not one of gRPC. */
export function statusOfHttp(httpStatus: number): Status {
  const message = `the peer answered with HTTP status ${httpStatus}, not with gRPC`;
  return { code: HTTP_CODES.get(httpStatus) ?? StatusCode.unknown, message };
}

const HTTP_CODES: ReadonlyMap<number, StatusCode> = new Map([
  [400, StatusCode.internal],
  [401, StatusCode.unauthenticated],
  [403, StatusCode.permissionDenied],
  [404, StatusCode.unimplemented],
  [429, StatusCode.unavailable],
  [502, StatusCode.unavailable],
  [503, StatusCode.unavailable],
  [504, StatusCode.unavailable],
]);

/** The status that stands for a stream that the peer reset with this HTTP/2 error code. */
export function statusOfReset(rstCode: number): Status {
  if (rstCode === 7) return { code: StatusCode.unavailable, message: "the peer refused the stream", unprocessed: true };
  const message = `the peer reset the stream with HTTP/2 error ${rstCode}`;
  return { code: RESET_CODES.get(rstCode) ?? StatusCode.internal, message };
}

const RESET_CODES: ReadonlyMap<number, StatusCode> = new Map([
  [8, StatusCode.cancelled],
  [11, StatusCode.resourceExhausted],
  [12, StatusCode.permissionDenied],
]);

/** Base64 as gRPC wants it: standard alphabet, no padding. */
export function unpaddedBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64").replace(/=+$/, "");
}

/** Everything but printable ASCII, and `%` itself, as `%XX` of its UTF-8 bytes. */
export function percentEncode(message: string): string {
  if (message.length <= MESSAGE_MAX_BYTES / 4 && !/[^ -$&-~]/.test(message)) return message;
  let encoded = "";
  for (const character of message) {
    const next = /^[ -$&-~]$/.test(character) ? character : percentBytes(character);
    if (encoded.length + next.length > MESSAGE_MAX_BYTES) break;
    encoded += next;
  }
  return encoded;
}

function percentBytes(character: string): string {
  return Buffer.from(character, "utf8").toString("hex").toUpperCase().replace(/../g, "%$&");
}

/** The reverse of `percentEncode`. A broken escape stays as it is, broken UTF-8 becomes U+FFFD: a message is for people. */
export function percentDecode(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length; at++) {
    const isEscape = /^%[0-9a-fA-F]{2}/.test(encoded.slice(at, at + 3));
    if (isEscape) bytes.push(Number.parseInt(encoded.slice(at + 1, at + 3), 16));
    else bytes.push(...Buffer.from(encoded[at]!, "utf8"));
    if (isEscape) at += 2;
  }
  return Buffer.from(bytes).toString("utf8");
}
