/**
 * Declarations of the library: emitted by the compiler, then made self-contained.
 *
 * Inside the repository packages name each other (`@kahn/core`) and files carry `.ts`; the published package has
 * neither, so both become relative paths with `.js`, which every resolution mode understands.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { filesBelow, ROOT } from "../repository.mjs";

/** @typedef {import("./entries.mjs").Entry} Entry */

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
  for (const file of filesBelow(directory)) writeFileSync(file, selfContained(file, directory));
  return undefined;
}

/**
 * @param {string} file absolute path of a declaration
 * @param {string} directory absolute path of `types`
 */
function selfContained(file, directory) {
  return readFileSync(file, "utf8").replace(
    /(\bfrom |\bimport\()"(@kahn\/[^"]+|\.[^"]+)"/g,
    (_, keyword, specifier) => `${keyword}"${publishedSpecifier(specifier, file, directory)}"`,
  );
}

/**
 * @param {string} specifier as the sources have it
 * @param {string} file absolute path of the declaration that imports
 * @param {string} directory absolute path of `types`
 */
function publishedSpecifier(specifier, file, directory) {
  const [, name, subpath] = /^@kahn\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
  if (name === undefined) return specifier.replace(/\.ts$/, ".js");
  const target = join(directory, name, "src", `${subpath ?? "index"}.js`);
  const path = relative(dirname(file), target);
  return path.startsWith(".") ? path : `./${path}`;
}
