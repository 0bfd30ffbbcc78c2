/**
 * What the engines of the flow benchmarks share: the arguments, the payload, time stamps, the line of results.
 *
 * An engine runs one shape in a process of its own, calls `tick()` first thing in each node, checks its result and calls
 * `report()`. Processor time is counted from the first node on: other load disturbs it less than time on the wall.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `--name=value` by name. @type {Readonly<Record<string, string | undefined>>} */
export const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
/** Steps, or branches. */
export const n = Number(args.n ?? 1000);
/** Bytes that sit in the state unchanged. */
export const size = Number(args.size ?? 1024);
/** `chain`: two nodes in turn; `fanout`: branches that add to one key, and a join. */
export const shape = args.shape ?? "chain";
/** `none`, `memory`, or `disk`: what the engine itself has for files, without waiting for the device. */
export const persist = args.persist === "sqlite" ? "disk" : (args.persist ?? "none");
/** For what is written; removed by `report`. */
export const directory = mkdtempSync(join(args.dir ?? tmpdir(), "flowbench-"));

/**
 * Text of a size that does not compress to nothing.
 *
 * @param {number} sizeBytes
 */
export function blob(sizeBytes) {
  let x = 0x9e3779b9;
  let text = "";
  while (text.length < sizeBytes) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    text += x.toString(36).padStart(7, "0");
  }
  return text.slice(0, sizeBytes);
}

const stamps = new Float64Array(n);
let stamped = 0;
/** @type {NodeJS.CpuUsage | undefined} */
let cpu;

/** A node begins. */
export function tick() {
  cpu ??= process.cpuUsage();
  stamps[stamped++] = performance.now();
}

/**
 * Checks the result, removes what was written, prints one line.
 *
 * @param {string} engine
 * @param {{ readonly ms: number; readonly count?: number; readonly sum?: number }} outcome
 */
export function report(engine, { ms, count, sum }) {
  const used = process.cpuUsage(cpu);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const isRight = shape === "chain" ? count === n : sum === (n * (n - 1)) / 2;
  const bytes = bytesIn(directory);
  rmSync(directory, { recursive: true, force: true });
  if (!isRight || stamped !== n) throw new Error(`wrong result: ${JSON.stringify({ count, sum, stamped })}`);
  const gaps = stamps.slice(1).map((stamp, index) => stamp - (stamps[index] ?? stamp));
  gaps.sort();
  const quantileUs = (/** @type {number} */ p) => (gaps[Math.floor(p * gaps.length)] ?? 0) * 1000;
  const line = {
    engine,
    shape,
    persist,
    size,
    n,
    ms: +ms.toFixed(1),
    stepsPerSec: +(n / (ms / 1000)).toFixed(1),
    p50us: +quantileUs(0.5).toFixed(1),
    p99us: +quantileUs(0.99).toFixed(1),
    cpuUsPerStep: +((used.user + used.system) / n).toFixed(1),
    rssMiB: +(peakBytes / 2 ** 20).toFixed(1),
    dbBytesPerStep: persist === "disk" ? Math.round(bytes / n) : 0,
  };
  console.log(JSON.stringify(line));
}

/**
 * @param {string} path
 * @returns {number}
 */
function bytesIn(path) {
  let bytes = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    bytes += entry.isDirectory() ? bytesIn(inner) : statSync(inner).size;
  }
  return bytes;
}
