#!/usr/bin/env node
/**
 * `npm start`: the main job on a real example. Copies examples/monorepo, then runs it cold, again, with every result
 * deleted, and after two edits, prints what each cost, and asks why.
 *
 * Invariant: leaves the repository clean: everything happens in examples/.work, which git ignores.
 */
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { KAHN, ROOT } from "./repository.mjs";
import { install, run, setUp } from "./setup.mjs";

const EXAMPLE = join(ROOT, "examples/monorepo");
const WORK = join(ROOT, "examples/.work/monorepo");
const COMMAND = ["run", "build", "test", "lint"];
const BUILT = /^(node_modules|dist|dist-test|\.kahn)$/;

/** @typedef {{ what: string, ms: number, executed: number, cached: number, labels: string[] }} Row */

setUp();
copyExample();
/** @type {Row[]} */
const rows = [];
rows.push(measure("cold: nothing cached"));
rows.push(measure("again: nothing changed"));
removeResults();
rows.push(measure("every dist/ deleted"));
edit("packages/pricing/src/index.ts", (text) =>
  text.replace("percentOf(cents(product.price * quantity), 5)", "percentOf(cents(product.price * quantity), 6)"),
);
rows.push(measure("pricing changed: 6 % off"));
appendFileSync(join(WORK, "packages/money/src/index.ts"), "\n");
rows.push(measure("money: a blank line added"));
printTable(rows);
checkCounts(rows);

console.log("\n── catalogue edited, and not run yet: what would run, and why");
appendFileSync(join(WORK, "packages/catalogue/src/index.ts"), "\nexport const SHELVES = 2;\n");
for (const task of ["@shop/catalogue#build", "@shop/web#build"]) {
  console.log(`$ kahn why ${task}`);
  run(process.execPath, [join(KAHN, "dist/kahn.mjs"), "why", task], WORK);
}
console.log(
  `\nThe example is in ${relative(process.cwd(), WORK)}; try it: node ${relative(WORK, join(KAHN, "dist/kahn.mjs"))} ${COMMAND.join(" ")}`,
);

/** A fresh copy with a repository of its own; installed packages stay from one start to the next. */
function copyExample() {
  mkdirSync(WORK, { recursive: true });
  for (const name of readdirSync(WORK)) if (name !== "node_modules") rmSync(join(WORK, name), { recursive: true });
  cpSync(EXAMPLE, WORK, {
    recursive: true,
    preserveTimestamps: true,
    filter: (source) => !isBuilt(relative(EXAMPLE, source)),
  });
  install(WORK);
  const identity = ["-c", "user.name=example", "-c", "user.email=example@localhost", "-c", "commit.gpgsign=false"];
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    [...identity, "commit", "-q", "-m", "The example"],
  ])
    run("git", args, WORK);
}

/** @param {string} path relative */
function isBuilt(path) {
  return path.split("/").some((part) => BUILT.test(part));
}

function removeResults() {
  for (const name of readdirSync(join(WORK, "packages")))
    rmSync(join(WORK, "packages", name, "dist"), { recursive: true });
}

/**
 * @param {string} path
 * @param {(text: string) => string} change
 */
function edit(path, change) {
  const before = readFileSync(join(WORK, path), "utf8");
  const after = change(before);
  if (after === before) throw new Error(`the edit of ${path} changes nothing: the example has moved on`);
  writeFileSync(join(WORK, path), after);
}

/**
 * Runs the tasks once. Ends the process with the exit code of Kahn if that is not 0.
 *
 * @param {string} what
 * @returns {Row}
 */
function measure(what) {
  console.log(`\n── ${what}\n$ kahn ${COMMAND.join(" ")}`);
  const startedMs = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(KAHN, "dist/kahn.mjs"), ...COMMAND, "--json"], {
    cwd: WORK,
    encoding: "utf8",
    maxBuffer: 64_000_000,
  });
  const ms = performance.now() - startedMs;
  const events = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  const finished = events.findLast((event) => event.kind === "run.finished");
  if (status !== 0 || finished === undefined) {
    console.error(`${stdout}${stderr}\nstart: kahn ended with ${status}`);
    process.exit(status || 1);
  }
  const { executed, cached } = finished.counts ?? finished;
  const labels = executedLabels(events);
  const named = labels.length > 0 && labels.length <= 12 ? `: ${labels.join(" ")}` : "";
  console.log(`${executed} executed, ${cached} cached, ${(ms / 1000).toFixed(2)} s${named}`);
  return { what, ms, executed, cached, labels };
}

/** @param {readonly import("@kahn/core").RunEvent[]} events of one run */
function executedLabels(events) {
  /** @type {Map<number, string>} */
  const labels = new Map();
  for (const event of events) {
    if (event.kind === "run.planned") for (const { node, label } of event.nodes) labels.set(node, label);
  }
  return events
    .flatMap((event) => (event.kind === "node.settled" && event.source === "executed" ? [event.node] : []))
    .map((node) => labels.get(node) ?? String(node))
    .sort();
}

/**
 * A demonstration that shows the wrong thing is a failure.
 *
 * @param {readonly Row[]} table
 */
function checkCounts([cold, again, restored, changed, blank]) {
  const isRight =
    cold?.cached === 0 &&
    again?.executed === 0 &&
    restored?.executed === 0 &&
    existsSync(join(WORK, "packages/web/dist/page.js")) &&
    Number(changed?.executed) < cold.executed &&
    blank?.labels.every((label) => label.startsWith("@shop/money#"));
  if (isRight) return;
  console.error("start: these counts are not what the example promises");
  process.exit(1);
}

/** @param {readonly Row[]} table */
function printTable(table) {
  const width = Math.max(...table.map((row) => row.what.length));
  console.log(`\n${"".padEnd(width)}   seconds  executed  cached`);
  for (const { what, ms, executed, cached } of table) {
    const cells = [(ms / 1000).toFixed(2).padStart(9), String(executed).padStart(9), String(cached).padStart(7)];
    console.log(`${what.padEnd(width)} ${cells.join(" ")}`);
  }
}
