/**
 * Fields of an encoded message, cut out and put in without decoding the rest: what is not known stays as it was.
 *
 * Invariant: only for bytes that a codec has decoded; on others `fieldsOf` may throw `DecodeError`.
 */
import { DecodeError } from "../../proto/decode-error.ts";

/** One field: its tag, and where it and its content lie. */
export interface WireField {
  readonly tag: number;
  /** Of the tag itself. */
  readonly start: number;
  /** Of the content; for one with a length, behind that. */
  readonly contentStart: number;
  readonly end: number;
}

/** Tag and length of a field that has one. */
export function fieldHead(tag: number, length: number): Uint8Array {
  const bytes: number[] = [];
  for (const number of [tag, length]) {
    let rest = number;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

/** A whole field with a length. */
export function field(tag: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([fieldHead(tag, content.length), content]);
}

/** The fields of a message, in order. */
export function* fieldsOf(message: Uint8Array): Generator<WireField> {
  for (let at = 0; at < message.length; ) {
    const tag = varintAt(message, at);
    const content = contentAt(message, tag.value & 7, tag.end);
    if (content.end > message.length) throw broken("a field ends behind the message");
    yield { tag: tag.value, start: at, contentStart: content.start, end: content.end };
    at = content.end;
  }
}

/** The contents of all fields with one tag, joined: what protobuf makes of a message field that is repeated by mistake. */
export function mergedContent(message: Uint8Array, tag: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const each of fieldsOf(message)) {
    if (each.tag === tag) parts.push(message.subarray(each.contentStart, each.end));
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function contentAt(
  message: Uint8Array,
  wireType: number,
  at: number,
): { readonly start: number; readonly end: number } {
  switch (wireType) {
    case 0:
      return { start: at, end: varintAt(message, at).end };
    case 1:
      return { start: at, end: at + 8 };
    case 2: {
      const length = varintAt(message, at);
      return { start: length.end, end: length.end + length.value };
    }
    case 5:
      return { start: at, end: at + 4 };
    case 3:
      return { start: at, end: groupEnd(message, at) };
    default:
      throw broken(`a field has wire type ${wireType}`);
  }
}

/** Behind the end of a group that begins at a place; groups of old protobuf may lie in each other. */
function groupEnd(message: Uint8Array, from: number): number {
  let at = from;
  for (let depth = 1; depth > 0; ) {
    const tag = varintAt(message, at);
    const wireType = tag.value & 7;
    at = tag.end;
    if (wireType === 3) depth++;
    else if (wireType === 4) depth--;
    else at = contentAt(message, wireType, at).end;
  }
  return at;
}

function varintAt(message: Uint8Array, from: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = from, scale = 1; at < message.length && at < from + 10; at++, scale *= 128) {
    const byte = message[at]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw broken("a number does not end");
}

function broken(reason: string): DecodeError {
  return new DecodeError({ typeName: "", path: "", reason });
}
