/**
 * The servers that `http.mjs` compares: started on loopback in folders of their own, ended by their process ids.
 *
 * nginx and redis run as Debian installs them, but for the address, the folder, and what a PUT needs.
 */
import { execFileSync, fork, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {{ name: string, port: number, child: import("node:child_process").ChildProcess, speaks: "http" | "redis" }} Server */

const SERVER = fileURLToPath(new URL("http-server.mjs", import.meta.url));

/** @param {string} folder @param {string} durability @returns {Promise<Server>} */
export async function startKahn(folder, durability) {
  const child = fork(SERVER, [join(folder, durability), durability]);
  const port = await new Promise((resolve) => child.once("message", resolve));
  return { name: durability === "none" ? "not durable" : "durable", child, port, speaks: "http" };
}

/** @param {string} folder @param {string} peer where it is installed @returns {Promise<Server>} */
export async function startPeer(folder, peer) {
  const port = await freePort();
  const env = {
    ...process.env,
    ...{ TURBO_TOKEN: "tok", STORAGE_PROVIDER: "local", STORAGE_PATH: join(folder, "peer"), PORT: String(port) },
    ...{ NODE_ENV: "production", LOG_LEVEL: "fatal" },
  };
  const child = fork(join(peer, "node_modules/turborepo-remote-cache/dist/cli.js"), [], { env, stdio: "ignore" });
  await untilUp(child, () => fetch(`http://127.0.0.1:${port}/v8/artifacts/status`), `from ${peer}; set PEER`);
  return { name: "turborepo-remote-cache", child, port, speaks: "http" };
}

/** Debian's `nginx-light`, which keeps files by WebDAV. @param {string} folder @returns {Promise<Server | string>} */
export async function startNginx(folder) {
  const program = found("/usr/sbin/nginx", ["-v"]);
  if (program === undefined) return "nginx is not installed (apt-get install nginx-light)";
  const port = await freePort();
  const root = join(folder, "nginx");
  for (const name of ["files", "body"]) mkdirSync(join(root, name), { recursive: true });
  const config = join(root, "nginx.conf");
  writeFileSync(
    config,
    `user root; worker_processes auto; pid ${root}/pid; error_log ${root}/error.log; daemon off;
events { worker_connections 768; }
http { sendfile on; tcp_nopush on; access_log ${root}/access.log; client_body_temp_path ${root}/body;
  server { listen 127.0.0.1:${port}; root ${root}/files; client_max_body_size 0;
    location / { dav_methods PUT; create_full_put_path on; } } }
`,
  );
  const child = spawn(program, ["-p", root, "-c", config], { stdio: "ignore" });
  await untilUp(child, () => fetch(`http://127.0.0.1:${port}/`), "with its configuration");
  return { name: "nginx", child, port, speaks: "http" };
}

/** Debian's `redis-server`, which keeps values in memory. @param {string} folder @returns {Promise<Server | string>} */
export async function startRedis(folder) {
  const program = found("redis-server", ["--version"]);
  if (program === undefined || found("redis-benchmark", ["--version"]) === undefined) {
    return "redis is not installed (apt-get install redis-server)";
  }
  const port = await freePort();
  const root = join(folder, "redis");
  mkdirSync(root, { recursive: true });
  const child = spawn(program, ["--port", String(port), "--bind", "127.0.0.1", "--dir", root], { stdio: "ignore" });
  const ping = async () => execFileSync("redis-cli", ["-p", String(port), "ping"], { stdio: "ignore" });
  await untilUp(child, ping, "on loopback");
  return { name: "redis", child, port, speaks: "redis" };
}

/** Whether a program runs. @param {string} program @param {string[]} question */
function found(program, question) {
  try {
    execFileSync(program, question, { stdio: "ignore" });
    return program;
  } catch {
    return undefined;
  }
}

/** @param {import("node:child_process").ChildProcess} child @param {() => Promise<unknown>} ask @param {string} how */
async function untilUp(child, ask, how) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const isUp = await ask().then(
      () => true,
      () => false,
    );
    if (isUp) return;
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} does not start ${how}`);
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
