/**
 * One server of the benchmarks of large blobs: `node streams-server.mjs kahn FOLDER batched|strict|none` is the whole
 * server of the tree, `node streams-server.mjs raw FOLDER` is bare `node:http2`, which answers a POST to `/memory` and
 * `/file` with 64 MiB and counts what is sent to `/sink`; `plain` instead of `raw` leaves it the windows it has by itself.
 * Started by `streams.mjs`, `memory.mjs` and `million.mjs`. Says its port, then answers each message with what it has
 * used: processor time in microseconds, of all threads and of the one that serves, memory in bytes, and what starting took.
 * With KAHN_HASH_HERE set nothing is hashed on a thread of its own.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http2";
import { join } from "node:path";
import { loadTree } from "./tree.mjs";

const BLOB_BYTES = 64 << 20;
const PIECE_BYTES = 256 << 10;
const [, , stack, folder = "", durability = "batched"] = process.argv;

/** What starting took, without loading the program. */
let start = { ms: 0, cpuMs: 0 };
const port = stack === "kahn" ? await serveKahn() : await serveRaw();
let peakBytes = 0;
const watch = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}, 100);
watch.unref();
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({
    start,
    cpuUs: user + system,
    mainUs: mainThreadUs(),
    peakBytes: Math.max(peakBytes, process.memoryUsage.rss()),
  });
  peakBytes = 0;
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.send?.(port);

/** Processor time of the thread that serves, in microseconds, to the nanosecond where `/proc` tells; 0 elsewhere. */
function mainThreadUs() {
  const path = `/proc/self/task/${process.pid}/schedstat`;
  return existsSync(path) ? Number(readFileSync(path, "utf8").split(" ")[0]) / 1000 : 0;
}

async function serveKahn() {
  const { startServer, resolveServerConfig, clock, hashers, ...system } = await loadTree(`
    export { startServer } from "./packages/remote/src/server.ts";
    export { resolveServerConfig } from "./packages/remote/src/operation/server-config.ts";
  `);
  system.growHeapFreely();
  const config = await resolveServerConfig({
    file: { name: "bench.yaml", text: `store:\n  durability: ${durability}\n  maxSize: 100GB\n` },
    options: { listen: ["127.0.0.1:0"], dir: folder },
  });
  if (!config.ok) throw new Error(JSON.stringify(config.problem));
  const startMs = performance.now();
  const before = process.cpuUsage();
  const started = await startServer(config.value, {
    clock,
    hashers,
    random: system.nodeRandom(),
    fs: system.nodeFileSystem(),
    resolvePath: (/** @type {string} */ path) => path,
    version: "0.0.0",
    owner: system.ownIdentity(),
    livenessOf: system.livenessOf,
    report: (/** @type {object} */ problem) => console.error(problem),
  });
  if (!started.ok) throw new Error(JSON.stringify(started.problem));
  const { user, system: inKernel } = process.cpuUsage(before);
  start = { ms: performance.now() - startMs, cpuMs: (user + inKernel) / 1000 };
  return started.value.addresses[0].port;
}

/** @returns {Promise<number>} */
function serveRaw() {
  const blob = Buffer.alloc(BLOB_BYTES, "b");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "blob");
  writeFileSync(file, blob);
  const settings = stack === "raw" ? { initialWindowSize: 4 << 20 } : {};
  const server = createServer({ settings, maxSessionMemory: Number.MAX_SAFE_INTEGER });
  if (stack === "raw") server.on("session", (session) => session.setLocalWindowSize(32 << 20));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (headers[":path"] === "/memory") {
      stream.respond({ ":status": 200 });
      for (let at = 0; at < blob.length; at += PIECE_BYTES) stream.write(blob.subarray(at, at + PIECE_BYTES));
      stream.end();
    } else if (headers[":path"] === "/file") {
      stream.respondWithFile(file);
    } else {
      let bytes = 0;
      stream.on("data", (chunk) => {
        bytes += chunk.length;
      });
      stream.on("end", () => {
        stream.respond({ ":status": 200 });
        stream.end(String(bytes));
      });
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(/** @type {import("node:net").AddressInfo} */ (server.address()).port));
  });
}
