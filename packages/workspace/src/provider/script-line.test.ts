import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { TaskCommand } from "../model.ts";
import { commandLine, mentionedVariables, quoteForShell } from "./script-line.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);

function run(command: TaskCommand, passed: readonly string[] = [], cwd = tmpdir()) {
  const line = commandLine(command, "sh", passed);
  const [program, ...args] = line.argv;
  const env = { PATH: process.env.PATH, HOME: "/nonexistent", ...line.lifecycle };
  const { status, stdout, stderr } = spawnSync(program!, args, { cwd, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

function script(script: string, hooks: { pre?: string; post?: string } = {}): TaskCommand {
  return { kind: "script", event: "build", script, pre: hooks.pre, post: hooks.post };
}

// Goal: no argument is ever seen by the shell as anything but itself.
test("any argument reaches the script as it is", () => {
  const text = fc.string({ unit: fc.constantFrom(..."ab \t\n'\"\\$`*?!#~&|;<>(){}[]=%-éß".split("")), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (args) => {
      const { stdout } = run(script("printf '%s\\0'"), ["x", ...args]);
      expect(stdout.split("\0").slice(0, -1)).toEqual(["x", ...args]);
    }),
    { numRuns: 40 * SCALE },
  );
  expect(quoteForShell("src/a-b.ts")).toBe("src/a-b.ts");
});

test("pre, main and post run in shells of their own, and the first failure ends the line with its exit code", () => {
  const hooks = { pre: "cd /; LOCAL=1; echo pre", post: "echo post $LOCAL" };
  expect(run(script("echo main $LOCAL; pwd", hooks)).stdout).toBe(`pre\nmain\n${realpathSync(tmpdir())}\npost\n`);
  expect(run(script("echo main; exit 3", hooks))).toMatchObject({ status: 3, stdout: "pre\nmain\n" });
  expect(run(script("echo main", { pre: "exit 4" }))).toMatchObject({ status: 4, stdout: "" });
  expect(run(script("exit 0", { post: "exit 5" }))).toMatchObject({ status: 5 });
});

test("arguments go to the main script alone", () => {
  expect(run(script("echo main", { pre: "echo pre", post: "echo post" }), ["a b"]).stdout).toBe(
    "pre\nmain a b\npost\n",
  );
});

test("other commands: a shell line, an argument list, nothing", () => {
  expect(run({ kind: "shell", script: "echo $0 one &&  echo two" }, ["x"]).stdout).toBe("sh one\ntwo x\n");
  expect(commandLine({ kind: "argv", argv: ["tsc", "-b"] }, "bash", ["x y"]).argv).toEqual(["tsc", "-b", "x y"]);
  expect(commandLine({ kind: "none" }, "sh", ["x"]).argv).toEqual([]);
  expect(commandLine(script("x"), "/bin/bash", []).argv).toEqual(["/bin/bash", "-c", "x"]);
});

// Goal: a script sees what it would see under npm. Method: the same fixture run by the npm of this machine.
test("a script with hooks and arguments behaves as under npm run", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "kahn-npm-run-")));
  try {
    const show = (phase: string) =>
      `echo ${phase} "$npm_lifecycle_event" "$npm_lifecycle_script" "$npm_package_name" "$PWD" "$#" && echo args`;
    const scripts = { prebuild: show("pre"), build: show("main"), postbuild: show("post") };
    writeFileSync(join(root, "package.json"), JSON.stringify({ name: "fixture", version: "1.2.3", scripts }));
    const passed = ["--flag", "two words", "it's", "$HOME", ""];
    const npm = execFileSync("npm", ["run", "--silent", "build", "--", ...passed], {
      cwd: root,
      encoding: "utf8",
      env: { PATH: process.env.PATH, HOME: root, npm_config_update_notifier: "false" },
    });
    const line = commandLine(script(scripts.build, { pre: scripts.prebuild, post: scripts.postbuild }), "sh", passed);
    const [program, ...args] = line.argv;
    const ours = spawnSync(program!, args, {
      cwd: root,
      encoding: "utf8",
      env: { PATH: process.env.PATH, HOME: root, npm_package_name: "fixture" },
    });
    expect(ours.stdout).toBe(npm);
    expect(npm).toContain("args --flag two words it's $HOME");
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test("variables that a command mentions are found in the forms of shells, Node and Windows", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
  const text = "echo $A ${B:-x} %C% && node -e 'process.env.D + process.env[\"E\"]' $1 $$ import.meta.env.F";
  expect(mentionedVariables(text)).toEqual(["A", "B", "C", "D", "E", "F"]);
});
