/**
 * Turborepo's artifacts on our server and on npm's turborepo-remote-cache, which keeps them in files as well.
 *
 * `PEER=FOLDER node bench/remote/http.mjs [--rounds=5]`: FOLDER holds `node_modules/turborepo-remote-cache`; needs `wrk`
 * as the client, in a process of its own, and Linux for the servers' CPU. The servers run in turn within each round.
 * "durable" flushes every upload to the disk before it answers; the peer never does, and neither does "not durable".
 */
import { execFileSync, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CASES = [
  { name: "GET 10 KB", method: "GET", sizeBytes: 10_000, seconds: 2 },
  { name: "GET 1 MB", method: "GET", sizeBytes: 1_000_000, seconds: 2 },
  { name: "GET, none there", method: "MISS", sizeBytes: 0, seconds: 2 },
  { name: "PUT 10 KB", method: "PUT", sizeBytes: 10_000, seconds: 2 },
  { name: "PUT 1 MB", method: "PUT", sizeBytes: 1_000_000, seconds: 3 },
];
const CONNECTIONS = 16;
const TICKS_PER_SECOND = 100;
const SERVER = fileURLToPath(new URL("http-server.mjs", import.meta.url));

const rounds = Number(process.argv.find((each) => each.startsWith("--rounds="))?.split("=")[1] ?? 5);
const peer = process.env.PEER ?? process.cwd();
const folder = mkdtempSync(join(tmpdir(), "kahn-http-"));
let serial = 0;

/** @typedef {{ name: string, port: number, child: import("node:child_process").ChildProcess }} Server */

/** @type {Server[]} */
const servers = [];
try {
  servers.push(await startPeer(), await startKahn("batched"), await startKahn("none"));
  const head = ["case", "durable: rate, CPU", "not durable: rate, CPU", "req/s (us) peer", "durable", "not durable"];
  console.log(`| ${head.join(" | ")} |\n|${head.map(() => " --- |").join("")}`);
  for (const each of CASES) console.log(await compare(each));
} finally {
  for (const { child } of servers) child.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** @param {(typeof CASES)[number]} measured */
async function compare(measured) {
  const path = `/v8/artifacts/${measured.sizeBytes.toString(16).padStart(16, "0")}?slug=team`;
  if (measured.method === "GET") for (const each of servers) await store(each, path, measured.sizeBytes);
  /** @type {{ rate: number, cpuUs: number }[][]} */
  const results = servers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < servers.length; turn++) {
      const index = (turn + round) % servers.length;
      results[index]?.push(load(/** @type {Server} */ (servers[index]), measured, path));
    }
  }
  const medians = results.map((each) => ({
    rate: median(each.map(({ rate }) => rate)),
    cpuUs: median(each.map(({ cpuUs }) => cpuUs)),
  }));
  const [theirs, ...ours] = medians;
  if (theirs === undefined) throw new Error("nothing to compare with");
  const ratios = ours.map(
    ({ rate, cpuUs }) => `${(rate / theirs.rate).toFixed(2)}x, ${(theirs.cpuUs / cpuUs).toFixed(2)}x less`,
  );
  const numbers = medians.map(({ rate, cpuUs }) => `${rate.toFixed(0)} (${cpuUs.toFixed(0)})`);
  return `| ${[measured.name, ...ratios, ...numbers].join(" | ")} |`;
}

/** @param {Server} server @param {(typeof CASES)[number]} measured @param {string} path */
function load({ child, port }, { method, sizeBytes, seconds }, path) {
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
  const before = cpuTicks(child);
  const url = `http://127.0.0.1:${port}${method === "MISS" ? "/v8/artifacts/00?slug=team" : path}`;
  const options = ["-t", "1", "-c", String(CONNECTIONS), "-d", `${seconds}s`, "--timeout", "20s", "-s", script, url];
  const output = execFileSync("wrk", options, { encoding: "utf8" });
  const cpuUs = ((cpuTicks(child) - before) / TICKS_PER_SECOND) * 1e6;
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  const isRight = method === "MISS" || output.includes("status errors 0\n");
  if (!isRight || /Socket errors/.test(output)) throw new Error(`not every ${method} succeeded:\n${output}`);
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]), cpuUs: cpuUs / requests };
}

/** Processor time of a process, its threads included. @param {import("node:child_process").ChildProcess} child */
function cpuTicks({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** @param {Server} server @param {string} path @param {number} sizeBytes */
async function store({ port, name }, path, sizeBytes) {
  const headers = { authorization: "Bearer tok", "content-type": "application/octet-stream" };
  const stored = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "PUT",
    body: Buffer.alloc(sizeBytes, "x"),
    headers,
  });
  if (!stored.ok) throw new Error(`${name} answers ${stored.status} to a PUT`);
}

/** @param {string} durability @returns {Promise<Server>} */
async function startKahn(durability) {
  const child = fork(SERVER, [join(folder, durability), durability]);
  return { name: durability, child, port: await new Promise((resolve) => child.once("message", resolve)) };
}

/** @returns {Promise<Server>} */
async function startPeer() {
  const port = await freePort();
  const env = {
    ...process.env,
    ...{ TURBO_TOKEN: "tok", STORAGE_PROVIDER: "local", STORAGE_PATH: join(folder, "peer"), PORT: String(port) },
    ...{ NODE_ENV: "production", LOG_LEVEL: "fatal" },
  };
  const child = fork(join(peer, "node_modules/turborepo-remote-cache/dist/cli.js"), [], { env, stdio: "ignore" });
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const isUp = await fetch(`http://127.0.0.1:${port}/v8/artifacts/status`).then(
      () => true,
      () => false,
    );
    if (isUp) return { name: "turborepo-remote-cache", child, port };
    if (child.exitCode !== null) throw new Error(`turborepo-remote-cache does not start from ${peer}; set PEER`);
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
