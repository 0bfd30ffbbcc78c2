/**
 * `npm run tidy [-- PATH…]`: what the compiler and the linter cannot see, sorted by package.
 *
 * With paths only findings below these are shown. `--tighten` writes the ratchet anew; it can only shrink.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { render } from "./render.ts";
import { loadRepository } from "./repository.ts";
import { RATCHET_PATH, tightened } from "./rules/sizes.ts";
import { findingsOf, RULES } from "./rules.ts";

const root = join(import.meta.dirname, "../..");
const repository = loadRepository(root);
const argv = process.argv.slice(2);

if (argv.includes("--tighten")) {
  writeFileSync(join(root, RATCHET_PATH), `${JSON.stringify(tightened(repository), null, 2)}\n`);
}
const prefixes = argv.filter((argument) => !argument.startsWith("-"));
const shown = findingsOf(repository).filter(
  ({ path }) => prefixes.length === 0 || prefixes.some((prefix) => path.startsWith(prefix)),
);

console.log(render(shown));
console.log(`tidy: ${repository.files.length} files, ${RULES.length} rules, ${shown.length} findings`);
process.exitCode = shown.length === 0 ? 0 : 1;
