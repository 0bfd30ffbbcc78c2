/** `npm test` covers what `npm run check` does: the types, the form, and (in tidy.test.ts) the house rules. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

function outputOf(program: string, args: readonly string[]): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(join(ROOT, "node_modules/.bin", program), args, {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, text: stdout + stderr };
}

test("the repository type-checks", () => {
  expect(outputOf("tsc", ["-p", "tsconfig.json", "--noEmit"])).toEqual({ status: 0, text: "" });
});

test("the repository is formatted and free of lint", () => {
  const { status, text } = outputOf("biome", ["check", "--error-on-warnings", "."]);
  expect(status, text).toBe(0);
});

// Goal: in a clone, `npx reapi-conform` is the program of the clone. npm links what package-lock.json lists, and nothing else.
test("package-lock.json lists the programs that are published", () => {
  const read = (path: string) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));
  expect(read("package-lock.json").packages["packages/kahn"].bin).toEqual(read("packages/kahn/package.json").bin);
});
