/** Bazel's worker protocol as protobuf messages, each with its length before it as a varint. */

import { ok, type Result } from "@kahn/core";
import {
  notResponse,
  type ProtocolProblem,
  RESPONSE_MAX_BYTES,
  type WorkDecoder,
  type WorkerProtocol,
  type WorkResponse,
} from "@kahn/exec";
import { DecodeError } from "../../proto/decode-error.ts";
import { WorkResponse as ResponseCodec, WorkRequest } from "../../proto/generated/worker-protocol.ts";

/** The form that most workers speak. */
export const protoWorkerProtocol: WorkerProtocol = {
  name: "proto",
  encode: (request) => {
    const message = WorkRequest.encode(request);
    return Buffer.concat([varint(message.byteLength), message]);
  },
  decoder: () => new DelimitedDecoder(),
};

/** A length takes so many bytes at most. */
const LENGTH_BYTES_MAX = 5;

class DelimitedDecoder implements WorkDecoder {
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;
  /** So many bytes must have come before it is worth looking again: no quadratic joining of a large response. */
  #wanted = 1;

  push(bytes: Uint8Array): Result<readonly WorkResponse[], ProtocolProblem> {
    this.#parts.push(bytes);
    this.#sizeBytes += bytes.byteLength;
    if (this.#sizeBytes < this.#wanted) return ok([]);
    const whole = Buffer.concat(this.#parts);
    const responses: WorkResponse[] = [];
    let at = 0;
    this.#wanted = 1;
    while (at < whole.byteLength) {
      const head = readVarint(whole, at);
      if (head === undefined) break;
      if (head === "none" || head.value > RESPONSE_MAX_BYTES) return notResponse(shown(whole.subarray(at)));
      const end = head.end + head.value;
      if (end > whole.byteLength) {
        this.#wanted = end - at;
        break;
      }
      try {
        responses.push(ResponseCodec.decode(whole.subarray(head.end, end)));
      } catch (error) {
        if (error instanceof DecodeError) return notResponse(shown(whole.subarray(at)));
        throw error;
      }
      at = end;
    }
    this.#parts = at === whole.byteLength ? [] : [whole.subarray(at)];
    this.#sizeBytes = whole.byteLength - at;
    return ok(responses);
  }
}

/** Most often it is text: a line that a tool printed where responses belong. */
function shown(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes.subarray(0, 200)).toString());
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** `undefined`: more bytes are needed. `none`: it is no length. */
function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | "none" | undefined {
  let value = 0;
  for (let count = 0; count < LENGTH_BYTES_MAX; count++) {
    const byte = bytes[start + count];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 128 ** count;
    if (byte < 0x80) return { value, end: start + count + 1 };
  }
  return "none";
}
