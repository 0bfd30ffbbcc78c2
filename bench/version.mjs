#!/usr/bin/env node
/**
 * `node bench/version.mjs [STARTS]`: what `kahn --version` costs above an empty Node.
 *
 * Mean processor time over the starts (50 unless told otherwise), in rounds of ten in turn, asked of bash: its children's
 * `getrusage`. Ends with 1 above the bar.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const BAR_MS = 15;
const ROUND = 10;
const KAHN = join(import.meta.dirname, "../packages/kahn/dist/kahn.mjs");
const LOOP = 'i=0; while [ $i -lt "$0" ]; do "$@" >/dev/null || exit 1; i=$((i + 1)); done; times';

const starts = Number(process.argv[2] ?? 50);
const rounds = Math.max(1, Math.round(starts / ROUND));
let empty = 0;
let version = 0;
for (let round = 0; round < rounds; round++) {
  empty += cpuMs([process.execPath, "-e", "0"]);
  version += cpuMs([process.execPath, KAHN, "--version"]);
}
const above = (version - empty) / rounds / ROUND;
console.log(`node -e 0         ${(empty / rounds / ROUND).toFixed(1)} ms CPU, mean of ${rounds * ROUND}`);
console.log(`kahn --version    ${(version / rounds / ROUND).toFixed(1)} ms CPU, mean of ${rounds * ROUND}`);
console.log(`above empty Node  ${above.toFixed(1)} ms, bar ${BAR_MS} ms, Node ${process.versions.node}`);
process.exitCode = above <= BAR_MS ? 0 : 1;

/**
 * @param {readonly string[]} command
 * @returns {number} user and system time of one round of starts
 */
function cpuMs(command) {
  const text = execFileSync("bash", ["-c", LOOP, String(ROUND), ...command], { encoding: "utf8" });
  const children = text.trim().split("\n")[1] ?? "";
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, part) => sum + Number(part[1]) * 60_000 + Number(part[2]) * 1000,
    0,
  );
}
