/**
 * Large blobs: ByteStream.Read and Write of 64 MiB on the whole server, verified and on disk, beside bare `node:http2`.
 *
 * `node bench/remote/streams.mjs [--rounds=7] [--dirs=/tmp,/dev/shm] [--rtt-ms=20] [--only=reads,writes,far]
 * [--client=node|h2load]`. The client, in a process of its own, is `node:http2` as well, or `h2load` (nghttp2-client),
 * which needs less than half of the time itself. The servers run in turn within each round, and ratios are medians over pairs of
 * neighbours, so that a busy machine disturbs both alike. The peer verifies and stores nothing: it sends 64 MiB from
 * memory or from a file, and counts what it is sent, with the windows of our server or those that it has by itself. Round trips are made by `delay-proxy.mjs`, in a third process.
 */
import { execFileSync, fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MIB = 1024 * 1024;
const SIZE_BYTES = 64 * MIB;
const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const rounds = Number(args.rounds ?? 7);
const dirs = (args.dirs ?? [tmpdir(), "/dev/shm"].filter(existsSync).join(",")).split(",");
const rttMs = Number(args["rtt-ms"] ?? 20);
/** @param {string} part */
const wants = (part) => args.only === undefined || args.only.split(",").includes(part);
const WRITE = "/google.bytestream.ByteStream/Write";
const READ = "/google.bytestream.ByteStream/Read";

/** @typedef {{ ms: number, cpuMs: number, mainMs: number }} Timing */
/** @typedef {{ child: import("node:child_process").ChildProcess, port: number }} Server */

// Bodies are kept where reading them costs the client least.
const bodies = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kahn-bodies-"));
const random = randomBytes(SIZE_BYTES);
let serial = 0;
/** @type {string[]} */
const folders = [bodies];
// Also when it is interrupted: gigabytes may lie there.
process.on("exit", () => {
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
for (const dir of dirs) await measure(dir);

/** @param {string} dir */
async function measure(dir) {
  const folder = mkdtempSync(join(dir, "kahn-streams-"));
  folders.push(folder);
  /** @type {import("node:child_process").ChildProcess[]} */
  const children = [];
  /** @param {string} script @param {string[]} given */
  const start = async (script, ...given) => {
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), given);
    children.push(child);
    const port = await started(child);
    return { child, port };
  };
  try {
    const kahn = await start("streams-server.mjs", "kahn", join(folder, "batched"), "batched");
    const raw = await start("streams-server.mjs", "raw", join(folder, "raw"));
    const plain = await start("streams-server.mjs", "plain", join(folder, "plain"));
    const far = await start("delay-proxy.mjs", String(kahn.port), String(rttMs / 2));
    const farRaw = await start("delay-proxy.mjs", String(raw.port), String(rttMs / 2));
    console.log(`\n${dir}\n\n| 64 MiB | kahn MB/s, CPU ms (main thread) | node:http2 MB/s, CPU ms | rate | CPU |`);
    console.log("| --- | --- | --- | --- | --- |");
    const servers = { kahn, raw, plain };
    const via = { kahn: far.port, raw: farRaw.port };
    if (wants("reads")) await reads(kahn, raw);
    if (wants("writes")) await writes({ servers, name: "Write", messageBytes: 16_384 });
    if (wants("writes")) await writes({ servers, name: "Write", messageBytes: MIB });
    if (wants("far")) await writes({ servers, via, name: `Write, ${rttMs} ms away`, messageBytes: 65_536 });
  } finally {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Resolves with what a child says first. @param {import("node:child_process").ChildProcess} child @returns {Promise<number>} */
function started(child) {
  return new Promise((resolve, reject) => {
    child.once("message", (/** @type {number} */ port) => resolve(port));
    child.once("exit", (code) => reject(new Error(`a server ended with code ${code}`)));
  });
}

/** @param {Server} kahn @param {Server} raw */
async function reads(kahn, raw) {
  const blob = upload(16_384);
  await load(kahn, { body: blob.body, path: WRITE, requests: 1 });
  const request = join(bodies, "read");
  writeFileSync(request, frame([field(1, Buffer.from(`blobs/${blob.hash}/${SIZE_BYTES}`))]));

  for (const path of ["/memory", "/file"]) {
    const { ours, theirs } = timings();
    for (let round = -1; round < rounds; round++) {
      const turns = [
        async () => ours.push(await load(kahn, { body: request, path: READ, requests: 4 })),
        async () => theirs.push(await load(raw, { body: request, path, requests: 4 })),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
    }
    report(`Read, beside one from ${path.slice(1)}`, ours.slice(1), theirs.slice(1));
  }
}

/**
 * @typedef {"kahn" | "raw" | "plain"} Stack
 * @param {{ servers: Record<Stack, Server>, via?: Partial<Record<Stack, number>>, name: string, messageBytes: number }} what
 */
async function writes({ servers, via, name, messageBytes }) {
  /** @type {Record<Stack, Timing[]>} */
  const times = { kahn: [], raw: [], plain: [] };
  /** @type {Stack[]} */
  const order = ["raw", "kahn", "plain"];
  // From afar its own windows let 64 KiB through for each round trip: that needs no measuring.
  if (via !== undefined) order.pop();
  for (let round = -1; round < rounds; round++) {
    const { body } = upload(messageBytes);
    for (const stack of order.reverse()) {
      const server = { ...servers[stack], port: via?.[stack] ?? servers[stack].port };
      times[stack].push(await load(server, { body, path: stack === "kahn" ? WRITE : "/sink", requests: 1 }));
    }
  }
  const what = `${name}, messages of ${messageBytes >> 10} KiB`;
  report(`${what}, beside one with our windows`, times.kahn.slice(1), times.raw.slice(1));
  if (via === undefined) report(`${what}, beside one with its own`, times.kahn.slice(1), times.plain.slice(1));
}

/**
 * One client, one connection, one call after the other.
 *
 * @param {Server} server @param {{ body: string, path: string, requests: number }} what @returns {Promise<Timing>} of one
 */
async function load({ child, port }, what) {
  const before = await ask(child);
  const ms = args.client === "h2load" ? h2load(port, what) : await node(port, what);
  const after = await ask(child);
  const cpuMs = (after.cpuUs - before.cpuUs) / 1000;
  const mainMs = (after.mainUs - before.mainUs) / 1000;
  return { ms: ms / what.requests, cpuMs: cpuMs / what.requests, mainMs: mainMs / what.requests };
}

/** @param {number} port @param {{ body: string, path: string, requests: number }} what @returns {number} milliseconds */
function h2load(port, { body, path, requests }) {
  const output = execFileSync(
    "h2load",
    [
      ...["-n", String(requests), "-c", "1", "-m", "1", "-w", "22", "-W", "25", "-d", body],
      ...["-H", "content-type: application/grpc", "-H", "te: trailers", `http://127.0.0.1:${port}${path}`],
    ],
    { encoding: "utf8" },
  );
  const gotBytes = Number(/\((\d+)\) data/.exec(output)?.[1]);
  const isWhole = path === WRITE || path === "/sink" || gotBytes >= SIZE_BYTES * requests;
  if (!output.includes(` ${requests} succeeded`) || !isWhole) throw new Error(`${path} failed:\n${output}`);
  return milliseconds(/finished in ([\d.]+\w+)/.exec(output)?.[1] ?? "");
}

/** @param {number} port @param {{ body: string, path: string, requests: number }} what @returns {Promise<number>} milliseconds */
async function node(port, { body, path, requests }) {
  const bytes = readFileSync(body);
  const settings = { initialWindowSize: 4 << 20 };
  const session = connect(`http://127.0.0.1:${port}`, { settings, maxSessionMemory: Number.MAX_SAFE_INTEGER });
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  session.setLocalWindowSize(32 << 20);
  const startMs = performance.now();
  for (let request = 0; request < requests; request++) await call(session, path, bytes);
  const ms = performance.now() - startMs;
  session.destroy();
  return ms;
}

/** @param {import("node:http2").ClientHttp2Session} session @param {string} path @param {Buffer} body */
function call(session, path, body) {
  const stream = session.request({
    ...{ ":method": "POST", ":path": path },
    ...{ "content-type": "application/grpc", te: "trailers" },
  });
  stream.end(body);
  let gotBytes = 0;
  let status = "";
  stream.on("data", (chunk) => {
    gotBytes += chunk.length;
  });
  stream.on("response", (headers) => {
    status = String(headers["grpc-status"] ?? (headers[":status"] === 200 && !path.includes(".") ? "0" : ""));
  });
  stream.on("trailers", (trailers) => {
    status = String(trailers["grpc-status"]);
  });
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0" && gotBytes >= (path === READ ? SIZE_BYTES : 1)) resolve(undefined);
      else reject(new Error(`${path} ended with status ${status} after ${gotBytes} bytes`));
    });
  });
}

/** @returns {{ ours: Timing[], theirs: Timing[] }} */
function timings() {
  return { ours: [], theirs: [] };
}

/** @param {string} text such as `1.05s`, `98.2ms` */
function milliseconds(text) {
  const [, number, unit] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  return Number(number) * (unit === "s" ? 1000 : unit === "ms" ? 1 : 0.001);
}

/** @param {import("node:child_process").ChildProcess} child @returns {Promise<{ cpuUs: number, mainUs: number, peakBytes: number }>} */
function ask(child) {
  return new Promise((resolve) => {
    child.once("message", resolve);
    child.send("used");
  });
}

/** @param {string} name @param {Timing[]} ours @param {Timing[]} theirs */
function report(name, ours, theirs) {
  /** @param {Timing[]} all */
  const shown = (all) => {
    const rate = median(all.map(({ ms }) => SIZE_BYTES / 1e3 / ms));
    const [cpuMs, mainMs] = [median(all.map((each) => each.cpuMs)), median(all.map((each) => each.mainMs))];
    return `${rate.toFixed(0)}, ${cpuMs.toFixed(0)} (${mainMs.toFixed(0)})`;
  };
  const rate = median(ours.map(({ ms }, at) => (theirs[at]?.ms ?? Number.NaN) / ms));
  const cpu = median(ours.map(({ cpuMs }, at) => cpuMs / (theirs[at]?.cpuMs ?? Number.NaN)));
  console.log(`| ${[name, shown(ours), shown(theirs), rate.toFixed(2), cpu.toFixed(2)].join(" | ")} |`);
}

/** Requests that upload a new blob. @param {number} messageBytes */
function upload(messageBytes) {
  random.writeUInt32LE(++serial, 0);
  const hash = createHash("sha256").update(random).digest("hex");
  const frames = [];
  for (let at = 0; at < SIZE_BYTES; at += messageBytes) {
    const end = Math.min(SIZE_BYTES, at + messageBytes);
    const fields = [field(10, random.subarray(at, end))];
    if (at === 0) fields.unshift(field(1, Buffer.from(`uploads/u-${serial}/blobs/${hash}/${SIZE_BYTES}`)));
    if (at > 0) fields.unshift(Buffer.from([0x10, ...varint(at)]));
    if (end === SIZE_BYTES) fields.push(Buffer.from([0x18, 1]));
    frames.push(frame(fields));
  }
  const body = join(bodies, "upload");
  writeFileSync(body, Buffer.concat(frames));
  return { body, hash };
}

/** A field of bytes. @param {number} number @param {Buffer} bytes */
function field(number, bytes) {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
}

/** @param {number} value */
function varint(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
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

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
