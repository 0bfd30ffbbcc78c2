/**
 * What large graphs cost: checking 10,000 nodes as a program starts, and the types of 200.
 *
 * `node bench/flow/limits.mjs [--rounds=5]`. The check: processor time in fresh processes, compiling included, median.
 * The types: time of the compiler, with and without the graph, for loading declarations is no part of it; the least.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleFlow } from "./bundle.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** @type {Readonly<Record<string, string | undefined>>} */
const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const rounds = Number(args.rounds ?? 5);

/** @param {() => number} measure */
function sorted(measure) {
  return Array.from({ length: rounds }, measure).sort((a, b) => a - b);
}

const bundle = bundleFlow();
const program = `
  import { defineGraph, END, reduce, state } from ${JSON.stringify(bundle)};
  const names = Array.from({ length: 10_000 }, (_, index) => "node" + index);
  const nodes = Object.fromEntries(names.map((name) => [name, { run: () => undefined }]));
  const edges = names.map((name, index) => [name, names[index + 1] ?? END]);
  const begun = process.cpuUsage();
  defineGraph(state({ count: state.value(0, reduce.sum) }), { id: "large", start: names[0], nodes, edges });
  const { user, system } = process.cpuUsage(begun);
  console.log((user + system) / 1000);
`;
const checks = sorted(() => {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  if (stderr !== "") throw new Error(stderr);
  return Number(stdout);
});
const checkMs = checks[rounds >> 1] ?? Number.NaN;
console.log(`10,000 nodes are checked in ${checkMs.toFixed(0)} ms of processor time`);

const folder = join(ROOT, "node_modules/.cache/kahn-tools", `flow-types.${process.pid}`);
mkdirSync(folder, { recursive: true });
const compiler = {
  extends: join(ROOT, "tsconfig.json"),
  include: ["*.ts"],
  exclude: [],
  compilerOptions: { paths: {} },
};
writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(compiler));
const names = Array.from({ length: 200 }, (_, index) => `node${index}`);
const graph = `import { defineGraph, END, reduce, state } from ${JSON.stringify(join(ROOT, "packages/workflow/src/index.ts"))};
const S = state({ count: state.value(0, reduce.sum), text: state.value("") });
export const graph = defineGraph(S, {
  id: "typed",
  start: "node0",
  nodes: {
${names.map((name) => `    ${name}: { run: ({ state }) => ({ set: { count: state.count + 1 } }) },`).join("\n")}
  },
  edges: [
${names.map((name, index) => `    { from: "${name}", to: ${index === 199 ? "END" : `"node${index + 1}"`}, when: ({ count }) => count > 0 },`).join("\n")}
${names.map((name) => `    ["${name}", END],`).join("\n")}
  ],
});
`;
/** @param {string} text */
function typeMs(text) {
  writeFileSync(join(folder, "graph.ts"), text);
  const all = sorted(() => {
    const begun = performance.now();
    const { status, stdout } = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
    if (status !== 0) throw new Error(stdout);
    return performance.now() - begun;
  });
  return all[0] ?? Number.NaN;
}
const [importLine = ""] = graph.split("\n");
const withoutMs = typeMs(`${importLine}\nexport const used = [defineGraph, END, reduce, state];\n`);
const withMs = typeMs(graph);
rmSync(folder, { recursive: true, force: true });
console.log(
  `200 nodes are type-checked in ${withMs.toFixed(0)} ms, ${(withMs - withoutMs).toFixed(0)} ms of it for the graph`,
);
