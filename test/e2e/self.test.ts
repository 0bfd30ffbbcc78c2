/** Kahn builds and tests its own repository. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const KAHN = join(ROOT, "packages/kahn/dist/kahn.mjs");
const TASKS = ["build", "typecheck", "lint", "tidy", "unit"];

let directory: string;

// A copy, so that a run of Kahn under test neither waits for nor disturbs one that a developer started here.
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kahn-self-"));
  copyRepository();
  linkDependencies();
  execFileSync("git", ["init", "-q"], { cwd: directory });
  execFileSync("git", ["add", "-A"], { cwd: directory });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function copyRepository(): void {
  const listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  for (const path of execFileSync("git", listing, { cwd: ROOT, encoding: "utf8" }).split("\0")) {
    if (path === "" || !existsSync(join(ROOT, path))) continue;
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    copyFileSync(join(ROOT, path), join(directory, path));
  }
  // The tests of a few packages: all of them run outside, and once more they would take as long again.
  const configuration = join(directory, "kahn.jsonc");
  const text = readFileSync(configuration, "utf8");
  expect(text).toContain("vitest run packages");
  writeFileSync(configuration, text.replace("vitest run packages", "vitest run packages/core packages/scheduler"));
}

/** The installed packages, by link; our own packages link into the copy, as npm would have it. */
function linkDependencies(): void {
  const modules = join(directory, "node_modules");
  mkdirSync(join(modules, "@kahn"), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (/^(@kahn|kahn|\.cache|\.vite.*)$/.test(name)) continue;
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  symlinkSync("../packages/kahn", join(modules, "kahn"));
  for (const name of readdirSync(join(ROOT, "node_modules/@kahn"))) {
    symlinkSync(`../../packages/${name}`, join(modules, "@kahn", name));
  }
}

function kahn(...args: readonly string[]): { readonly status: number | null; readonly text: string } {
  const { PATH, HOME } = process.env;
  // Half the usual counts: what is tested here is the runner; the counts that matter run outside.
  const env = { PATH, HOME, NO_COLOR: "1", KAHN_TEST_SCALE: "0.5" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [KAHN, ...args], {
    cwd: directory,
    encoding: "utf8",
    env,
  });
  return { status, text: stdout + stderr };
}

test("the repository builds and passes its own tests through kahn, and the second time nothing runs", () => {
  const first = kahn("run", ...TASKS, "--output", "errors");
  expect(first.status, first.text).toBe(0);
  rmSync(join(directory, "packages/kahn/dist"), { recursive: true });
  const second = kahn("run", ...TASKS, "--json");
  expect(second.status, second.text).toBe(0);
  expect(JSON.parse(second.text.trim().split("\n").at(-1)!)).toMatchObject({ executed: 0, cached: TASKS.length });
  // What came back is the whole of it, with its executable bit.
  const built = spawnSync(join(directory, "packages/kahn/dist/kahn.mjs"), ["--version"], { encoding: "utf8" });
  expect(built.stdout).toMatch(/^\d+\.\d+\.\d+/);
}, 900_000);
