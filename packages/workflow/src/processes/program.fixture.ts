/** Fixtures as programs: one file of plain JavaScript each, which `node` runs in a process of its own. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** @param entry of the program, beside the test that asks for it. */
export async function makeProgram(entry: URL, outfile: string): Promise<void> {
  const banner = { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" };
  const entryPoints = [fileURLToPath(entry)];
  await build({ entryPoints, outfile, bundle: true, format: "esm", platform: "node", banner });
}
