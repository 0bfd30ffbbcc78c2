/**
 * Encoding of messages: the prefix, and gzip where a peer asks for it.
 *
 * Invariant: bytes of a message that is not compressed are never copied if they are many; a compressed message is never
 *            unpacked beyond the limit of its receiver.
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { PREFIX_BYTES } from "./frame-reader.ts";

/** An encoded message: its bytes, or parts that together are its bytes and so need not be copied into one. */
export type EncodedMessage = Uint8Array | readonly Uint8Array[];

/** Encodings of messages that we read and can write. */
export type MessageEncoding = "identity" | "gzip";

/** What `grpc-accept-encoding` says of us. */
export const ACCEPTED_ENCODINGS = "identity,gzip";

/** Below this many bytes parts are joined: one write costs more than the copy. */
export const JOIN_MAX_BYTES = 4096;

/** Is one message whole, or in parts? */
export function isParts(message: EncodedMessage): message is readonly Uint8Array[] {
  return Array.isArray(message);
}

/** Bytes of an encoded message, without its prefix. */
export function encodedBytes(message: EncodedMessage): number {
  if (!isParts(message)) return message.length;
  let bytes = 0;
  for (const part of message) bytes += part.length;
  return bytes;
}

/** Prefix and message in one new buffer. */
export function joinedFrame(message: EncodedMessage, sizeBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + sizeBytes);
  writePrefix(frame, sizeBytes, false);
  if (!isParts(message)) {
    frame.set(message, PREFIX_BYTES);
    return frame;
  }
  let at = PREFIX_BYTES;
  for (const part of message) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** The prefix alone, followed by `head` if there is one. */
export function prefixOf(sizeBytes: number, head: Uint8Array | undefined): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES + (head?.length ?? 0));
  writePrefix(prefix, sizeBytes, false);
  if (head !== undefined) prefix.set(head, PREFIX_BYTES);
  return prefix;
}

/** A frame whose message is compressed. */
export function gzipFrame(message: EncodedMessage): Buffer {
  const packed = gzipSync(isParts(message) ? Buffer.concat(message) : message, { level: 1 });
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + packed.length);
  writePrefix(frame, packed.length, true);
  packed.copy(frame, PREFIX_BYTES);
  return frame;
}

function writePrefix(target: Buffer, sizeBytes: number, isCompressed: boolean): void {
  target[0] = isCompressed ? 1 : 0;
  target.writeUInt32BE(sizeBytes, 1);
}

/** A message unpacked, or why it could not be. */
export type Unpacked =
  | { readonly kind: "message"; readonly message: Buffer }
  | { readonly kind: "too-large" }
  | { readonly kind: "corrupt"; readonly reason: string };

/** Unpacks a gzip message of at most `messageMaxBytes`. */
export function unpackGzip(packed: Uint8Array, messageMaxBytes: number): Unpacked {
  try {
    // Not 0: that means "no limit". One more than allowed tells an exact fit from an overflow.
    const message = gunzipSync(packed, { maxOutputLength: messageMaxBytes + 1 });
    return message.length > messageMaxBytes ? { kind: "too-large" } : { kind: "message", message };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ERR_BUFFER_TOO_LARGE" ? { kind: "too-large" } : { kind: "corrupt", reason: message };
  }
}

/** True if the peer's `grpc-accept-encoding` names gzip. */
export function acceptsGzip(header: string | undefined): boolean {
  return header !== undefined && /(^|,)\s*gzip\s*(,|$)/.test(header);
}
