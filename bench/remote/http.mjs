/**
 * Turborepo's artifacts on our server and on npm's turborepo-remote-cache, which keeps them in files as well; beside
 * them nginx, which serves and takes files, and redis, which keeps values in memory, where these are installed.
 *
 * `PEER=FOLDER node bench/remote/http.mjs [--rounds=5] [--only=PUT]`: FOLDER holds `node_modules/turborepo-remote-cache`.
 * Load comes from processes of their own: `wrk`, `redis-benchmark`, and `http-load.mjs` for large bodies. The servers run
 * in turn within each round, after one that is not counted; ratios are medians of those of each round. Processor time is
 * that of a server with all its processes (Linux). "durable" flushes every upload to the disk before it answers; nobody
 * else does. `TMPDIR` says where the files are.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startKahn, startNginx, startPeer, startRedis } from "./http-rivals.mjs";

/** @typedef {import("./http-rivals.mjs").Server} Server @typedef {{ rate: number, cpuUs: number }} Load */

const CASES = [
  { name: "GET 10 KB", method: "GET", sizeBytes: 10_000, seconds: 2, redisRequests: 40_000 },
  { name: "GET 1 MB", method: "GET", sizeBytes: 1_000_000, seconds: 2, redisRequests: 1000 },
  { name: "GET, none there", method: "MISS", sizeBytes: 0, seconds: 2, redisRequests: 0 },
  { name: "PUT 10 KB", method: "PUT", sizeBytes: 10_000, seconds: 2, redisRequests: 40_000 },
  // Not longer: all that is sent is kept, which may be in memory.
  { name: "PUT 1 MB", method: "PUT", sizeBytes: 1_000_000, seconds: 1, redisRequests: 1000 },
];
const CONNECTIONS = 16;
const TICKS_PER_SECOND = 100;
/** Larger bodies cost wrk more to make than a server to take. */
const WRK_BODY_MAX = 100_000;
const LOADER = fileURLToPath(new URL("http-load.mjs", import.meta.url));

const rounds = Number(option("rounds") ?? 5);
const cases = CASES.filter(({ name }) => name.startsWith(option("only") ?? ""));
const folder = mkdtempSync(join(tmpdir(), "kahn-http-"));
let serial = 0;

/** @type {Server[]} */
const servers = [];
try {
  servers.push(await startPeer(folder, process.env.PEER ?? process.cwd()));
  servers.push(await startKahn(folder, "batched"), await startKahn(folder, "none"));
  for (const rival of [await startNginx(folder), await startRedis(folder)]) {
    if (typeof rival === "string") console.log(`left out: ${rival}`);
    else servers.push(rival);
  }
  const [peer, ...others] = servers.map(({ name }) => name);
  const head = ["case", `${peer}: req/s, CPU us`, ...others.map((name) => `${name}: rate, CPU`)];
  console.log(`| ${head.join(" | ")} |\n|${head.map(() => " --- |").join("")}`);
  for (const each of cases) console.log(await compare(each));
} finally {
  for (const { child } of servers) child.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** @param {(typeof CASES)[number]} measured */
async function compare(measured) {
  const path = `/v8/artifacts/${measured.sizeBytes.toString(16).padStart(16, "0")}?slug=team`;
  const able = servers.filter(({ speaks }) => speaks === "http" || measured.redisRequests > 0);
  if (measured.method === "GET") for (const each of able) await store(each, path, measured.sizeBytes);
  /** @type {Load[][]} */
  const results = servers.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < able.length; turn++) {
      const server = /** @type {Server} */ (able[(turn + round + 1) % able.length]);
      const got = server.speaks === "redis" ? loadRedis(server, measured) : load(server, measured, path);
      if (round >= 0) results[servers.indexOf(server)]?.push(got);
    }
  }
  const [theirs = [], ...ours] = results;
  const ratios = ours.map((own) => {
    if (own.length === 0) return "";
    const rate = median(own.map(({ rate }, round) => rate / (theirs[round]?.rate ?? 0)));
    const cpu = median(own.map(({ cpuUs }, round) => cpuUs / (theirs[round]?.cpuUs ?? 0)));
    return `${rate.toFixed(2)}x, ${cpu.toFixed(2)}x (${median(own.map(({ cpuUs }) => cpuUs)).toFixed(0)})`;
  });
  const absolute = `${median(theirs.map(({ rate }) => rate)).toFixed(0)}, ${median(theirs.map(({ cpuUs }) => cpuUs)).toFixed(0)}`;
  return `| ${[measured.name, absolute, ...ratios].join(" | ")} |`;
}

/** @param {Server} server @param {(typeof CASES)[number]} measured @param {string} path @returns {Load} */
function load(server, measured, path) {
  const { method, sizeBytes, seconds } = measured;
  const before = cpuTicks(server.child.pid);
  const sent = method === "PUT" && sizeBytes > WRK_BODY_MAX ? sendLarge(server, measured) : wrk(server, measured, path);
  const cpuUs = ((cpuTicks(server.child.pid) - before) / TICKS_PER_SECOND) * 1e6;
  if (sent.trouble !== undefined) throw new Error(`${server.name}: not every ${method} succeeded:\n${sent.trouble}`);
  return { rate: sent.requests / (sent.seconds ?? seconds), cpuUs: cpuUs / sent.requests };
}

/** @typedef {{ requests: number, seconds?: number, trouble: string | undefined }} Sent */

/** @param {Server} server @param {(typeof CASES)[number]} measured @param {string} path @returns {Sent} */
function wrk({ port }, { method, sizeBytes, seconds }, path) {
  const script = join(folder, "load.lua");
  // Artifacts differ, or ours would store one.
  const put = `local n = 0
local filler = string.rep("x", ${sizeBytes - 16})
request = function()
  n = n + 1
  local hash = string.format("%08x%08x", ${++serial}, n)
  return wrk.format("PUT", "/v8/artifacts/" .. hash .. "?slug=team", nil, hash .. filler)
end
`;
  const common = `wrk.headers["authorization"] = "Bearer tok"\nwrk.headers["content-type"] = "application/octet-stream"\n`;
  const done = `done = function(summary) io.write("status errors " .. summary.errors.status .. "\\n") end\n`;
  writeFileSync(script, common + (method === "PUT" ? put : "") + done);
  const url = `http://127.0.0.1:${port}${method === "MISS" ? "/v8/artifacts/00?slug=team" : path}`;
  const options = ["-t", "1", "-c", String(CONNECTIONS), "-d", `${seconds}s`, "--timeout", "20s", "-s", script, url];
  const output = execFileSync("wrk", options, { encoding: "utf8" });
  const isRight = method === "MISS" || output.includes("status errors 0\n");
  const trouble = isRight && !/Socket errors/.test(output) ? undefined : output;
  return { requests: Number(/(\d+) requests in/.exec(output)?.[1]), trouble };
}

/** @param {Server} server @param {(typeof CASES)[number]} measured @returns {Sent} */
function sendLarge({ port }, { sizeBytes, seconds }) {
  const numbers = [port, ++serial, sizeBytes, CONNECTIONS, seconds].map(String);
  const sent = JSON.parse(execFileSync(process.execPath, [LOADER, ...numbers], { encoding: "utf8" }));
  return { ...sent, trouble: sent.refused === 0 ? undefined : `${sent.refused} were refused` };
}

/** @param {Server} server @param {(typeof CASES)[number]} measured @returns {Load} */
function loadRedis({ port, child }, { method, sizeBytes, redisRequests }) {
  const before = cpuTicks(child.pid);
  const numbers = { p: port, c: CONNECTIONS, n: redisRequests, d: sizeBytes };
  const options = Object.entries(numbers).flatMap(([key, value]) => [`-${key}`, String(value)]);
  const command = method === "PUT" ? ["-t", "set", "-r", "200"] : ["-t", "get"];
  const output = execFileSync("redis-benchmark", [...options, ...command, "--csv"], { encoding: "utf8" });
  const cpuUs = ((cpuTicks(child.pid) - before) / TICKS_PER_SECOND) * 1e6;
  return { rate: Number(/^"[GS]ET","([\d.]+)"/m.exec(output)?.[1]), cpuUs: cpuUs / redisRequests };
}

/** Processor time of a process and its children, all threads included. @param {number | undefined} pid @returns {number} */
function cpuTicks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  return children.reduce((sum, each) => sum + cpuTicks(Number(each)), Number(fields[11]) + Number(fields[12]));
}

/** @param {Server} server @param {string} path @param {number} sizeBytes */
async function store({ port, name, speaks }, path, sizeBytes) {
  if (speaks === "redis") {
    execFileSync("redis-benchmark", ["-p", String(port), "-n", "16", "-d", String(sizeBytes), "-t", "set", "-q"]);
    return;
  }
  const headers = { authorization: "Bearer tok", "content-type": "application/octet-stream" };
  const body = Buffer.alloc(sizeBytes, "x");
  const stored = await fetch(`http://127.0.0.1:${port}${path}`, { method: "PUT", body, headers });
  if (!stored.ok) throw new Error(`${name} answers ${stored.status} to a PUT`);
}

/** @param {string} name */
function option(name) {
  return process.argv.find((each) => each.startsWith(`--${name}=`))?.split("=")[1];
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
