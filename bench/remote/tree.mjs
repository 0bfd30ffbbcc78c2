/** The server as it is in the tree, bundled for a benchmark, beside the program of its hash thread. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, stop } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Loads what a source text exports, and makes `hashers`: those of the server, or none with KAHN_HASH_HERE set.
 *
 * @param {string} contents TypeScript, in the tree's root
 * @returns {Promise<any>}
 */
export async function loadTree(contents) {
  const cache = join(ROOT, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const made = mkdtempSync(join(cache, "kahn-bench-"));
  // The hasher is loaded when it is first needed.
  process.on("exit", () => rmSync(made, { recursive: true, force: true }));
  const outfile = join(made, "kahn.mjs");
  const system = `export { growHeapFreely, hashThread, livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";`;
  const stdin = { contents: contents + system, resolveDir: ROOT, loader: /** @type {const} */ ("ts") };
  const external = ["@napi-rs/*", "hash-wasm"];
  // What bundled CommonJS asks for by `require`.
  const banner = { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);` };
  const how = /** @type {const} */ ({ bundle: true, format: "esm", platform: "node", logLevel: "warning" });
  await build({ stdin, outfile, external, banner, ...how });
  const program = join(made, "hasher.mjs");
  await build({ entryPoints: [join(ROOT, "packages/system/src/hasher-main.ts")], outfile: program, ...how });
  await stop();
  const loaded = await import(pathToFileURL(outfile).href);
  const clock = loaded.nodeClock();
  const isHere = process.env.KAHN_HASH_HERE !== undefined;
  const hashers = isHere ? undefined : loaded.hashThread({ program, clock, report: console.error });
  return { ...loaded, clock, hashers };
}
