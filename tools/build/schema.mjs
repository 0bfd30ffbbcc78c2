/** The JSON Schema of the configuration, which the sources compose: bundled, loaded once, written down. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { KAHN, ROOT } from "../repository.mjs";

/** Packages that may export `configJsonSchema`, the composed one first. */
const CANDIDATES = [join(KAHN, "src/index.ts"), join(ROOT, "packages/workspace/src/index.ts")];

/**
 * @param {string} scratch absolute path of a folder to write into
 * @returns {Promise<unknown>} the schema; `undefined` while no package exports one
 */
export async function configurationSchema(scratch) {
  const source = CANDIDATES.find((file) => existsSync(file) && readFileSync(file, "utf8").includes("configJsonSchema"));
  if (source === undefined) return undefined;
  const outfile = join(scratch, "schema.mjs");
  await build({
    stdin: { contents: `export { configJsonSchema } from ${JSON.stringify(source)};`, resolveDir: ROOT },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    banner: { js: 'import{createRequire as $require}from"node:module";const require=$require(import.meta.url);' },
    logLevel: "warning",
  });
  const { configJsonSchema } = await import(pathToFileURL(outfile).href);
  rmSync(outfile);
  return typeof configJsonSchema === "function" ? configJsonSchema() : configJsonSchema;
}
