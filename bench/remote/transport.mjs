/**
 * What a call costs on our transport and on grpc-js, with the same handlers.
 *
 * `node bench/remote/transport.mjs [--rounds=5]`; needs `h2load` (nghttp2-client) as the client, in a process of its own.
 * The two servers run in turn within each round, so that a busy machine disturbs both alike; CPU is the server's own.
 */
import { execFileSync, fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CASES = [
  { name: "unary, answer of 200 B", method: "Stored", requests: 30_000, clients: 4, streams: 25 },
  { name: "FindMissing, 100 digests", method: "FindMissing", requests: 6000, clients: 4, streams: 25 },
  { name: "Read 1 MiB", method: "Read1", requests: 1500, clients: 4, streams: 4 },
  { name: "Read 16 MiB", method: "Read16", requests: 80, clients: 4, streams: 2 },
];
const STACKS = ["kahn", "grpcjs"];
const SERVER = fileURLToPath(new URL("transport-server.mjs", import.meta.url));

const rounds = Number(process.argv.find((each) => each.startsWith("--rounds="))?.split("=")[1] ?? 5);
const folder = mkdtempSync(join(tmpdir(), "kahn-transport-"));
const servers = await Promise.all(STACKS.map(start));
try {
  writeFileSync(join(folder, "Stored"), frame(Buffer.alloc(120, "a")));
  for (const each of ["Read1", "Read16"]) writeFileSync(join(folder, each), frame(Buffer.alloc(90, "r")));
  writeFileSync(join(folder, "FindMissing"), frame(findMissingRequest()));
  const head = ["case", "rate", "CPU per call", "kahn calls/s", "kahn us", "grpc-js calls/s", "grpc-js us"];
  console.log(`| ${head.join(" | ")} |\n|${head.map(() => " --- |").join("")}`);
  for (const each of CASES) console.log(await compare(each));
} finally {
  for (const { child } of servers) child.kill();
  rmSync(folder, { recursive: true });
}

/** @param {(typeof CASES)[number]} measured @returns {Promise<string>} one row: ratios first, then medians */
async function compare(measured) {
  /** @type {{ rate: number, cpuUs: number }[][]} */
  const results = servers.map(() => []);
  for (const server of servers) await load(server, measured);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < servers.length; turn++) {
      const index = (turn + round) % servers.length;
      results[index]?.push(await load(/** @type {Server} */ (servers[index]), measured));
    }
  }
  const [kahn, grpcjs] = results.map((each) => ({
    rate: median(each.map(({ rate }) => rate)),
    cpuUs: median(each.map(({ cpuUs }) => cpuUs)),
  }));
  if (kahn === undefined || grpcjs === undefined) throw new Error("two servers are compared");
  const ratios = [(kahn.rate / grpcjs.rate).toFixed(2), (kahn.cpuUs / grpcjs.cpuUs).toFixed(2)];
  const medians = [kahn.rate, kahn.cpuUs, grpcjs.rate, grpcjs.cpuUs].map((each) => each.toFixed(0));
  return `| ${[measured.name, ...ratios, ...medians].join(" | ")} |`;
}

/** @typedef {{ child: import("node:child_process").ChildProcess, port: number }} Server */

/** @param {Server} server @param {(typeof CASES)[number]} measured */
async function load({ child, port }, { method, requests, clients, streams }) {
  const before = await ask(child, "cpu");
  const output = execFileSync(
    "h2load",
    [
      ...["-n", String(requests), "-c", String(clients), "-m", String(streams), "-w", "20", "-W", "24"],
      ...["-d", join(folder, method), "-H", "content-type: application/grpc", "-H", "te: trailers"],
      `http://127.0.0.1:${port}/bench.Transport/${method}`,
    ],
    { encoding: "utf8" },
  );
  const cpuUs = ((await ask(child, "cpu")) - before) / requests;
  if (!output.includes(` ${requests} succeeded`)) throw new Error(`not every call of ${method} succeeded:\n${output}`);
  return { rate: Number(/, ([\d.]+) req\/s/.exec(output)?.[1]), cpuUs };
}

/** @param {string} stack @returns {Promise<Server>} */
async function start(stack) {
  const child = fork(SERVER, [stack]);
  return { child, port: await new Promise((resolve) => child.once("message", resolve)) };
}

/** @param {import("node:child_process").ChildProcess} child @param {string} question @returns {Promise<number>} */
function ask(child, question) {
  return new Promise((resolve) => {
    child.once("message", (answer) => resolve(Number(answer)));
    child.send(question);
  });
}

/** @param {Buffer} message */
function frame(message) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** A request for 100 digests: `repeated Digest blob_digests = 2`, each of hash = 1 and size = 2. */
function findMissingRequest() {
  const digests = Array.from({ length: 100 }, (_, index) => {
    const hash = Buffer.from(index.toString(16).padStart(64, "0"));
    const digest = Buffer.concat([Buffer.from([10, 64]), hash, Buffer.from([16, 100])]);
    return Buffer.concat([Buffer.from([18, digest.length]), digest]);
  });
  return Buffer.concat(digests);
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
