#!/usr/bin/env node
/**
 * `npm run test:langgraph`: LangGraph's public conformance suite, and real graphs, on our checkpoint saver.
 *
 * The packages of LangGraph are large and nobody else needs them, so they have a folder and a lock file of their own,
 * test/langgraph, and are installed when this runs. Where they cannot be had, the tests are skipped with the reason.
 * The last line is `N passed, N failed, N skipped`. Arguments name suites, as in `npm run test:langgraph -- conformance`.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./repository.mjs";
import { setUp } from "./setup.mjs";
import { installApart } from "./test/install-apart.mjs";

const FOLDER = join(ROOT, "test/langgraph");

setUp();
const refusal = installApart(FOLDER, "LangGraph's packages");
if (refusal === undefined) {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  run([tsc, "-p", FOLDER, "--noEmit"], "the types of the saver are not LangGraph's");
  const reporters = ["default", join(ROOT, "tools/test/reporter.mjs")].map((reporter) => `--reporter=${reporter}`);
  const vitest = join(FOLDER, "node_modules/vitest/vitest.mjs");
  run([vitest, "run", "--silent=passed-only", ...reporters, ...process.argv.slice(2)], "tests failed");
} else {
  console.log(`skipped: the suites of LangGraph (${refusal})`);
  console.log("0 passed, 0 failed, 1 skipped");
}

/**
 * @param {readonly string[]} args
 * @param {string} failure
 */
function run(args, failure) {
  const { status } = spawnSync(process.execPath, args, { cwd: FOLDER, stdio: ["ignore", "inherit", "inherit"] });
  if (status === 0) return;
  console.error(`test: ${failure}`);
  process.exit(status ?? 1);
}
