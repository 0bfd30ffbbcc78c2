import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFileSystem } from "@kahn/system";
import { expect, test } from "vitest";
import { loadWorkspace } from "../projects/load-workspace.ts";
import { createModuleImporter } from "./module-importer.ts";

/** The test runner imports TypeScript, which Node 20 does not. */
function importLikeNode20(url: string): Promise<unknown> {
  if (!/\.m?ts\?/.test(url)) return import(url);
  return Promise.reject(Object.assign(new TypeError("Unknown file extension"), { code: "ERR_UNKNOWN_FILE_EXTENSION" }));
}

/** Loads a workspace on disk whose configuration is a program. */
async function outputsOf(files: Readonly<Record<string, string>>, edited?: Readonly<Record<string, string>>) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "kahn-config-")));
  try {
    const fs = nodeFileSystem();
    const cacheDirectory = join(root, ".kahn/state/jiti");
    const importModule = createModuleImporter({ fs, cacheDirectory, importNative: importLikeNode20 });
    const write = (each: Readonly<Record<string, string>>) => {
      for (const [name, text] of Object.entries(each)) writeFileSync(join(root, name), text);
    };
    const load = () => loadWorkspace({ fs, startDirectory: root, processorCount: 1, importModule });
    write({ "package.json": '{ "name": "x", "type": "commonjs", "scripts": { "build": "tsc" } }', ...files });
    const results = [await load()];
    if (edited !== undefined) {
      write(edited);
      results.push(await load());
    }
    return results.map((result) =>
      result.ok
        ? { outputs: result.value.tasks[0]!.outputs, files: result.value.files }
        : { problems: result.problem.map((each) => `${each.code}: ${each.message}`) },
    );
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("a TypeScript configuration is evaluated where Node cannot, and again after an edit", async () => {
  const config = (output: string) =>
    `const outputs: readonly string[] = ["${output}/**"];\nexport default { tasks: { build: { outputs } } };\n`;
  expect(await outputsOf({ "kahn.config.mts": config("one") }, { "kahn.config.mts": config("two") })).toEqual([
    { outputs: ["one/**"], files: ["package.json", "kahn.config.mts"] },
    { outputs: ["two/**"], files: ["package.json", "kahn.config.mts"] },
  ]);
});

test("a .ts configuration in a CommonJS package works, and its imports count as its files", async () => {
  const config = 'import { outputs } from "./shared";\nexport default { tasks: { build: { outputs } } };\n';
  const shared = 'export const outputs: string[] = ["dist/**"];\n';
  expect(await outputsOf({ "kahn.config.ts": config, "shared.ts": shared })).toEqual([
    { outputs: ["dist/**"], files: ["package.json", "kahn.config.ts", "shared.ts"] },
  ]);
});

test("a JavaScript configuration is imported as it is", async () => {
  expect(await outputsOf({ "kahn.config.mjs": "export default { tasks: { build: { outputs: [] } } };" })).toEqual([
    { outputs: [], files: ["package.json", "kahn.config.mjs"] },
  ]);
});

test("a configuration that throws, or exports nothing, is a problem with its file", async () => {
  expect(await outputsOf({ "kahn.config.mjs": 'throw new Error("no luck");' })).toEqual([
    { problems: ["config-module-failed: kahn.config.mjs could not be evaluated: no luck"] },
  ]);
  expect(await outputsOf({ "kahn.config.mjs": "export const tasks = {};" })).toEqual([
    { problems: ["config-wrong-value: The configuration kahn.config.mjs must be an object"] },
  ]);
});
