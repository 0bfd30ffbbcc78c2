// Goal: a task finds the programs of node_modules elsewhere as it does here, and its action names no machine.
// Method: the words are run by a real shell in a folder with such programs; what is said of 127 by the executor's hints.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { InputEntry } from "@kahn/core";
import { digestOf } from "@kahn/core";
import { expect, onTestFinished, test } from "vitest";
import { memoryFiles } from "../client.fixture.ts";
import { RESOLVED } from "../executor/executor.fixture.ts";
import { hermeticForm } from "./hermetic-form.ts";
import { notFoundHint } from "./program-path.ts";

const file = (path: string): InputEntry => ({ kind: "file", path, digest: digestOf(path), executable: true });

/** A folder "with a space" that has these programs, each of which prints its place. */
function execRoot(programs: readonly string[]): string {
  const root = join(mkdtempSync(join(tmpdir(), "kahn-path-")), "with a space");
  onTestFinished(() => rmSync(dirname(root), { recursive: true }));
  for (const path of programs) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), `#!/bin/sh\necho ${path} "$@"\n`);
    chmodSync(join(root, path), 0o755);
  }
  return root;
}

function formOf(inputs: readonly InputEntry[], workingDirectory: string, words: readonly string[]) {
  const command = { ...RESOLVED.command, workingDirectory, arguments: [...words] };
  return hermeticForm({ ...RESOLVED, command, inputs }, []);
}

test("programs of the package come before those of the root, and both before PATH; words arrive as they are", () => {
  const own = "packages/a/node_modules/.bin/tool";
  const shared = ["node_modules/.bin/tool", "node_modules/.bin/other", "node_modules/.bin/ls"];
  const root = execRoot([own, ...shared]);
  const ran = (words: readonly string[], workingDirectory = "packages/a") => {
    const { command } = formOf([own, ...shared].map(file), workingDirectory, words);
    const env = Object.fromEntries(command.environment.map(({ name, value }) => [name, value]));
    expect(JSON.stringify(command)).not.toContain(root);
    const [program, ...rest] = command.arguments;
    return execFileSync(program!, rest, { cwd: join(root, workingDirectory), env, encoding: "utf8" });
  };
  expect(ran(["sh", "-c", "tool; other; ls"])).toBe(`${own}\n${shared[1]}\n${shared[2]}\n`);
  expect(ran(["tool", "a b", '$HOME "'])).toBe(`${own} a b $HOME "\n`);
  expect(ran(["sh", "-c", "tool"], "")).toBe(`${shared[0]}\n`);
});

test("a command without such inputs is left as it is; a symlink on the way is one", () => {
  const words = ["sh", "-c", "true"];
  expect(formOf([file("a/x")], "a", words).command.arguments).toStrictEqual(words);
  const link: InputEntry = { kind: "symlink", path: "a/node_modules", target: "../deps" };
  expect(formOf([link], "a", words).command.arguments[2]).toBe(
    'PATH="$PWD/node_modules/.bin:$PATH"; export PATH; exec "$@"',
  );
});

test("127 names the inputs that a program of the workspace lacks, else what the server has", () => {
  const fs = memoryFiles();
  fs.makeDirectory("/work/node_modules/.bin");
  fs.writeFile("/work/node_modules/.bin/mytool", "");
  const form = formOf([file("a/x")], "a", ["sh", "-c", "mytool --fast"]);
  expect(notFoundHint(fs, form, "sh -c mytool --fast sh: 1: mytool: not found")).toContain(
    'node_modules/.bin/mytool is not among the task\'s inputs: add "/node_modules/**"',
  );
  expect(notFoundHint(fs, form, "sh: 1: cargo: not found")).toContain("the tools of its own PATH");
});
