#!/usr/bin/env node
/**
 * `node tools/conformance.mjs`: writes docs/conformance.md anew, from a run of the built `reapi-conform` on the built
 * `kahn serve`. A test fails while the tables there are not what a run says.
 */
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { KAHN, ROOT } from "./repository.mjs";

const HEAD = `# What \`reapi-conform\` says of \`kahn serve\`

\`reapi-conform\` comes with the package. It checks any server of the Remote Execution API v2 against the obligations of the
protocol, one named check for each, and shares no code with the server's codec: \`npx reapi-conform grpc://HOST:PORT\`, and
\`--help\` tells the rest. What a server does not offer by its capabilities is skipped, with the reason. _must_: a failure
breaks the protocol; _should_: clients may expect it; _optional_: good to have.

This is its report on \`kahn serve\` as it starts without any configuration. \`node tools/conformance.mjs\` writes it anew, and
a test compares it with a run.

`;

const directory = mkdtempSync(join(tmpdir(), "kahn-conformance-"));
const server = spawn(
  process.execPath,
  [join(KAHN, "dist/kahn.mjs"), "serve", "--json", "--listen", "127.0.0.1:0", "--dir", directory],
  { stdio: ["ignore", "pipe", "inherit"] },
);
try {
  const conform = join(KAHN, "dist/reapi-conform.mjs");
  const report = promisify(execFile)(process.execPath, [conform, "--markdown", await startedTarget()], {
    maxBuffer: 1 << 24,
  });
  const page = join(ROOT, "docs/conformance.md");
  writeFileSync(page, `${HEAD}${(await report).stdout}`);
  execFileSync(join(ROOT, "node_modules/.bin/biome"), ["format", "--write", page], { stdio: "pipe" });
} finally {
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  await ended;
  rmSync(directory, { recursive: true, force: true });
}

/** @returns {Promise<string>} where the server listens, once it says so */
async function startedTarget() {
  for await (const line of createInterface({ input: server.stdout })) {
    const message = JSON.parse(line);
    if (message.kind === "serve.started") return message.targets[0];
  }
  throw new Error("kahn serve ended before it had started");
}
