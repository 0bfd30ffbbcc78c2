#!/usr/bin/env node
/**
 * `npm run test:clients`: real clients of every protocol against the built server.
 *
 * Turborepo, Nx, moon and Bazel 2.1.0 come from the registry into test/conformance/clients, with a lock file of their
 * own, since nothing else needs them; ccache and bazel-4 are used where they are installed. `CLIENT_MODULES` and `BAZEL2`
 * name other ones. The last line is `N passed, N failed, N skipped`. Arguments are those of the test runner.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./repository.mjs";
import { setUp } from "./setup.mjs";
import { installApart } from "./test/install-apart.mjs";

const FOLDER = join(ROOT, "test/conformance/clients");
const SUITES = ["test/conformance/clients.test.ts", "test/conformance/bazel-execution.test.ts"];

setUp();
const modules = process.env.CLIENT_MODULES ?? FOLDER;
const refusal = modules === FOLDER ? installApart(FOLDER, "build tools") : undefined;
if (refusal !== undefined) console.log(`test: no build tools from the registry (${refusal})`);
const bazel = join(modules, "node_modules/@bazel/bazel-linux_x64/bazel-2.1.0-linux-x86_64");
const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
const reporters = ["default", join(ROOT, "tools/test/reporter.mjs")].map((reporter) => `--reporter=${reporter}`);
// One file after the other: they measure nothing, but a Bazel takes all the memory that a small machine has.
const args = [vitest, "run", "--no-file-parallelism", ...reporters, ...SUITES, ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, args, {
  cwd: ROOT,
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, CLIENT_MODULES: modules, BAZEL2: process.env.BAZEL2 ?? (existsSync(bazel) ? bazel : "") },
});
process.exitCode = status ?? 1;
