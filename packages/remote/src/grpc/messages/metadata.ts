/**
 * Metadata: the headers of a call beyond those of the protocol.
 *
 * Owns:      reading received headers (`-bin` ones as bytes), and putting metadata of ours into headers.
 * Invariant: names are lower-case; a `-bin` value is bytes on our side and unpadded base64 on the wire.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { InvariantError } from "@kahn/core";
import { unpaddedBase64 } from "./status.ts";

/** Metadata to send: text for plain names, bytes for names that end in `-bin`; a list repeats the name. */
export type OutgoingMetadata = Readonly<Record<string, MetadataValue | readonly MetadataValue[]>>;

/** One value to send. */
export type MetadataValue = string | Uint8Array;

/** Metadata that a peer sent. Reads the headers only when asked. */
export class Metadata {
  /** The headers as `node:http2` gives them; repeated ones are joined by a comma. */
  readonly headers: IncomingHttpHeaders;

  constructor(headers: IncomingHttpHeaders) {
    this.headers = headers;
  }

  /** The text of a header, repeated ones joined by `, `; `undefined` if it is absent. Not for `-bin` names. */
  text(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** The bytes of each value of a header whose name ends in `-bin`; padding does not matter. Empty if it is absent. */
  bytes(name: string): readonly Uint8Array[] {
    const joined = this.text(name);
    if (joined === undefined) return [];
    return joined.split(",").map((value) => new Uint8Array(Buffer.from(value.trim(), "base64")));
  }

  /** The names that are not part of HTTP/2 or of gRPC itself. */
  names(): readonly string[] {
    return Object.keys(this.headers).filter((name) => !isReserved(name));
  }
}

/** No metadata. */
export const NO_METADATA: OutgoingMetadata = Object.freeze({});

/**
 * Adds metadata to headers in place.
 *
 * @throws InvariantError for a name that is not a legal one or belongs to the protocol, and for text or bytes where the
 *         name wants the other: the caller is ours.
 */
export function addMetadata(headers: OutgoingHttpHeaders, metadata: OutgoingMetadata): void {
  for (const [name, value] of Object.entries(metadata)) {
    if (!/^[0-9a-z_.-]+$/.test(name) || isReserved(name)) throw new InvariantError(`metadata cannot be named ${name}`);
    const values = Array.isArray(value) ? (value as readonly MetadataValue[]) : [value as MetadataValue];
    const wire = values.map((each) => wireValue(name, each));
    headers[name] = wire.length === 1 ? wire[0]! : wire;
  }
}

function wireValue(name: string, value: MetadataValue): string {
  const isBinary = name.endsWith("-bin");
  if (typeof value === "string" && !isBinary) return value;
  if (typeof value !== "string" && isBinary) return unpaddedBase64(value);
  throw new InvariantError(`metadata ${name} takes ${isBinary ? "bytes" : "text"}`);
}

const PROTOCOL = new Set(["content-type", "te", "host", "content-length", "connection", "transfer-encoding", "date"]);

function isReserved(name: string): boolean {
  return name.startsWith(":") || name.startsWith("grpc-") || PROTOCOL.has(name);
}
