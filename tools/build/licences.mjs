/** The licence texts of the packages from the registry whose code is inside the bundles. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readManifest } from "../repository.mjs";

/** @typedef {import("esbuild").Metafile} Metafile */

/**
 * @param {readonly Metafile[]} metafiles
 * @returns {string} one section per package, by name; throws if a package carries no licence at all
 */
export function thirdPartyText(metafiles) {
  const inputs = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap((each) => Object.entries(each.inputs)),
  );
  const folders = new Set();
  for (const [path, { bytesInOutput }] of inputs) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
    if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
  }
  const sections = [...folders].sort().map((folder) => section(join(ROOT, folder)));
  return ["Kahn contains code of these packages.\n", ...sections].join(`\n${"-".repeat(80)}\n\n`);
}

/** @param {string} directory absolute path of an installed package */
function section(directory) {
  const { name, version, license } = readManifest(directory);
  const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
  if (file === undefined && license === undefined)
    throw new Error(`${name} is bundled, but ${directory} has no licence`);
  const text = file === undefined ? `Licence: ${license}` : readFileSync(join(directory, file), "utf8").trim();
  return `${name} ${version}\n\n${text}\n`;
}
