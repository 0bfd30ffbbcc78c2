import { memoryFileSystem } from "@kahn/testing";
import { expect, test } from "vitest";
import { modelOf, npmWorkspace, textOf, type WorkspaceFiles } from "../workspace.fixture.ts";
import { initConfig } from "./init-config.ts";

async function proposal(files: WorkspaceFiles): Promise<string> {
  const tree = Object.fromEntries(Object.entries(files).map(([path, value]) => [`ws/${path}`, textOf(value)]));
  return initConfig(await modelOf(files), memoryFileSystem({ files: tree }));
}

test("a proposal names what is there, with guesses from the files around", async () => {
  const files = {
    ...npmWorkspace({
      "@b/web": {
        scripts: { build: "next build", dev: "next dev", lint: "eslint .", "test:unit": "vitest --coverage" },
      },
    }),
    ".gitignore": "node_modules\n/lib/\ndist\n",
    "packages/ui/package.json": {
      name: "@b/ui",
      main: "./lib/index.js",
      scripts: { build: "tsc -b", typecheck: "tsc --noEmit", clean: "rm -rf lib", release: "x" },
    },
    "packages/ui/tsconfig.json": '{ "compilerOptions": { "outDir": "./lib/", "composite": true, } }',
  };
  const text = await proposal(files);
  expect(text).toBe(`{
  "$schema": "./node_modules/kahn/dist/schema.json",

  // Inputs are, unless a task says otherwise, every file of its project that git knows of, except outputs.
  // "env" names variables that a task receives and that change its result: "env": ["NODE_ENV", "VITE_*"].
  "tasks": {
    // After the same task of workspace dependencies. Files that match outputs are cached and restored.
    "build": { "dependsOn": ["^build"], "outputs": ["lib/**", "*.tsbuildinfo", ".next/**", "!.next/cache/**"] },

    // Nothing is restored but the log; a test that passed is not run again until what it reads changes.
    "test:unit": { "dependsOn": ["build"], "outputs": ["coverage/**"] },

    // Needs the types that dependencies build.
    "typecheck": { "dependsOn": ["^build"], "outputs": [] },

    // Reads sources only, so it waits for nothing.
    "lint": { "outputs": [] },

    // Does not end by itself. "ready": { "port": 3000 } lets other tasks wait until it answers.
    "dev": { "persistent": true }

    // These scripts are not declared. They run, and are not cached: clean, release.
  }
}
`);
  const loaded = await modelOf({ ...files, "kahn.jsonc": text });
  expect(loaded.warnings).toEqual([]);
  expect(loaded.tasks.filter((task) => task.cache).map((task) => task.id)).toEqual([
    "@b/ui#build",
    "@b/ui#typecheck",
    "@b/web#build",
    "@b/web#lint",
    "@b/web#test:unit",
  ]);
});

test("a proposal for a package without known scripts is valid too", async () => {
  const files = { "package.json": { name: "solo", scripts: { hello: "echo hi" } } };
  const loaded = await modelOf({ ...files, "kahn.jsonc": await proposal(files) });
  expect(loaded.tasks.map((task) => [task.id, task.cache])).toEqual([["//#hello", false]]);
});
