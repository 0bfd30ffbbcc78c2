/**
 * The package `exec` as it stands, or with faults planted in its text, on a kernel whose steps are recorded.
 *
 * Method: its source is bundled in memory; everything else it imports is the code that is here anyway.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import * as cas from "@kahn/cas";
import * as core from "@kahn/core";
import type * as exec from "@kahn/exec";
import * as scheduler from "@kahn/scheduler";
import type { KernelLog, KernelLogEntry } from "@kahn/scheduler/testing";
import { build, type Plugin } from "esbuild";

/** One replacement of text in a file of `packages/exec/src`. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What a simulation drives. */
export interface ExecUnderTest {
  readonly runGraph: typeof exec.runGraph;
  readonly localExecutor: typeof exec.localExecutor;
  readonly openRunHistory: typeof exec.openRunHistory;
  readonly openResultMemo: typeof exec.openResultMemo;
  /** Every step of the newest run's kernel. */
  readonly kernelLog: () => KernelLog;
}

const FOLDER = fileURLToPath(new URL("../../packages/exec/src/", import.meta.url));

/** Bundles, patches and loads it. Every patch must fit exactly once. */
export async function loadExec(patches: readonly Patch[] = []): Promise<ExecUnderTest> {
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
    external: ["@kahn/*"],
    plugins: [patching],
  });
  assert.equal(applied.size, patches.length, "every patch names a file of exec");
  const recording = recordingScheduler();
  const nodeRequire = createRequire(import.meta.url);
  const provided: Readonly<Record<string, unknown>> = {
    "@kahn/cas": cas,
    "@kahn/core": core,
    "@kahn/scheduler": recording.scheduler,
  };
  const module: { exports: unknown } = { exports: {} };
  const run = vm.runInThisContext(`(function (require, module) {${outputFiles[0]!.text}\n})`, { filename: "exec.cjs" });
  run((name: string) => provided[name] ?? nodeRequire(name), module);
  const { runGraph, localExecutor, openRunHistory, openResultMemo } = module.exports as typeof exec;
  return { runGraph, localExecutor, openRunHistory, openResultMemo, kernelLog: recording.log };
}

function recordingScheduler() {
  let log: { options: scheduler.KernelOptions; entries: KernelLogEntry[]; thrown?: string } | undefined;
  const recorded: typeof scheduler = {
    ...scheduler,
    createKernel: (options) => {
      log = { options, entries: [] };
      return scheduler.createKernel(options);
    },
    step: (state, event) => {
      try {
        const next = scheduler.step(state, event);
        log!.entries.push({ event, effects: [...next.effects] });
        return next;
      } catch (error) {
        log!.thrown = String(error);
        throw error;
      }
    },
  };
  return {
    scheduler: recorded,
    log: (): KernelLog => {
      assert.ok(log !== undefined, "no kernel was made");
      return log;
    },
  };
}
