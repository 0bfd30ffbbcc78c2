/** Servers that break one obligation each, to prove that the checks can fail: ours, with one method replaced. */
import assert from "node:assert/strict";
import { nodeClock, nodeRandom } from "@kahn/system";
import type { Registration, Status } from "../grpc/index.ts";
import { GrpcServer, methodOf, StatusCode, StatusError, serve } from "../grpc/index.ts";
import { messageDigest } from "../names/request-digest.ts";
import { openPort } from "../port/index.ts";
import { packAny } from "../proto/core-messages.ts";
import { ByteStreamMethods } from "../proto/generated/bytestream.ts";
import { FetchMethods } from "../proto/generated/remote-asset.ts";
import {
  ActionCacheMethods,
  CapabilitiesMethods,
  ContentAddressableStorageMethods as Cas,
  ExecuteOperationMetadata,
  ExecuteResponse,
  ExecutionMethods,
} from "../proto/generated/remote-execution.ts";
import type { MemoryServerStore } from "../reapi/memory-server-store.fixture.ts";
import { memoryServerStore } from "../reapi/memory-server-store.fixture.ts";
import { reapiServices } from "../reapi/services.ts";
import { loadWireZstd } from "../reapi/wire/zstd.ts";

type Fault = (store: MemoryServerStore) => Registration;

const COMPLETED = 4;
const EMPTY = /^(e3b0c442|38b060a7|cf83e135|da39a3ee|d41d8cd9|af1349b9)/;

const digestsOf = (store: MemoryServerStore): readonly string[] => [...store.blobsByDigest.keys()];
const hasHash = (store: MemoryServerStore, hash: string) => digestsOf(store).some((digest) => digest.includes(hash));
const findMissing = methodOf("unary", Cas.findMissingBlobs);
const read = methodOf("server-streaming", ByteStreamMethods.read);
const write = methodOf("client-streaming", ByteStreamMethods.write);
const execute = methodOf("server-streaming", ExecutionMethods.execute);

/** The stored blob of a resource name. */
function named(store: MemoryServerStore, name: string): Uint8Array {
  const [size = "", hash = ""] = name.split("/").reverse();
  const digest = messageDigest({ hash, sizeBytes: Number(size) }, "sha256");
  const bytes = digest.ok ? store.blobsByDigest.get(digest.value) : undefined;
  if (bytes === undefined) throw new StatusError(StatusCode.notFound, "there is no such blob");
  return bytes;
}

/** An operation that ends at once as told. */
function operationOf(stage: number, response: Partial<ExecuteResponse>, done = true) {
  const value = packAny(ExecuteResponse, response);
  return {
    name: "operations/broken",
    done,
    metadata: packAny(ExecuteOperationMetadata, { stage }),
    ...(done ? { result: { kind: "response" as const, value } } : {}),
  };
}

const failed = (code: Status["code"], message: string) => ({ status: { code, message, details: [] } });

/** Every fault, with the check that must find it. */
export const FAULTS: Readonly<Record<string, { readonly check: string; readonly fault: Fault }>> = {
  "sizes are not looked at": {
    check: "digests/wrong-size",
    fault: (store) =>
      serve(findMissing, ({ blobDigests }) => ({
        missingBlobDigests: blobDigests.filter(({ hash }) => !hasHash(store, hash)),
      })),
  },
  "the empty blob is missing until it is stored": {
    check: "digests/empty-blob",
    fault: () =>
      serve(findMissing, ({ blobDigests }) => ({
        missingBlobDigests: blobDigests.filter(({ hash }) => EMPTY.test(hash)),
      })),
  },
  "hashes of any form are taken": {
    check: "digests/malformed-in-messages",
    fault: () => serve(findMissing, ({ blobDigests }) => ({ missingBlobDigests: blobDigests })),
  },
  "everything is said to be there": {
    check: "find-missing/exact",
    fault: () => serve(findMissing, () => ({})),
  },
  "the versions are in the wrong order": {
    check: "capabilities/api-versions",
    fault: () =>
      serve(methodOf("unary", CapabilitiesMethods.getCapabilities), () => ({
        cacheCapabilities: { digestFunctions: [1] },
        lowApiVersion: { major: 2, minor: 3 },
        highApiVersion: { major: 2, minor: 0 },
      })),
  },
  "batches are not verified": {
    check: "batch-update/verified",
    fault: () =>
      serve(methodOf("unary", Cas.batchUpdateBlobs), ({ requests }) => ({
        responses: requests.map(({ digest }) => ({ ...(digest === undefined ? {} : { digest }) })),
      })),
  },
  "a missing blob fails the whole batch": {
    check: "batch-read/not-found",
    fault: () =>
      serve(methodOf("unary", Cas.batchReadBlobs), () => {
        throw new StatusError(StatusCode.notFound, "one is missing");
      }),
  },
  "a tree without its root is empty": {
    check: "get-tree/no-root",
    fault: () => serve(methodOf("server-streaming", Cas.getTree), async (_, call) => void (await call.send({}))),
  },
  "offsets are ignored": {
    check: "read/offset",
    fault: (store) =>
      serve(read, async ({ resourceName }, call) => {
        const bytes = named(store, resourceName);
        for (let at = 0; at < bytes.length; at += 1 << 20)
          await call.send({ data: bytes.subarray(at, at + (1 << 20)) });
      }),
  },
  "a limit is an error": {
    check: "read/limit",
    fault: (store) =>
      serve(read, async ({ resourceName, readLimit }, call) => {
        const bytes = named(store, resourceName);
        await call.send({ data: bytes.subarray(0, readLimit) });
        throw new StatusError(StatusCode.outOfRange, "there would be more");
      }),
  },
  "a message is larger than clients take": {
    check: "read/whole",
    fault: (store) =>
      serve(read, async ({ resourceName }, call) => void (await call.send({ data: named(store, resourceName) }))),
  },
  "an upload of what is there commits only what was sent": {
    check: "write/present",
    fault: () =>
      serve(write, async (messages) => {
        for await (const { data } of messages) return { committedSize: data.length };
        return {};
      }),
  },
  "uploads are not verified": {
    check: "write/verified",
    fault: () =>
      serve(write, async (messages) => {
        let committedSize = 0;
        for await (const { data } of messages) committedSize += data.length;
        return { committedSize };
      }),
  },
  "every upload is complete": {
    check: "write-status/unknown",
    fault: () =>
      serve(methodOf("unary", ByteStreamMethods.queryWriteStatus), () => ({ committedSize: 0, complete: true })),
  },
  "every action has a result": {
    check: "action-cache/miss",
    fault: () => serve(methodOf("unary", ActionCacheMethods.getActionResult), () => ({ exitCode: 0 })),
  },
  "results are not looked at": {
    check: "action-cache/malformed",
    fault: () =>
      serve(methodOf("unary", ActionCacheMethods.updateActionResult), ({ actionResult }) => actionResult ?? {}),
  },
  "an error stands in Operation.error": {
    check: "execute/inputs-missing",
    fault: () =>
      serve(execute, async (_, call) => {
        const value = { code: StatusCode.failedPrecondition, message: "missing", details: [] };
        await call.send({ ...operationOf(COMPLETED, {}), result: { kind: "error", value } });
      }),
  },
  "what is missing is not named": {
    check: "execute/action-missing",
    fault: () =>
      serve(execute, async (_, call) => {
        await call.send(operationOf(COMPLETED, failed(StatusCode.failedPrecondition, "something is missing")));
      }),
  },
  "the stream ends before the operation": {
    check: "execute/stages",
    fault: () => serve(execute, async (_, call) => void (await call.send(operationOf(COMPLETED, {}, false)))),
  },
  "a command that never ran has ended well": {
    check: "execute/success",
    fault: () =>
      serve(execute, async (_, call) => void (await call.send(operationOf(COMPLETED, { cachedResult: true })))),
  },
  "every qualifier is understood": {
    check: "asset/qualifier-unknown",
    fault: () => serve(methodOf("unary", FetchMethods.fetchBlob), () => ({})),
  },
};

/** Starts a server with one fault; `close` at the end. */
export async function startBroken(fault: Fault) {
  const clock = nodeClock();
  const store = memoryServerStore();
  const broken = fault(store);
  const services = reapiServices({
    ...{ store, clock, random: nodeRandom(), zstd: await loadWireZstd(clock) },
    execution: { supportedNodeProperties: [] },
  });
  const others = services.services.filter(({ method }) => method.path !== broken.method.path);
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  const grpc = new GrpcServer({ services: [...others, broken], clock, onFault });
  const port = await openPort({
    ...{ address: { kind: "tcp", host: "127.0.0.1", port: 0 }, clock, onFault },
    onStream: (stream, headers, peer) => grpc.accept(stream, headers, peer),
  });
  assert.ok(port.ok && port.value.address.kind === "tcp");
  return {
    target: `grpc://127.0.0.1:${port.value.address.port}`,
    faults,
    close: async () => {
      services.close();
      grpc.close();
      await port.value.close();
    },
  };
}
