#!/usr/bin/env node
/**
 * `npm test` and `npm run test:full`: sets up, then runs every test once, directly through the test runner.
 *
 * The last line but the reasons for skipped tests is `N passed, N failed, N skipped`. Arguments name test files, as in
 * `npm test -- packages/core`. With `--full`, property tests run the counts of the acceptance checks.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./repository.mjs";
import { setUp } from "./setup.mjs";
import { optionalTools } from "./test/optional-tools.mjs";

const FULL_SCALE = "10";

const args = process.argv.slice(2);
const isFull = args.includes("--full");
setUp();

const scale = process.env.KAHN_TEST_SCALE ?? (isFull ? FULL_SCALE : "1");
console.log(`test: property counts × ${scale}${isFull ? "" : "; `npm run test:full` runs more"}`);
console.log(`test: ${optionalTools()}`);

const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
const reporters = ["default", join(ROOT, "tools/test/reporter.mjs")].map((reporter) => `--reporter=${reporter}`);
const child = spawn(process.execPath, [vitest, "run", ...reporters, ...args.filter((each) => each !== "--full")], {
  cwd: ROOT,
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, KAHN_TEST_SCALE: scale },
});
child.on("close", (code) => {
  process.exitCode = code ?? 1;
});
