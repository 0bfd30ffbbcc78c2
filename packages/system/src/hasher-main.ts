/**
 * The program of a hash thread: a file of its own, bundled beside the main one; `hashThread` runs it.
 *
 * Owns: the states of the hashes under construction.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Hasher, NativeDigestFunction } from "@kahn/core";
import { nativeHasher } from "@kahn/core";
import type { HashReply, HashRequest } from "./internal/hash-protocol.ts";

const memory = Buffer.from(workerData as SharedArrayBuffer);
const hashers = new Map<number, Hasher>();

function hasherOf(id: number, fn: NativeDigestFunction): Hasher {
  let hasher = hashers.get(id);
  if (hasher === undefined) {
    hasher = nativeHasher(fn);
    hashers.set(id, hasher);
  }
  return hasher;
}

function serve(request: HashRequest): HashReply | undefined {
  const { id } = request;
  switch (request.kind) {
    case "shared":
      hasherOf(id, request.fn).update(memory.subarray(request.offset, request.offset + request.lengthBytes));
      return { kind: "hashed", id };
    case "moved":
      hasherOf(id, request.fn).update(request.memory.subarray(0, request.lengthBytes));
      return { kind: "hashed", id, memory: request.memory };
    case "end": {
      const hex = hasherOf(id, request.fn).hex();
      hashers.delete(id);
      return { kind: "ended", id, hex };
    }
    case "drop":
      hashers.delete(id);
      return undefined;
  }
}

parentPort?.on("message", (request: HashRequest) => {
  const reply = serve(request);
  if (reply === undefined) return;
  const moved = reply.kind === "hashed" && reply.memory !== undefined ? [reply.memory.buffer] : [];
  parentPort?.postMessage(reply, moved);
});
