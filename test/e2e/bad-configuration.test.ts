// Goal: a mistake in what people write is refused before anything runs: one coded error each, with what, where and what
// next, all of them at once, exit code 2. Method: one small broken workspace per mistake.
import { expect, test } from "vitest";
import { type Files, manifest, ROOT_MANIFEST, Workspace } from "./rig/workspace.ts";

/** One mistake and what must be said of it. */
interface Mistake {
  readonly title: string;
  readonly files: Files;
  /** The command; default `run build`. */
  readonly command?: string;
  readonly says: readonly (string | RegExp)[];
}

const ONE: Files = { "package.json": manifest("one", { build: "touch ran", test: "touch ran" }) };

const TWO: Files = {
  "package.json": ROOT_MANIFEST,
  "packages/lib/package.json": manifest("lib", { build: "touch ../../ran", test: "true" }),
  "packages/app/package.json": manifest("app", { build: "touch ../../ran", test: "true" }, ["lib"]),
};

const MISTAKES: readonly Mistake[] = [
  {
    title: "an unknown key is named with its place and a suggestion",
    files: { ...ONE, "kahn.jsonc": '{\n  "tasks": {\n    "build": { "input": ["src/**"] }\n  }\n}\n' },
    says: [
      'error[config-unknown-key]: "tasks.build.input" is not a key of the configuration',
      "--> kahn.jsonc:3:16",
      '3 |     "build": { "input": ["src/**"] }',
      'next: Did you mean "inputs"?',
    ],
  },
  {
    title: "a cycle names every task in order and where each is declared",
    files: {
      ...TWO,
      "kahn.jsonc":
        '{ "tasks": {\n"build": { "dependsOn": ["^build"] },\n"lib#build": { "dependsOn": ["app#test"] },\n"test": { "dependsOn": ["build"] } } }',
    },
    says: [
      "error[task-cycle]: Tasks wait for each other in a ring: app#build → lib#build → app#test → app#build",
      /app#build +waits for lib#build \(kahn\.jsonc:2\)/,
      /lib#build +waits for app#test \(kahn\.jsonc:3\)/,
      /next: Take one of these references out/,
    ],
  },
  {
    title: "a task that waits for itself is a cycle of one",
    files: { ...ONE, "kahn.jsonc": { tasks: { build: { dependsOn: ["build"] } } } },
    says: ["error[task-cycle]", "//#build → //#build"],
  },
  {
    title: "a task that nobody has is named with a suggestion",
    files: TWO,
    command: "run biuld",
    says: ['error[task-unknown]: No project has a task "biuld"', 'next: Did you mean "build"?'],
  },
  {
    title: "a project that does not exist is named with a suggestion",
    files: TWO,
    command: "run ap#build",
    says: ['error[project-unknown]: There is no project "ap"', 'next: Did you mean "app#build"?'],
  },
  {
    title: "a selector that matches nothing is named with a suggestion",
    files: TWO,
    command: "run build -p lob",
    says: ["error[no-project-matches]", '"lib"'],
  },
  {
    title: "a reference to a task that nobody has points at its line",
    files: {
      ...ONE,
      "kahn.jsonc": '{ "tasks": {\n  "build": { "dependsOn": ["codgen"] }, "codegen": { "command": "true" } } }',
    },
    says: [
      'error[task-reference-unknown]: //#build refers to "codgen"',
      /--> kahn\.jsonc:2:/,
      'Did you mean "codegen"?',
    ],
  },
  {
    title: "two tasks with one literal output are refused when they are planned",
    files: {
      ...ONE,
      "kahn.jsonc":
        '{ "tasks": {\n"build": { "outputs": ["out/file.txt"] },\n"test": { "outputs": ["out/file.txt"] } } }',
    },
    command: "run build test",
    says: [
      "error[output-claimed-twice]: //#build and //#test both declare the output out/file.txt",
      /\/\/#build +kahn\.jsonc:2/,
      /\/\/#test +kahn\.jsonc:3/,
      "next: Give one of them another output path",
    ],
  },
  {
    title: "globs that leave the workspace are refused with their place",
    files: { ...TWO, "packages/lib/kahn.jsonc": '{ "tasks": { "build": {\n  "inputs": ["../../../secrets/**"] } } }' },
    says: ["error[config-bad-value]", /\.\.\/\.\.\/\.\.\/secrets/, /--> packages\/lib\/kahn\.jsonc:2:14/, "next: "],
  },
  {
    title: "a package.json that is no JSON shows file, line and column",
    files: { ...TWO, "packages/lib/package.json": '{\n  "name": "lib",\n  "scripts": { "build": "true", }\n}\n' },
    says: ["error[manifest-syntax]", /--> packages\/lib\/package\.json:3:\d+/, '3 |   "scripts": { "build": "true", }'],
  },
  {
    title: "a root package.json that is no JSON shows file, line and column",
    files: { "package.json": '{ "name": "one"\n  "scripts": {} }' },
    says: ["error[manifest-syntax]", /--> package\.json:\d+:\d+/],
  },
  {
    title: "a kahn.jsonc that is no JSON shows file, line and column",
    files: { ...ONE, "kahn.jsonc": '{\n  // comments are fine\n  "tasks": { "build" { } }\n}\n' },
    says: ["error[config-syntax]", /--> kahn\.jsonc:3:\d+/, '3 |   "tasks": { "build" { } }'],
  },
  {
    title: "a kahn.config.mjs that throws is named with its own message",
    files: { ...ONE, "kahn.config.mjs": 'throw new Error("no such luck");\n' },
    says: ["error[config-module-failed]", "kahn.config.mjs", "no such luck"],
  },
  {
    title: "two configurations of one folder are refused",
    files: { ...ONE, "kahn.jsonc": {}, "kahn.config.mjs": "export default {};" },
    says: ["error[config-ambiguous]", "kahn.jsonc", "kahn.config.mjs"],
  },
  {
    title: "two projects of one name are refused, both folders named",
    files: { ...TWO, "packages/lib2/package.json": manifest("lib", {}) },
    says: ["error[project-duplicate-name]", "packages/lib", "packages/lib2"],
  },
  {
    title: "a claim that the workspace cannot meet is refused before anything waits for it",
    files: { ...ONE, "kahn.jsonc": { pools: { db: 1 }, tasks: { build: { pool: { db: 2 } } } } },
    says: ["error[config-bad-value]", 'it asks for 2 of the pool "db", which has 1'],
  },
];

test.each(MISTAKES)("$title", async ({ files, command = "run build", says }) => {
  const work = new Workspace(files);
  const refused = await work.kahn(command);
  expect(refused.exitCode, refused.stderr).toBe(2);
  for (const text of says) {
    if (typeof text === "string") expect(refused.stderr).toContain(text);
    else expect(refused.stderr).toMatch(text);
  }
  expect(refused.stdout).toBe("");
  expect(refused.stderr.match(/^error\[/gm)).toHaveLength(1);
  expect(refused.stderr).toMatch(/^ {2}next: /m);
  expect(work.exists("ran")).toBe(false);
});

/** The codes and all the words of what was refused. */
async function refusal(files: Files): Promise<{ readonly codes: readonly string[]; readonly text: string }> {
  const refused = await new Workspace(files).kahn("run build");
  expect(refused.exitCode).toBe(2);
  return {
    codes: [...refused.stderr.matchAll(/^error\[([^\]]+)\]/gm)].map((match) => match[1]!),
    text: refused.stderr,
  };
}

test("mistakes of shape and of content in all files come at once", async () => {
  const { codes, text } = await refusal({
    ...TWO,
    "packages/lib/package.json": "{",
    "packages/app/package.json": manifest("app", { build: 3 }, ["lib"]),
    "kahn.jsonc": { concurency: 3, tasks: { build: { dependsOn: "^build" }, test: { timeout: "soon" } } },
  });
  expect([...codes].sort()).toEqual([
    "config-bad-value",
    "config-unknown-key",
    "config-wrong-value",
    "manifest-bad-field",
    "manifest-syntax",
  ]);
  for (const part of ['"concurrency"', '"tasks.build.dependsOn" must be', '"soon" is not a duration']) {
    expect(text).toContain(part);
  }
});

test("mistakes of content in all files come at once", async () => {
  const { codes, text } = await refusal({
    ...TWO,
    "packages/lib/kahn.jsonc": { tasks: { build: { env: ["NOT-A-NAME"] } } },
    "kahn.jsonc": { tasks: { build: { timeout: "soon", outputs: ["../../../out"], pool: "db" } } },
  });
  expect(new Set(codes)).toEqual(new Set(["config-bad-value"]));
  for (const part of ['"soon" is not a duration', 'there is no pool "db"', "NOT-A-NAME", "../../../out"]) {
    expect(text).toContain(part);
  }
});

test("an output root that the inputs take in is refused with the pattern to add", async () => {
  const { codes, text } = await refusal({
    ...ONE,
    "kahn.jsonc": { tasks: { build: { inputs: ["src/**"], outputs: ["src/out/**"] } } },
  });
  expect(codes).toEqual(["input-is-output"]);
  expect(text).toContain("The inputs of //#build take in its own output src/out\n  --> kahn.jsonc:3:5\n");
  expect(text).toContain('next: Add "!src/out" to its inputs');
});

test("globs that both write one path fail the run and name both tasks and the path", async () => {
  const work = new Workspace({
    "package.json": manifest("one", {
      build: "mkdir -p out && echo b > out/b && echo b > out/both",
      test: "mkdir -p out && echo t > out/t && echo t > out/both",
    }),
    "kahn.jsonc": {
      tasks: {
        build: { inputs: [], outputs: ["out/**"] },
        test: { inputs: [], outputs: ["out/**"], dependsOn: ["build"] },
      },
    },
  });
  const run = await work.kahn("run test");
  expect(run.exitCode).toBe(1);
  expect(run.stdout).toMatch(/error\[output-conflict\]: \/\/#test and \/\/#build both make out\/b(oth)?\n/);
  expect((await work.kahn("run test")).exitCode).toBe(1);
});

test("a folder without a package.json or configuration says so and what would help", async () => {
  const work = new Workspace({ "readme.txt": "nothing here\n" });
  const refused = await work.kahn("run build");
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(/^error\[workspace-not-found\]/);
  expect(refused.stderr).toContain("next: ");
});
