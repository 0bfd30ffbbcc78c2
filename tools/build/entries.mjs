/**
 * The library's entries, read from the one place that names them: "exports" of the published package.json.
 *
 * Invariant: a subpath's declarations lie at `dist/types/<path of its source below packages/>`, so the source follows
 *            from the manifest.
 */
import { join } from "node:path";
import { ROOT, readManifest } from "../repository.mjs";

/**
 * @typedef {object} Entry
 * @property {string} subpath for example `./testing`
 * @property {string} source absolute path of the TypeScript source
 * @property {string} output name of the bundled file below dist, without its extension
 */

/**
 * @param {string} directory absolute path of the published package
 * @returns {Entry[]} entries that have a source; files given as they stand (`./schema.json`) are left out
 */
export function entriesOf(directory) {
  const entries = [];
  for (const [subpath, target] of Object.entries(readManifest(directory).exports ?? {})) {
    if (typeof target === "string") continue;
    const source = /^\.\/dist\/types\/(.+)\.d\.ts$/.exec(target.types)?.[1];
    const output = /^\.\/dist\/(.+)\.mjs$/.exec(target.default)?.[1];
    if (source === undefined || output === undefined) {
      throw new Error(`"exports" has ${subpath} in a form that the build does not know: ${JSON.stringify(target)}`);
    }
    entries.push({ subpath, source: join(ROOT, "packages", `${source}.ts`), output });
  }
  return entries;
}
