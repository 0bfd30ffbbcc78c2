/**
 * Bundles the sources of all packages with esbuild.
 *
 * The command line and the library are bundled apart: shared chunks would cut the command line into many small files,
 * and each file that a start loads costs about half a millisecond.
 */
import { join } from "node:path";
import { build } from "esbuild";
import { KAHN, ROOT, readManifest } from "../repository.mjs";

/** @typedef {import("esbuild").Metafile} Metafile */
/** @typedef {import("./entries.mjs").Entry} Entry */

const manifest = readManifest(KAHN);

/** @satisfies {import("esbuild").BuildOptions} */
const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  splitting: true,
  metafile: true,
  format: "esm",
  platform: "node",
  target: "node20.12",
  outExtension: { ".js": ".mjs" },
  // Short names too: a start of `kahn run` parses half a megabyte, and they save it 6 %. The maps stay in the repository
  // (`node --enable-source-maps`), where a stack trace from a bug report can be read with them.
  minify: true,
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "external",
  // What the published package declares stays outside: native modules, and tools that the user brings.
  external: [...Object.keys(manifest.optionalDependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {})],
  // CommonJS packages inside the bundle call require() for Node's own modules.
  banner: { js: 'import{createRequire as $require}from"node:module";const require=$require(import.meta.url);' },
  // Modules before CommonJS files: what is loaded lazily from CommonJS has no exports by name in a bundle.
  mainFields: ["module", "main"],
  alias: { yaml: join(ROOT, "node_modules/yaml/browser/index.js") },
  logLevel: "warning",
};

/**
 * @param {string} directory absolute path of the folder that becomes dist
 * @returns {Promise<Metafile>} what went into it
 */
export async function bundleCommandLine(directory) {
  const entryPoints = { kahn: join(KAHN, "src/main.ts") };
  const result = await build({ ...OPTIONS, entryPoints, outdir: directory, chunkNames: "cli/[name]-[hash]" });
  return result.metafile;
}

/**
 * What runs beside the command line: the program that starts processes for one that grows, and the threads that hash
 * uploads and check passwords. Each is a file by itself, so that it stays as small as its purpose.
 *
 * @param {string} directory absolute path of the folder that becomes dist
 * @returns {Promise<Metafile>} what went into it
 */
export async function bundlePrograms(directory) {
  const entryPoints = {
    spawner: join(ROOT, "packages/system/src/spawner-main.ts"),
    hasher: join(ROOT, "packages/system/src/hasher-main.ts"),
    passwords: join(ROOT, "packages/remote/src/access/password-main.ts"),
  };
  const result = await build({ ...OPTIONS, splitting: false, entryPoints, outdir: directory });
  return result.metafile;
}

/**
 * The program that checks any REAPI server: a file by itself, which nothing else loads.
 *
 * @param {string} directory absolute path of the folder that becomes dist
 * @returns {Promise<Metafile>} what went into it
 */
export async function bundleConform(directory) {
  const entryPoints = { "reapi-conform": join(ROOT, "packages/remote/src/conform/conform-main.ts") };
  // What grpc-js loads for its own diagnosis only, which is never asked for: it would bring a second protobufjs.
  const external = [...OPTIONS.external, "@grpc/proto-loader"];
  const result = await build({ ...OPTIONS, external, splitting: false, entryPoints, outdir: directory });
  return result.metafile;
}

/**
 * @param {string} directory absolute path of the folder that becomes dist
 * @param {readonly Entry[]} entries
 * @returns {Promise<Metafile>} what went into it
 */
export async function bundleLibrary(directory, entries) {
  const entryPoints = Object.fromEntries(entries.map((entry) => [entry.output, entry.source]));
  const result = await build({ ...OPTIONS, entryPoints, outdir: directory, chunkNames: "lib/[name]-[hash]" });
  return result.metafile;
}
