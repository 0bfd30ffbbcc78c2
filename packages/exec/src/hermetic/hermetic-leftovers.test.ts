// Goal: whatever an action leaves, nothing of it stays: a server runs for a year, and must start again after a crash.
// Method: trees that no path can name, made by real commands; then the runner's folder, and another runner on it.
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { buildInputRoot } from "@kahn/core";
import { expect, test } from "vitest";
import { completed, realRig, script, storeDirectory, storeTree } from "./hermetic.fixture.ts";
import { hermeticRunner } from "./hermetic-runner.ts";

const bwrap = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];
const canSandbox = spawnSync("/usr/bin/bwrap", bwrap).status === 0;
const LEVELS = canSandbox ? (["required", "off"] as const) : (["off"] as const);

/** Thirty levels of a hundred bytes, twice inside each other; and names that are no text. */
const AWFUL = `n=$(printf '%0100d' 0); end=$(i=0; while [ $i -lt 30 ]; do printf '%s/' $n; i=$((i+1)); done)
  mkdir -p "a/$end" "b/$end" && touch "a/$end/f" && mv a "b/$end" && touch "$(printf 'x\\377')" && mkdir "$(printf 'd\\377')"`;

test.each(LEVELS)("what has no name and what has no path is removed with the run (%s)", async (mode) => {
  const rig = realRig({ mode });
  try {
    const inputRoot = await storeTree(rig.blobs, { f: "1" });
    const outcome = await rig.runner.run({ command: script(AWFUL), inputRoot, label: "awful" });
    expect(completed(outcome).result.exitCode).toBe(0);
    expect(readdirSync(`${rig.directory}/x/runs`)).toEqual([]);
    const out = script(`mkdir out && cd out && ${AWFUL}`, { outputPaths: ["out"] });
    const refused = await rig.runner.run({ command: out, inputRoot, label: "awful output" });
    expect(refused).toMatchObject({ kind: "invalid", problem: { code: "output-not-storable" } });
    expect(readdirSync(`${rig.directory}/x/runs`)).toEqual([]);
  } finally {
    await rig.end();
  }
});

// Goal: trees that are kept hold what the store has removed, so they are bounded as it is. Method: three trees of 1 MB.
test.skipIf(!canSandbox)("trees that are kept for the next action are bounded in bytes", async () => {
  const rig = realRig({ mode: "required" }, { stagedMaxBytes: 2_500_000 });
  try {
    for (const name of ["a", "b", "c"]) {
      const large = Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`d/${n}`, `${name}${n}`.repeat(100_000)]));
      const inputRoot = await storeTree(rig.blobs, { ...large, top: name });
      completed(await rig.runner.run({ command: script("true"), inputRoot, label: name }));
    }
    expect(readdirSync(`${rig.directory}/x/trees`)).toEqual(["2", "3"]);
  } finally {
    await rig.end();
  }
});

test("a runner starts on what a killed one has left, however awful", async () => {
  const rig = realRig({ mode: "off" });
  try {
    execFileSync("sh", ["-c", `mkdir -p 1/root && cd 1/root && ${AWFUL}`], { cwd: `${rig.directory}/x/runs` });
    hermeticRunner(rig.options);
    expect(readdirSync(`${rig.directory}/x/runs`)).toEqual([]);
  } finally {
    await rig.end();
  }
});

test("an input tree whose paths are too long is the action's own fault, and leaves nothing", async () => {
  const rig = realRig({ mode: "off" });
  try {
    let digest = buildInputRoot([]).root;
    for (let level = 0; level < 60; level++) {
      const directories = [{ name: "n".repeat(100), digest }];
      digest = await storeDirectory(rig.blobs, { directories });
    }
    const outcome = await rig.runner.run({ command: script("true"), inputRoot: digest, label: "deep" });
    expect(outcome).toMatchObject({ kind: "invalid", problem: { code: "input-tree-too-large" } });
    expect(readdirSync(`${rig.directory}/x/runs`)).toEqual([]);
  } finally {
    await rig.end();
  }
});
