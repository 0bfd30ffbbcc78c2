/**
 * Kahn's workflow engine as one file, as those have it who install the package; Node 20 does not strip types.
 *
 * Bundled in a process of its own: the bundler must not count as memory of the engine.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Makes the file. @returns {string} its path; removed when this process ends */
export function bundleFlow() {
  const cache = join(ROOT, "node_modules/.cache/kahn-tools");
  mkdirSync(cache, { recursive: true });
  const entry = join(cache, `flow-bench.${process.pid}.entry.ts`);
  const outfile = join(cache, `flow-bench.${process.pid}.mjs`);
  const from = (/** @type {string} */ name) => JSON.stringify(join(ROOT, `packages/${name}/src/index.ts`));
  writeFileSync(
    entry,
    `export * from ${from("workflow")};
     export { fileJournalStore } from ${from("journal")};
     export { openValueStore } from ${from("cas")};
     export { nodeClock, nodeFileSystem, nodeRandom } from ${from("system")};`,
  );
  const banner = "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);";
  const flags = ["--bundle", "--format=esm", "--platform=node", "--log-level=error", `--banner:js=${banner}`];
  const program = join(ROOT, "node_modules/.bin/esbuild");
  const { status } = spawnSync(program, [entry, `--outfile=${outfile}`, ...flags], { stdio: "inherit" });
  rmSync(entry);
  if (status !== 0) throw new Error("the workflow engine could not be bundled");
  process.once("exit", () => rmSync(outfile, { force: true }));
  return outfile;
}
