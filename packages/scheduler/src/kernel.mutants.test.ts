import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import * as core from "@kahn/core";
import { build, type Plugin } from "esbuild";
import { test } from "vitest";
import type { KernelState } from "./index.ts";
import { MUTANTS, type Patch } from "./mutants.ts";
import {
  checkLog,
  KernelScript,
  type KernelUnderTest,
  randomScenario,
  seededRandom,
  simulate,
} from "./testing/index.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const GRAPHS = 3000;
const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** Bundles the kernel's source with these patches in memory and loads it. */
async function load(patches: readonly Patch[]): Promise<KernelUnderTest<KernelState>> {
  const applied = new Set<Patch>();
  const patching: Plugin = {
    name: "patch",
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        let contents = readFileSync(path, "utf8");
        for (const patch of patches.filter(({ file }) => path === FOLDER + file)) {
          assert.equal(contents.split(patch.find).length, 2, `"${patch.find}" must occur once in ${patch.file}`);
          contents = contents.replace(patch.find, () => patch.replace);
          applied.add(patch);
        }
        return { contents, loader: "ts" };
      }),
  };
  const { outputFiles } = await build({
    entryPoints: [`${FOLDER}index.ts`],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    logLevel: "silent",
    external: ["@kahn/core"],
    plugins: [patching],
  });
  assert.equal(applied.size, patches.length, "every patch names a file of the kernel");
  const module: { exports: unknown } = { exports: {} };
  const run = vm.runInThisContext(`(function (require, module) {${outputFiles[0]!.text}\n})`);
  run(() => core, module);
  return module.exports as KernelUnderTest<KernelState>;
}

/** How many graphs the suite needs to find a fault; `undefined` if it finds none. */
function graphsToViolation(kernel: KernelUnderTest<KernelState>, graphs: number): number | undefined {
  for (let seed = 1; seed <= graphs; seed++) {
    const random = seededRandom(seed);
    const scenario = randomScenario(random);
    if (checkLog(simulate(kernel, scenario, random)).length > 0) return seed;
  }
  return undefined;
}

// Goal: the property suite is able to fail, for every fault that a scheduler is known to have.
// Method: plant each fault in the kernel's text and expect a violation; the sound kernel through the same loader shows none.
test("the property suite kills every mutant and spares the kernel", async () => {
  assert.equal(graphsToViolation(await load([]), Math.round(300 * SCALE)), undefined);
  const survivors: string[] = [];
  let most = { name: "", graphs: 0 };
  for (const { name, patches } of MUTANTS) {
    const graphs = graphsToViolation(await load(patches), GRAPHS);
    if (graphs === undefined) survivors.push(name);
    else if (graphs > most.graphs) most = { name, graphs };
  }
  assert.deepEqual(survivors, []);
  console.log(
    `counts: ${MUTANTS.length} mutants of the kernel killed; the hardest, "${most.name}", took ${most.graphs} graphs`,
  );
});

/** The patches of one mutant. */
function planted(name: string): readonly Patch[] {
  const mutant = MUTANTS.find((each) => each.name === name);
  assert.ok(mutant, name);
  return mutant.patches;
}

// Goal: the net under a bug works: no silent hang. Method: a kernel that loses a decrement.
test("R1: a stall is reported at once and names every waiting node and what it waits for", async () => {
  const kernel = new KernelScript(await load(planted("lost decrement")));
  kernel.admit({ a: {}, b: {}, c: { requires: ["a"], after: ["b"] }, d: { requires: ["c"] } });
  const done = kernel.finish();
  assert.equal(done.at(-1), 'stalled [{"node":2,"reasons":[]},{"node":3,"reasons":[{"kind":"requires","node":2}]}]');
});

test("R6: with its edges reversed a kernel is found out by a chain of two", async () => {
  const kernel = new KernelScript(await load(planted("reversed edge")));
  kernel.admit({ lib: {}, app: { requires: ["lib"] } });
  assert.notDeepEqual(checkLog(kernel.log, { extent: "prefix" }), []);
});

/** Starts 4 × 32 nodes of 5 ms and one of 45 ms that needs all four slots, in virtual time. */
function runBesideHeavy(kernel: KernelUnderTest<KernelState>): { readonly heavyAtMs: number; readonly endMs: number } {
  const script = new KernelScript(kernel, { slots: 4, io: 200 });
  const small = Array.from({ length: 128 }, (_, at) => `small${at}`);
  script.admit(Object.fromEntries(small.map((name) => [name, {}])));
  const ending: { readonly name: string; readonly atMs: number }[] = [];
  let nowMs = 0;
  let heavyAtMs = -1;
  const follow = (lines: readonly string[]) => {
    for (const name of lines.filter((line) => line.startsWith("execute ")).map((line) => line.slice(8))) {
      if (name === "heavy") heavyAtMs = nowMs;
      ending.push({ name, atMs: nowMs + (name === "heavy" ? 45 : 5) });
    }
  };
  follow(script.miss(...small));
  script.admit({ heavy: { claim: { slots: 4 }, weightMs: 45 } });
  follow(script.miss("heavy"));
  while (ending.length > 0) {
    ending.sort((left, right) => left.atMs - right.atMs);
    const { name, atMs } = ending.shift()!;
    nowMs = atMs;
    follow([...script.answer(name, "succeeded"), ...script.answer(name, "stored")]);
  }
  return { heavyAtMs, endMs: nowMs };
}

// Goal: P9. Method: the same work with and without the reservation.
test("P9: a heavy node starts after 5 ms instead of 160 ms, and the whole takes 205 ms either way", async () => {
  assert.deepEqual(runBesideHeavy(await load([])), { heavyAtMs: 5, endMs: 205 });
  assert.deepEqual(runBesideHeavy(await load(planted("reservation dropped"))), { heavyAtMs: 160, endMs: 205 });
});

test("a patch that no longer matches the kernel is an error, not a survivor", async () => {
  await assert.rejects(load([{ file: "kernel.ts", find: "no such text", replace: "" }]));
  await assert.rejects(load([{ file: "no-such-file.ts", find: "x", replace: "" }]));
});
