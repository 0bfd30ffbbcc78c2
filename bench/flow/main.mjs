/**
 * `npm run bench:flow`: workflow engines on the same shapes, each run in a process of its own, one after the other in
 * every round, medians of rounds.
 *
 * `npm run bench:flow -- [--rounds=5] [--only=kahn,floor] [--long] [--no-durable]`; `--long` adds long chains and wide
 * fans of Kahn alone. Peers are installed from npm into `bench/.work/flow`; what cannot be installed is not run, and that
 * is printed.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleFlow } from "./bundle.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const WORK = join(HERE, "../.work/flow");
const MIB = 2 ** 20;

/** @typedef {{ engine: string; shape: string; persist: string; size: number; n: number; ms: number; stepsPerSec: number; cpuUsPerStep: number; rssMiB: number; dbBytesPerStep: number }} Line */

/** @type {Readonly<Record<string, string | undefined>>} */
const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const rounds = Number(args.rounds ?? 5);
const wanted = args.only?.split(",") ?? ["kahn", "langgraph", "xstate", "floor"];
const arePeersThere = wanted.some((name) => isPeer(name)) && install();
const engines = wanted.filter((name) => arePeersThere || !isPeer(name));
const bundle = bundleFlow();

/** @type {Map<string, Line[]>} */
const measured = new Map();
for (let round = 0; round < rounds; round++) {
  for (const options of shapes()) {
    for (const engine of engines) measure(engine, options);
  }
  if ("long" in args) for (const options of longShapes()) measure("kahn", options);
}
printTable();
if (!("no-durable" in args) && engines.includes("kahn")) {
  console.log("");
  spawnSync(process.execPath, [join(HERE, "durable.mjs"), `--bundle=${bundle}`], { stdio: "inherit" });
}

/** @returns {readonly (readonly string[])[]} */
function shapes() {
  const all = [];
  for (const persist of ["none", "memory", "disk"]) {
    for (const size of [1024, MIB]) {
      all.push(["--shape=chain", `--persist=${persist}`, `--size=${size}`, `--n=${size === MIB ? 100 : 1000}`]);
      all.push(["--shape=fanout", `--persist=${persist}`, `--size=${size}`, "--n=1000"]);
    }
  }
  return all;
}

/** @returns {readonly (readonly string[])[]} */
function longShapes() {
  const chains = ["none", "memory", "disk"].map((persist) => ["--shape=chain", `--persist=${persist}`, "--n=20000"]);
  const fans = [1000, 3000, 10_000].flatMap((n) =>
    ["none", "disk"].map((persist) => ["--shape=fanout", `--persist=${persist}`, `--n=${n}`]),
  );
  return [...chains, ...fans];
}

/** @param {string} name */
function isPeer(name) {
  return name === "langgraph" || name === "xstate";
}

/** @returns {boolean} whether the peers are there */
function install() {
  const manifest = readFileSync(join(HERE, "peers/package.json"), "utf8");
  const marker = join(WORK, "installed");
  mkdirSync(WORK, { recursive: true });
  if (!existsSync(marker) || readFileSync(marker, "utf8") !== manifest) {
    console.error("installing the packages of bench/flow/peers/package.json");
    writeFileSync(join(WORK, "package.json"), manifest);
    // Without `--legacy-peer-deps` npm takes minutes to resolve the peers of LangGraph.
    const flags = ["install", "--legacy-peer-deps", "--no-audit", "--no-fund"];
    const { status, stderr } = spawnSync("npm", flags, { cwd: WORK, encoding: "utf8" });
    if (status !== 0) {
      const why = stderr?.trim().split("\n").at(-1) ?? "npm cannot be started";
      console.error(`langgraph, xstate: not installed = not run (${why})`);
      return false;
    }
    writeFileSync(marker, manifest);
  }
  // A program finds packages above its own file.
  for (const name of ["langgraph.mjs", "xstate.mjs"]) copyFileSync(join(HERE, "peers", name), join(WORK, name));
  copyFileSync(join(HERE, "kit.mjs"), join(WORK, "kit.mjs"));
  return true;
}

/**
 * @param {string} engine
 * @param {readonly string[]} options
 */
function measure(engine, options) {
  const program = join(isPeer(engine) ? WORK : HERE, `${engine}.mjs`);
  const extra = engine === "kahn" ? [`--bundle=${bundle}`] : [];
  const run = spawnSync(process.execPath, [program, ...options, ...extra], { encoding: "utf8", timeout: 120_000 });
  if (run.status !== 0) {
    console.error(`${engine} ${options.join(" ")}: failed = not counted (${run.stderr.trim().slice(-300)})`);
    return;
  }
  /** @type {Line} */
  const line = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "");
  const key = [line.shape, line.persist, line.size, line.n, line.engine].join(" | ");
  measured.set(key, [...(measured.get(key) ?? []), line]);
}

function printTable() {
  const heads = [
    "shape",
    "kept",
    "state",
    "n",
    "engine",
    "ms",
    "steps/s",
    "CPU us/step",
    "times kahn",
    "RSS MiB",
    "B/step",
  ];
  console.log(`| ${heads.join(" | ")} |\n| ${heads.map((_, index) => (index < 5 ? "---" : "--:")).join(" | ")} |`);
  for (const [key, lines] of measured) {
    const middle = (/** @type {(line: Line) => number} */ of) => median(lines.map(of));
    const ours = measured.get(key.replace(/[^ ]+$/, "kahn"));
    const ratio =
      ours === undefined
        ? Number.NaN
        : middle((line) => line.cpuUsPerStep) / median(ours.map((line) => line.cpuUsPerStep));
    const cells = [
      middle((line) => line.ms).toFixed(1),
      middle((line) => line.stepsPerSec).toFixed(0),
      middle((line) => line.cpuUsPerStep).toFixed(1),
      Number.isNaN(ratio) ? "" : ratio.toFixed(2),
      middle((line) => line.rssMiB).toFixed(0),
      key.includes("| disk |") ? middle((line) => line.dbBytesPerStep).toFixed(0) : "",
    ];
    console.log(`| ${key} | ${cells.join(" | ")} |`);
  }
}

/** @param {readonly number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
