/**
 * What the whole server holds in memory while many large streams run.
 *
 * `node bench/remote/memory.mjs [--streams=64] [--mib=256] [--connections=1,64] [--dir=/tmp] [--slow-seconds=20]`: blobs
 * of so many MiB are uploaded at once, then read at once, then read by clients that take 1 MB/s each. Peaks are the
 * server's resident memory, looked at ten times a second; the clients are this process.
 */
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MIB = 1024 * 1024;
const MESSAGE_BYTES = 64 << 10;
const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const streams = Number(args.streams ?? 64);
const sizeBytes = Number(args.mib ?? 256) * MIB;
const slowSeconds = Number(args["slow-seconds"] ?? 20);
const folder = mkdtempSync(join(args.dir ?? tmpdir(), "kahn-memory-"));
// Also when it is interrupted: gigabytes may lie there.
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
const piece = Buffer.alloc(MESSAGE_BYTES, "m");
// All blobs begin alike, so what their hashes begin with is hashed once.
const beginning = createHash("sha256");
for (let at = MESSAGE_BYTES; at < sizeBytes; at += MESSAGE_BYTES) beginning.update(piece);
/** @type {import("node:child_process").ChildProcess | undefined} */
let child;
try {
  console.log(`${streams} streams of ${sizeBytes / MIB} MiB, ${folder}\n`);
  console.log("| connections | before | uploads | MB/s | reads | MB/s | slow reads | slow uploads |");
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const each of (args.connections ?? "1,64").split(",")) await measure(Number(each));
} finally {
  child?.kill();
}

/** @typedef {{ hash: string, last: Buffer, name: string }} Blob */

/** @param {number} connections */
async function measure(connections) {
  const dir = join(folder, String(connections));
  const server = fork(fileURLToPath(new URL("streams-server.mjs", import.meta.url)), ["kahn", dir, "batched"]);
  child = server;
  const port = await started(server);
  const before = await peak(server);
  const sessions = await Promise.all(Array.from({ length: connections }, () => open(port)));
  /** @param {number} stream */
  const sessionOf = (stream) => /** @type {import("node:http2").ClientHttp2Session} */ (sessions[stream % connections]);
  const blobs = Array.from({ length: streams }, (_, stream) => blobOf(stream));
  const writeMs = await timed(() => Promise.all(blobs.map((blob, stream) => upload(sessionOf(stream), blob))));
  const uploads = await peak(server);
  const readMs = await timed(() => Promise.all(blobs.map((blob, stream) => read(sessionOf(stream), blob))));
  const reads = await peak(server);
  await Promise.all(blobs.map((blob, stream) => readSlowly(sessionOf(stream), blob)));
  const slow = await peak(server);
  const more = Array.from({ length: streams }, (_, stream) => blobOf(streams + stream));
  await Promise.all(more.map((blob, stream) => stall(sessionOf(stream), blob)));
  const stalled = await peak(server);
  for (const session of sessions) session.destroy();
  server.kill();
  rmSync(dir, { recursive: true, force: true });
  /** @param {number} bytes */
  const mib = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;
  /** @param {number} ms */
  const rate = (ms) => ((streams * sizeBytes) / 1e3 / ms).toFixed(0);
  const cells = [
    connections,
    mib(before),
    mib(uploads),
    rate(writeMs),
    mib(reads),
    rate(readMs),
    mib(slow),
    mib(stalled),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/** A blob that differs from others in its last bytes. @param {number} serial @returns {Blob} */
function blobOf(serial) {
  const last = Buffer.from(piece);
  last.writeUInt32LE(serial, 0);
  return { hash: beginning.copy().update(last).digest("hex"), last, name: `uploads/u-${serial}/blobs/` };
}

/** Resolves with what a child says first. @param {import("node:child_process").ChildProcess} child @returns {Promise<number>} */
function started(child) {
  return new Promise((resolve, reject) => {
    child.once("message", (/** @type {number} */ port) => resolve(port));
    child.once("exit", (code) => reject(new Error(`a server ended with code ${code}`)));
  });
}

/** @param {number} port @returns {Promise<import("node:http2").ClientHttp2Session>} */
function open(port) {
  const settings = { initialWindowSize: 1 << 20 };
  const session = connect(`http://127.0.0.1:${port}`, { settings, maxSessionMemory: Number.MAX_SAFE_INTEGER });
  return new Promise((resolve, reject) => {
    session.once("error", reject);
    session.once("remoteSettings", () => {
      session.setLocalWindowSize(64 << 20);
      resolve(session);
    });
  });
}

/** @param {import("node:http2").ClientHttp2Session} session @param {string} method */
function call(session, method) {
  return session.request({
    ...{ ":method": "POST", ":path": `/google.bytestream.ByteStream/${method}` },
    ...{ "content-type": "application/grpc", te: "trailers" },
  });
}

/** @param {import("node:http2").ClientHttp2Stream} stream @returns {Promise<string>} its status */
function ended(stream) {
  let status = "";
  stream.on("response", (headers) => {
    status = String(headers["grpc-status"] ?? "");
  });
  stream.on("trailers", (trailers) => {
    status = String(trailers["grpc-status"]);
  });
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("close", () => resolve(status));
  });
}

/** @param {import("node:http2").ClientHttp2Session} session @param {Blob} blob */
async function upload(session, blob) {
  const stream = call(session, "Write");
  const end = ended(stream);
  stream.resume();
  for (let at = 0; at < sizeBytes; at += MESSAGE_BYTES) {
    if (!stream.write(message(blob, at))) await new Promise((resolve) => stream.once("drain", resolve));
  }
  stream.end();
  const status = await end;
  if (status !== "0") throw new Error(`an upload ended with status ${status}`);
}

/** Uploads the first half of a blob as fast as it goes, and no more. @param {import("node:http2").ClientHttp2Session} session @param {Blob} blob */
async function stall(session, blob) {
  const stream = call(session, "Write");
  stream.on("error", () => {});
  stream.resume();
  const endMs = performance.now() + slowSeconds * 1000;
  for (let at = 0; at < sizeBytes / 2 && performance.now() < endMs; at += MESSAGE_BYTES) {
    // Half a message, and its other half a second later: as many unfinished ones as there are streams.
    const bytes = message(blob, at);
    stream.write(bytes.subarray(0, MESSAGE_BYTES / 2));
    await new Promise((resolve) => setTimeout(resolve, 60));
    stream.write(bytes.subarray(MESSAGE_BYTES / 2));
  }
  stream.destroy();
}

/** @param {import("node:http2").ClientHttp2Session} session @param {Blob} blob */
async function read(session, blob) {
  const stream = call(session, "Read");
  const end = ended(stream);
  let gotBytes = 0;
  stream.on("data", (chunk) => {
    gotBytes += chunk.length;
  });
  stream.end(request(blob));
  const status = await end;
  if (status !== "0" || gotBytes < sizeBytes) throw new Error(`a read ended with ${status} after ${gotBytes} bytes`);
}

/** Takes 1 MB/s, for a while. @param {import("node:http2").ClientHttp2Session} session @param {Blob} blob */
async function readSlowly(session, blob) {
  const stream = call(session, "Read");
  stream.on("error", () => {});
  stream.end(request(blob));
  for (let tick = 0; tick < slowSeconds * 10; tick++) {
    for (let gotBytes = 0; gotBytes < 100_000; ) {
      const chunk = stream.read();
      if (chunk === null) break;
      gotBytes += chunk.length;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  stream.destroy();
}

/** A framed WriteRequest. @param {Blob} blob @param {number} at */
function message({ hash, last, name }, at) {
  const isLast = at + MESSAGE_BYTES >= sizeBytes;
  return frame([
    at === 0 ? field(1, Buffer.from(`${name}${hash}/${sizeBytes}`)) : Buffer.from([0x10, ...varint(at)]),
    field(10, isLast ? last : piece),
    Buffer.from(isLast ? [0x18, 1] : []),
  ]);
}

/** A framed ReadRequest. @param {Blob} blob */
function request({ hash }) {
  return frame([field(1, Buffer.from(`blobs/${hash}/${sizeBytes}`))]);
}

/** @param {number} number @param {Buffer} bytes */
function field(number, bytes) {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

/** @param {number} value */
function varint(value) {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

/** @param {Buffer[]} parts */
function frame(parts) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(
    parts.reduce((sum, each) => sum + each.length, 0),
    1,
  );
  return Buffer.concat([prefix, ...parts]);
}

/** The highest resident memory since it was last asked. @param {import("node:child_process").ChildProcess} server @returns {Promise<number>} */
function peak(server) {
  return new Promise((resolve) => {
    server.once("message", (/** @type {{ peakBytes: number }} */ { peakBytes }) => resolve(peakBytes));
    server.send("used");
  });
}

/** @param {() => Promise<unknown>} work @returns {Promise<number>} milliseconds */
async function timed(work) {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
