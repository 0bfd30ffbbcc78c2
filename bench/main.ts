/**
 * `npm run bench -- [--n 100] [--only kahn,turbo] [--scenarios a,b:9] [--seed 1] [--real-npm]`
 *
 * Measures task runners on one generated workspace, in turn within each repetition, so that a busy machine disturbs all
 * alike. Each run is verified by the scripts that really ran and by the outputs.
 */
import { appendFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installPeer } from "./install.ts";
import { measure } from "./measure.ts";
import type { Peer } from "./peers.ts";
import { PEERS } from "./peers.ts";
import type { Scenario } from "./scenarios.ts";
import { SCENARIOS } from "./scenarios.ts";
import type { Measurement } from "./table.ts";
import { table } from "./table.ts";
import type { WorkspaceFacts } from "./workspace.ts";
import { writeWorkspace } from "./workspace.ts";

interface Contender {
  readonly peer: Peer;
  readonly directory: string;
  readonly facts: WorkspaceFacts;
}

const WORK = join(import.meta.dirname, ".work");
const TIMEOUT_MS = 30 * 60_000;

const { values: options } = parseArgs({
  options: {
    n: { type: "string", default: "100" },
    only: { type: "string", default: "kahn,turbo" },
    scenarios: { type: "string", default: SCENARIOS.map((each) => each.letter).join(",") },
    seed: { type: "string", default: "1" },
    "real-npm": { type: "boolean", default: false },
  },
});
const n = Number(options.n);
const env = environment();
mkdirSync(WORK, { recursive: true });

const contenders = chosenPeers().flatMap(prepare);
const results = join(WORK, "results.jsonl");
const measurements: Measurement[] = [];
for (const { scenario, repetitions } of chosenScenarios()) {
  for (let repetition = 0; repetition < repetitions; repetition++) {
    // Another one begins each time: what runs first after a pause pays for cold caches of the machine.
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + repetition) % contenders.length]!;
      if (contender.peer.isFloor && scenario.letter !== "a") continue;
      const measurement = runOnce(contender, scenario);
      measurements.push(measurement);
      appendFileSync(results, `${JSON.stringify(measurement)}\n`);
      const { peer, cpuMs, wallMs, fault } = measurement;
      console.error(
        `${scenario.letter} ${peer}: ${cpuMs} ms CPU, ${Math.round(wallMs)} ms${fault ? `, VOID: ${fault}` : ""}`,
      );
    }
  }
}
console.log(table(measurements));
if (contenders.length === 0 || measurements.some((each) => each.fault !== undefined)) process.exitCode = 1;

function prepare(peer: Peer): readonly Contender[] {
  const directory = join(WORK, String(n), peer.name);
  const facts = writeWorkspace(directory, { n, seed: Number(options.seed) }, (packages) => peer.dress(packages));
  const problem = installPeer(peer, { tools: join(WORK, "tools"), workspace: directory });
  if (problem === undefined) return [{ peer, directory, facts }];
  console.error(`${peer.name}: not installed = not run (${problem})`);
  return [];
}

function runOnce({ peer, directory, facts }: Contender, scenario: Scenario): Measurement {
  scenario.prepare(directory, peer, facts);
  const log = join(directory, ".exec.log");
  rmSync(log, { force: true });
  const outputPath = join(WORK, `last-${peer.name}.log`);
  const output = openSync(outputPath, "w");
  const cost = measure({
    command: peer.command,
    cwd: directory,
    env: { ...env, ...peer.env },
    output,
    timeoutMs: TIMEOUT_MS,
  });
  const executed = existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0;
  const expected = scenario.executed(facts);
  const missing = missingOutputs(directory, facts);
  const faults = [
    cost.exitCode === 0 ? "" : `exit code ${cost.exitCode}, see ${outputPath}`,
    executed === expected ? "" : `${executed} scripts ran instead of ${expected}`,
    missing === 0 ? "" : `${missing} outputs missing`,
  ].filter((fault) => fault !== "");
  return {
    n,
    peer: peer.name,
    scenario: `${scenario.letter}: ${scenario.title}`,
    wallMs: cost.wallMs,
    cpuMs: cost.cpuMs,
    isFloor: peer.isFloor === true,
    ...(faults.length > 0 && { fault: faults.join("; ") }),
  };
}

function missingOutputs(directory: string, facts: WorkspaceFacts): number {
  const digits = String(facts.n - 1).length;
  const sums = Array.from(
    { length: facts.n },
    (_, each) => `packages/pkg-${String(each).padStart(digits, "0")}/dist/sum`,
  );
  return sums.filter((sum) => !existsSync(join(directory, sum))).length;
}

function chosenPeers(): readonly Peer[] {
  return options.only.split(",").map((name) => {
    const peer = PEERS.find((each) => each.name === name);
    if (peer === undefined) throw new Error(`no peer "${name}"; there is ${PEERS.map((each) => each.name).join(", ")}`);
    return peer;
  });
}

function chosenScenarios(): readonly { readonly scenario: Scenario; readonly repetitions: number }[] {
  return options.scenarios.split(",").map((text) => {
    const [letter, repetitions] = text.split(":");
    const scenario = SCENARIOS.find((each) => each.letter === letter);
    if (scenario === undefined) throw new Error(`no scenario "${letter}"; there is a, b, c, d, e`);
    return { scenario, repetitions: Number(repetitions ?? scenario.repetitions) };
  });
}

/** The same few variables for everyone. Unless told otherwise, npm runs a script at once, see npm-shim.sh. */
function environment(): Readonly<Record<string, string | undefined>> {
  const { PATH, HOME } = process.env;
  const base = { PATH, HOME, LANG: "C.UTF-8", NO_COLOR: "1" };
  if (options["real-npm"]) return base;
  return { ...base, PATH: `${join(import.meta.dirname, "shim")}:${PATH}`, BENCH_REAL_PATH: PATH };
}
