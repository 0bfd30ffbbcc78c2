#!/usr/bin/env node
/**
 * Runs a TypeScript program of this repository: `node tools/run-ts.mjs tools/tidy/main.ts ARGS`.
 *
 * Node 20 does not strip types, so the program is bundled first (30 ms); packages stay outside and are found as usual.
 */
import { mkdirSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { ROOT } from "./repository.mjs";

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) throw new Error("usage: node tools/run-ts.mjs PROGRAM.ts [ARGS]");

const name = `${basename(dirname(resolve(program)))}-${basename(program, ".ts")}`;
const outfile = join(ROOT, "node_modules/.cache/kahn-tools", `${name}.${process.pid}.mjs`);
mkdirSync(dirname(outfile), { recursive: true });
await build({
  entryPoints: [program],
  outfile,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  sourcemap: "inline",
  // A program asks for the folder of its own source, not of the bundle.
  define: { "import.meta.dirname": JSON.stringify(dirname(resolve(program))) },
  logLevel: "warning",
});
process.argv.splice(1, 2, resolve(program));
process.argv.splice(2, process.argv.length, ...rest);
process.once("exit", () => rmSync(outfile, { force: true }));
await import(pathToFileURL(outfile).href);
