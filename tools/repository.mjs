/**
 * Where things are in this repository, for the tools.
 *
 * Never: imports a package from the registry; `npm start` and `npm test` load this before anything is installed.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the repository. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Absolute path of the published package. */
export const KAHN = join(ROOT, "packages/kahn");

/**
 * @typedef {object} Manifest the parts of a package.json that the tools read
 * @property {string} name
 * @property {string} version
 * @property {Record<string, { types: string, default: string } | string>} [exports]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {string} [license]
 */

/**
 * Reads the package.json of a folder.
 *
 * @param {string} directory absolute path
 * @returns {Manifest}
 */
export function readManifest(directory) {
  return JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
}

/**
 * Every file below a folder, in a stable order, without `node_modules` and build results.
 *
 * @param {string} directory absolute path
 * @returns {string[]} absolute paths
 */
export function filesBelow(directory) {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !/^(node_modules|dist(\..*)?)$/.test(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

/**
 * The sources behind the names by which packages import each other.
 *
 * @returns {Map<string, string>} for example `@kahn/testing/contract` → absolute path of its TypeScript source
 */
export function workspaceSources() {
  const sources = new Map();
  for (const folder of readdirSync(join(ROOT, "packages"))) {
    const { name, exports = {} } = readManifest(join(ROOT, "packages", folder));
    for (const [subpath, source] of Object.entries(exports)) {
      if (typeof source !== "string" || !source.endsWith(".ts")) continue;
      sources.set(join(name, subpath), join(ROOT, "packages", folder, source));
    }
  }
  return sources;
}
