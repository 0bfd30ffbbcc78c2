#!/usr/bin/env node
/**
 * `npm run build`: makes `packages/kahn/dist`, all that the published package consists of.
 *
 *   kahn.mjs           the command-line file, and its lazily loaded parts in cli/
 *   spawner.mjs        starts processes for a Kahn that grows
 *   hasher.mjs         the thread of a server that hashes large uploads
 *   passwords.mjs      the thread of a server that checks passwords
 *   reapi-conform.mjs  checks any REAPI server
 *   index.mjs, …       one file per subpath of "exports" in packages/kahn/package.json, sharing lib/
 *   types/             the declarations of those, with relative imports only
 *   schema.json        of kahn.jsonc
 *   LICENSE, THIRD-PARTY.txt
 *
 * Owns:      the order of the steps, and doing nothing when no input changed.
 * Invariant: `dist` is replaced as a whole by two renames, and `dist/.inputs` exists only in a complete one.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { bundleCommandLine, bundleConform, bundleLibrary, bundlePrograms } from "./build/bundle.mjs";
import { emitDeclarations } from "./build/declarations.mjs";
import { entriesOf } from "./build/entries.mjs";
import { thirdPartyText } from "./build/licences.mjs";
import { linkCommands } from "./build/link-commands.mjs";
import { configurationSchema } from "./build/schema.mjs";
import { filesBelow, KAHN, ROOT } from "./repository.mjs";

const DIST = join(KAHN, "dist");
const startedMs = performance.now();
const inputs = inputsDigest();

if (existsSync(join(DIST, ".inputs")) && readFileSync(join(DIST, ".inputs"), "utf8") === inputs) {
  console.log(`build: packages/kahn/dist is up to date (${elapsed()})`);
} else {
  process.exitCode = await build();
}
linkCommands();

/** @returns {Promise<number>} the exit code */
async function build() {
  // Beside the old one, so that a Kahn that is running keeps its lazily loaded parts until the swap.
  const next = join(KAHN, `dist.${process.pid}`);
  try {
    mkdirSync(next, { recursive: true });
    const entries = entriesOf(KAHN);
    const [commandLine, programs, conform, library, schema, typeErrors] = await Promise.all([
      bundleCommandLine(next),
      bundlePrograms(next),
      bundleConform(next),
      bundleLibrary(next, entries),
      configurationSchema(next),
      emitDeclarations(join(next, "types"), entries),
    ]);
    if (schema !== undefined) writeFileSync(join(next, "schema.json"), `${JSON.stringify(schema, null, 2)}\n`);
    copyFileSync(join(ROOT, "LICENSE"), join(next, "LICENSE"));
    writeFileSync(join(next, "THIRD-PARTY.txt"), thirdPartyText([commandLine, programs, conform, library]));
    if (typeErrors === undefined) writeFileSync(join(next, ".inputs"), inputs);
    replaceDist(next);
    const bytes = Object.entries(commandLine.outputs)
      .filter(([path]) => path.endsWith(".mjs"))
      .reduce((sum, [, output]) => sum + output.bytes, 0);
    const verb = typeErrors === undefined ? "made" : "made, without declarations,";
    console.log(`build: ${verb} packages/kahn/dist, command line ${Math.round(bytes / 1024)} KiB (${elapsed()})`);
    if (typeErrors === undefined) return 0;
    console.error(`build: the declarations have errors; "npm run typecheck" shows them all\n${typeErrors}`);
    return 1;
  } catch (error) {
    // esbuild has printed its own errors, with the source lines.
    if (error instanceof Error && "errors" in error) return 1;
    throw error;
  } finally {
    rmSync(next, { recursive: true, force: true });
  }
}

/** @param {string} next the complete folder that becomes `dist` */
function replaceDist(next) {
  const old = `${next}.old`;
  if (existsSync(DIST)) renameSync(DIST, old);
  renameSync(next, DIST);
  rmSync(old, { recursive: true, force: true });
}

/** Contents, not mtimes: a fresh clone or a branch switched twice has new mtimes and the same files. */
function inputsDigest() {
  const hash = createHash("sha256");
  const sources = filesBelow(join(ROOT, "packages")).filter((file) => !/\.(test\.ts|md)$/.test(file));
  const tools = [...filesBelow(join(ROOT, "tools/build")), join(ROOT, "tools/build.mjs")];
  for (const file of [...sources, ...tools, join(ROOT, "package-lock.json"), join(ROOT, "tsconfig.json")]) {
    const bytes = readFileSync(file);
    hash.update(`${relative(ROOT, file)} ${bytes.length}\n`).update(bytes);
  }
  return `${hash.digest("hex")}\n`;
}

function elapsed() {
  return `${((performance.now() - startedMs) / 1000).toFixed(2)} s`;
}
