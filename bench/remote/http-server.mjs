/**
 * The HTTP caches of the tree over a store on disk: `node http-server.mjs FOLDER batched|none`, started by `http.mjs`.
 * Says its port.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, stop } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const [, , folder = "", durability = "batched"] = process.argv;

const { httpCaches, openPort, openServerStore, OPEN_ACCESS, nodeClock, nodeFileSystem, nodeRandom, ...owners } =
  await load();
const clock = nodeClock();
const random = nodeRandom();
const { ownIdentity: owner, livenessOf } = { ownIdentity: owners.ownIdentity(), livenessOf: owners.livenessOf };
const store = await openServerStore({
  fs: nodeFileSystem(),
  clock,
  random,
  root: folder,
  owner,
  livenessOf,
  durability,
});
if (!store.ok) throw new Error(store.problem.message);
const onRequest = httpCaches({ store: store.value, access: OPEN_ACCESS, clock, random, status: () => ({}) });
const port = await openPort({ address: { kind: "tcp", host: "127.0.0.1", port: 0 }, clock, onRequest });
if (!port.ok) throw new Error(port.problem.message);
process.on("disconnect", () => process.exit());
process.send?.(port.value.address.port);

/** The server as it is in the tree, in one file. @returns {Promise<any>} */
async function load() {
  const cache = join(ROOT, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const made = mkdtempSync(join(cache, "kahn-http-"));
  const outfile = join(made, "kahn.mjs");
  const contents = `
    export { openServerStore } from "./packages/remote/src/store/open-server-store.ts";
    export { openPort } from "./packages/remote/src/port/index.ts";
    export { httpCaches } from "./packages/remote/src/http/index.ts";
    export { OPEN_ACCESS } from "./packages/remote/src/reapi/requests/access-port.ts";
    export { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";`;
  const stdin = { contents, resolveDir: ROOT, loader: /** @type {const} */ ("ts") };
  const external = ["@napi-rs/*", "hash-wasm"];
  await build({ stdin, outfile, external, bundle: true, format: "esm", platform: "node", logLevel: "warning" });
  await stop();
  const loaded = await import(pathToFileURL(outfile).href);
  rmSync(made, { recursive: true });
  return loaded;
}
