/**
 * Declarations of the library: emitted by the compiler, then made self-contained.
 *
 * Inside the repository packages name each other (`@kahn/core`) and files carry `.ts`; the published package has
 * neither, so both become relative paths with `.js`, which every resolution mode understands.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { filesBelow, ROOT, workspaceSources } from "../repository.mjs";

/** @typedef {import("./entries.mjs").Entry} Entry */

/** Stand-ins for the declarations of bundled packages: what would otherwise be an import that nobody can resolve. */
const THIRD_PARTY = join(import.meta.dirname, "third-party-types");

/** The source of each specifier that packages use for one another. */
const SOURCES = workspaceSources();

/**
 * @param {string} directory absolute path; becomes `dist/types`
 * @param {readonly Entry[]} entries
 * @returns {Promise<string | undefined>} the compiler's errors, if there are any
 */
export async function emitDeclarations(directory, entries) {
  const project = `${directory}.tsconfig.json`;
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    stripInternal: true,
    rootDir: join(ROOT, "packages"),
    outDir: directory,
    // Not through node_modules: what the compiler finds there it takes for the code of others, and does not emit.
    paths: Object.fromEntries([...SOURCES].map(([specifier, source]) => [specifier, [source]])),
  };
  const files = entries.map((entry) => entry.source);
  writeFileSync(
    project,
    JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions, files, include: [], exclude: [] }),
  );
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  const result = spawnSync(process.execPath, [tsc, "-p", project], { encoding: "utf8", cwd: ROOT });
  rmSync(project);
  if (result.status !== 0) return result.stdout + result.stderr;
  cpSync(THIRD_PARTY, join(directory, "third-party"), { recursive: true });
  for (const file of filesBelow(directory)) writeFileSync(file, selfContained(file, directory));
  return undefined;
}

/**
 * @param {string} file absolute path of a declaration
 * @param {string} directory absolute path of `types`
 */
function selfContained(file, directory) {
  return readFileSync(file, "utf8").replace(
    /(\bfrom |\bimport\()"([^"]+)"/g,
    (_, keyword, specifier) => `${keyword}"${publishedSpecifier(specifier, file, directory)}"`,
  );
}

/**
 * @param {string} specifier as the sources have it
 * @param {string} file absolute path of the declaration that imports
 * @param {string} directory absolute path of `types`
 */
function publishedSpecifier(specifier, file, directory) {
  const source = SOURCES.get(specifier);
  const isStandIn = existsSync(join(THIRD_PARTY, `${specifier}.d.ts`));
  if (source === undefined && !isStandIn) return specifier.replace(/^(\..*)\.ts$/, "$1.js");
  const target = source === undefined ? `third-party/${specifier}.ts` : relative(join(ROOT, "packages"), source);
  const path = relative(dirname(file), join(directory, target)).replace(/\.ts$/, ".js");
  return path.startsWith(".") ? path : `./${path}`;
}
