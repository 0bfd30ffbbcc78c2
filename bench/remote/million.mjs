/**
 * The whole server on a store of many small blobs and results: how long it takes to start, to say which of 10,000 blobs
 * are missing, and to give a result out.
 *
 * `node bench/remote/million.mjs [--blobs=1000000] [--results=200000] [--rounds=5] [--dir=/tmp]`: the client is this
 * process, one call after the other. Medians, and the least as what a quiet machine would show; processor time is the
 * server's own.
 */
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const blobs = Number(args.blobs ?? 1_000_000);
const results = Number(args.results ?? 200_000);
const rounds = Number(args.rounds ?? 5);
const folder = mkdtempSync(join(args.dir ?? tmpdir(), "kahn-million-"));
// Also when it is interrupted: gigabytes may lie there.
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
const CALLS = 30;

/** @typedef {{ ms: number, cpuMs: number }} Timing */
/** @typedef {{ child: import("node:child_process").ChildProcess, port: number }} Server */

await fill();
console.log(`${blobs} blobs, ${results} results, ${folder}\n`);
console.log("| what | median | least | CPU, median | CPU, least |\n| --- | --- | --- | --- | --- |");
/** @type {Record<string, Timing[]>} */
const all = {};
for (let round = 0; round < rounds; round++) await measure(all);
for (const [what, timings] of Object.entries(all)) {
  const ms = timings.map((each) => each.ms).sort((a, b) => a - b);
  const cpuMs = timings.map((each) => each.cpuMs).sort((a, b) => a - b);
  const cells = [ms[ms.length >> 1], ms[0], cpuMs[cpuMs.length >> 1], cpuMs[0]];
  console.log(`| ${[what, ...cells.map((each) => `${each?.toFixed(2)} ms`)].join(" | ")} |`);
}

/** @param {number} number */
function bytesOf(number) {
  return Buffer.from(`blob ${number} of a store of many, each of which is as small as an object file's header`);
}

/** @param {Uint8Array | string} bytes */
function hashOf(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Makes the store, in this process. */
async function fill() {
  const outfile = join(folder, "store.mjs");
  const contents = `
    export { openServerStore } from "./packages/remote/src/store/open-server-store.ts";
    export { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";`;
  const stdin = { contents, resolveDir: ROOT, loader: /** @type {const} */ ("ts") };
  const external = ["@napi-rs/*", "hash-wasm"];
  await build({ stdin, outfile, external, bundle: true, format: "esm", platform: "node", logLevel: "warning" });
  const { openServerStore, ...system } = await import(pathToFileURL(outfile).href);
  const { nodeFileSystem, nodeClock, nodeRandom, ownIdentity, livenessOf } = system;
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), owner: ownIdentity(), livenessOf };
  const root = join(folder, "store");
  const store = value(await openServerStore({ ...ports, root, maxSizeBytes: 100_000_000_000, durability: "none" }));
  for (let from = 0; from < blobs; from += 1000) {
    const batch = Array.from({ length: Math.min(1000, blobs - from) }, (_, at) => bytesOf(from + at));
    const written = await Promise.all(
      batch.map((bytes) => store.blobs.write(`sha256:${hashOf(bytes)}/${bytes.length}`, bytes)),
    );
    for (const each of written) value(each);
  }
  for (let from = 0; from < results; from += 1000) {
    const put = Array.from({ length: Math.min(1000, results - from) }, (_, at) => from + at).map((number) =>
      store.actions.put({ instance: "" }, `sha256:${actionOf(number)}/100`, resultOf(number)),
    );
    for (const each of await Promise.all(put)) value(each);
  }
  value(await store.close());
}

/** @param {number} number */
function actionOf(number) {
  return hashOf(`action ${number}`);
}

/** An ActionResult with two files of the store. @param {number} number */
function resultOf(number) {
  const files = [number % blobs, (number * 7) % blobs].map((each, at) =>
    field(2, Buffer.concat([field(1, Buffer.from(`out/file-${at}.o`)), field(2, digestOf(bytesOf(each)))])),
  );
  return Buffer.concat(files);
}

/** A Digest. @param {Buffer} bytes */
function digestOf(bytes) {
  return Buffer.concat([field(1, Buffer.from(hashOf(bytes))), Buffer.from([16, ...varint(bytes.length)])]);
}

/** One start, and calls of each kind. @param {Record<string, Timing[]>} all */
async function measure(all) {
  const script = fileURLToPath(new URL("streams-server.mjs", import.meta.url));
  const child = fork(script, ["kahn", join(folder, "store"), "batched"]);
  const port = await started(child);
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const { start } = await ask(child);
    add(all, `start with ${blobs} blobs and ${results} results`, start);
    const present = Array.from({ length: CALLS }, (_, call) => findMissing(call, (at) => bytesOf(at % blobs)));
    const absent = Array.from({ length: CALLS }, (_, call) => findMissing(call, (at) => Buffer.from(`absent ${at}`)));
    const gets = Array.from({ length: 20 * CALLS }, (_, at) => {
      const action = [field(1, Buffer.from(actionOf((at * 7919) % results))), Buffer.from([16, 100])];
      return frame([field(2, Buffer.concat(action))]);
    });
    const cas = "/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs";
    const ac = "/build.bazel.remote.execution.v2.ActionCache/GetActionResult";
    await timeAll({ child, session, path: cas, bodies: present }, all, "FindMissing of 10,000, all there");
    await timeAll({ child, session, path: cas, bodies: absent }, all, "FindMissing of 10,000, none there");
    await timeAll({ child, session, path: ac, bodies: gets }, all, "GetActionResult");
  } finally {
    session.destroy();
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("exit", resolve));
  }
}

/** Resolves with what a child says first. @param {import("node:child_process").ChildProcess} child @returns {Promise<number>} */
function started(child) {
  return new Promise((resolve, reject) => {
    child.once("message", (/** @type {number} */ port) => resolve(port));
    child.once("exit", (code) => reject(new Error(`a server ended with code ${code}`)));
  });
}

/** @param {number} call @param {(at: number) => Buffer} bytes */
function findMissing(call, bytes) {
  const digests = Array.from({ length: 10_000 }, (_, at) => field(2, digestOf(bytes(call * 10_000 + at))));
  return frame(digests);
}

/** @typedef {{ child: import("node:child_process").ChildProcess, session: import("node:http2").ClientHttp2Session, path: string, bodies: Buffer[] }} Calls */

/** Calls one after the other; each adds a timing, the processor time being that of the mean. @param {Calls} calls @param {Record<string, Timing[]>} all @param {string} what */
async function timeAll({ child, session, path, bodies }, all, what) {
  for (const body of bodies.slice(0, 5)) await call(session, path, body);
  const before = await ask(child);
  const ms = [];
  for (const body of bodies) {
    const startMs = performance.now();
    await call(session, path, body);
    ms.push(performance.now() - startMs);
  }
  const cpuMs = ((await ask(child)).cpuUs - before.cpuUs) / 1000 / bodies.length;
  add(all, what, { ms: ms.sort((a, b) => a - b)[ms.length >> 1] ?? Number.NaN, cpuMs });
}

/** @param {Record<string, Timing[]>} all @param {string} what @param {Timing} timing */
function add(all, what, timing) {
  all[what] ??= [];
  all[what]?.push(timing);
}

/** @param {import("node:http2").ClientHttp2Session} session @param {string} path @param {Buffer} body */
function call(session, path, body) {
  const stream = session.request({
    ...{ ":method": "POST", ":path": path },
    ...{ "content-type": "application/grpc", te: "trailers" },
  });
  stream.end(body);
  stream.resume();
  let status = "";
  stream.on("trailers", (trailers) => {
    status = String(trailers["grpc-status"]);
  });
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("close", () => (status === "0" ? resolve(undefined) : reject(new Error(`${path}: status ${status}`))));
  });
}

/** @param {import("node:child_process").ChildProcess} child @returns {Promise<{ start: Timing, cpuUs: number }>} */
function ask(child) {
  return new Promise((resolve) => {
    child.once("message", resolve);
    child.send("used");
  });
}

/** @param {number} number @param {Buffer} bytes */
function field(number, bytes) {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

/** @param {number} number */
function varint(number) {
  const bytes = [];
  let rest = number;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

/** @param {Buffer[]} parts */
function frame(parts) {
  const message = Buffer.concat(parts);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** @param {{ ok: boolean, value?: any, problem?: any }} result */
function value(result) {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}
