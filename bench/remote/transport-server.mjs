/**
 * One server of the transport benchmark: `node transport-server.mjs kahn|grpcjs`, started by `transport.mjs`. Says its
 * port, then answers each message with the processor time it has used, in microseconds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as grpcjs from "@grpc/grpc-js";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CHUNK_BYTES = 256 << 10;
const stored = Buffer.alloc(200, "s");
const blob = Buffer.alloc(16 << 20, "b");

/** @typedef {typeof import("../../packages/remote/src/grpc/index.ts") & Pick<typeof import("../../packages/remote/src/port/index.ts"), "openPort"> & Pick<typeof import("../../packages/system/src/index.ts"), "nodeClock"> & { reapi: typeof import("../../packages/remote/src/proto/generated/remote-execution.ts") }} Kahn */

const kahn = await load();
const { reapi } = kahn;
const missing = /** @param {{ blobDigests: readonly { sizeBytes: number }[] }} request */ (request) => ({
  missingBlobDigests: /** @type {never[]} */ (request.blobDigests.filter((each) => each.sizeBytes < 0)),
});

const port = process.argv[2] === "kahn" ? await serveKahn() : await serveGrpcJs();
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.on("disconnect", () => process.exit());
process.send?.(port);

/** The transport as it is in the tree, in one file. @returns {Promise<Kahn>} */
async function load() {
  const folder = mkdtempSync(join(ROOT, "node_modules/.cache/kahn-transport-"));
  const outfile = join(folder, "kahn.mjs");
  const contents = `
    export * from "./packages/remote/src/grpc/index.ts";
    export { openPort } from "./packages/remote/src/port/index.ts";
    export { nodeClock } from "@kahn/system";
    export * as reapi from "./packages/remote/src/proto/generated/remote-execution.ts";`;
  const stdin = { contents, resolveDir: ROOT, loader: /** @type {const} */ ("ts") };
  await build({ stdin, outfile, bundle: true, format: "esm", platform: "node", logLevel: "warning" });
  const loaded = await import(pathToFileURL(outfile).href);
  rmSync(folder, { recursive: true });
  return loaded;
}

async function serveKahn() {
  const { GrpcServer, RAW_PARTS, nodeClock, openPort, serve } = kahn;
  const raw = { request: RAW_PARTS, response: RAW_PARTS };
  const clock = nodeClock();
  const grpc = new GrpcServer({
    clock,
    services: [
      serve({ path: "/bench.Transport/Stored", kind: "unary", ...raw }, () => stored),
      serve(
        {
          path: "/bench.Transport/FindMissing",
          kind: "unary",
          request: reapi.FindMissingBlobsRequest,
          response: reapi.FindMissingBlobsResponse,
        },
        missing,
      ),
      ...[1, 16].map((size) =>
        serve({ path: `/bench.Transport/Read${size}`, kind: "server-streaming", ...raw }, async (_request, call) => {
          for (let at = 0; at < size << 20; at += CHUNK_BYTES) {
            await call.send([readHead(CHUNK_BYTES), blob.subarray(at, at + CHUNK_BYTES)]);
          }
        }),
      ),
    ],
  });
  const opened = await openPort({
    clock,
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    onStream: (stream, headers, peer) => grpc.accept(stream, headers, peer),
  });
  if (!opened.ok || opened.value.address.kind !== "tcp") throw new Error("no port");
  return opened.value.address.port;
}

/** @returns {Promise<number>} */
function serveGrpcJs() {
  const server = new grpcjs.Server({ "grpc.max_receive_message_length": -1 });
  /** @param {Buffer} bytes */
  const same = (bytes) => bytes;
  const raw = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
  const unary = { requestStream: false, responseStream: false };
  const streaming = { requestStream: false, responseStream: true };
  // A codec of grpc-js must give one buffer, so the blob is copied behind its tag, as generated codecs do.
  const read = {
    ...raw,
    responseSerialize: (/** @type {Buffer} */ data) => Buffer.concat([readHead(data.length), data]),
  };
  const findMissing = {
    ...raw,
    requestDeserialize: (/** @type {Buffer} */ bytes) => reapi.FindMissingBlobsRequest.decode(bytes),
    responseSerialize: (/** @type {ReturnType<typeof missing>} */ answer) =>
      Buffer.from(reapi.FindMissingBlobsResponse.encode(answer)),
  };
  server.addService(
    /** @type {grpcjs.ServiceDefinition} */ ({
      Stored: { path: "/bench.Transport/Stored", ...unary, ...raw },
      FindMissing: { path: "/bench.Transport/FindMissing", ...unary, ...findMissing },
      Read1: { path: "/bench.Transport/Read1", ...streaming, ...read },
      Read16: { path: "/bench.Transport/Read16", ...streaming, ...read },
    }),
    /** @type {any} */ ({
      Stored: (/** @type {unknown} */ _call, /** @type {Function} */ answer) => answer(null, stored),
      FindMissing: (/** @type {{ request: never }} */ call, /** @type {Function} */ answer) =>
        answer(null, missing(call.request)),
      Read1: reader(1),
      Read16: reader(16),
    }),
  );
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpcjs.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** A handler of grpc-js that waits for `drain` as its guide has it. @param {number} size in MiB */
function reader(size) {
  return async (/** @type {grpcjs.ServerWritableStream<Buffer, Buffer>} */ call) => {
    for (let at = 0; at < size << 20; at += CHUNK_BYTES) {
      if (!call.write(blob.subarray(at, at + CHUNK_BYTES))) await new Promise((resolve) => call.once("drain", resolve));
    }
    call.end();
  };
}

/** The tag and length before the bytes of `ReadResponse.data`. @param {number} size */
function readHead(size) {
  const head = [0x52];
  for (let rest = size; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...head, rest]);
    head.push((rest & 127) | 128);
  }
}
