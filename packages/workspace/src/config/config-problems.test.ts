import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadFiles, npmWorkspace, problemsOf } from "../workspace.fixture.ts";
import { ROOT_ENTRIES, TASK_ENTRIES } from "./config-schema.ts";

const PACKAGES = npmWorkspace({ "@b/a": { scripts: { build: "tsc" } }, "@b/c": { scripts: { build: "tsc" } } });

/** Problems of a kahn.jsonc in a workspace of two packages. */
const problemsIn = (config: string) => problemsOf({ ...PACKAGES, "kahn.jsonc": config });

// Goal: one look at the message is enough. Method: golden texts of everything that is wrong with one file, at once.
test("all mistakes of shape come at once, each with its line and what to do", async () => {
  const problems = await problemsIn(`{
  // everything wrong
  "concurency": 4,
  "pools": { "db": 0 },
  "tasks": {
    "build": { "dependsON": ["^build"], "outputs": "dist/**" },
    "test": { "ready": { "prot": 3000 }, "retries": 1.5, "cache": "no" },
    "lint": []
  }
}
`);
  expect(problems).toEqual([
    [
      'kahn.jsonc:3:3 config-unknown-key: "concurency" is not a key of the configuration',
      '|   "concurency": 4,',
      "|   ^^^^^^^^^^^^",
      "known here: projects, concurrency, pools, tagCaps, cache, globalEnv, globalPassEnv, globalInputs, tasks",
      '-> Did you mean "concurrency"?',
    ].join("\n"),
    expect.stringContaining('"tasks.build.dependsON" is not a key'),
    expect.stringContaining('kahn.jsonc:7:26 config-unknown-key: "tasks.test.ready.prot"'),
    expect.stringContaining('"tasks.lint" must be an object'),
    [
      'kahn.jsonc:4:20 config-wrong-value: "pools.db" must be 1 or more',
      '|   "pools": { "db": 0 },',
      "|                    ^",
      "expected: 1 or more",
      "received: the number 0",
      "-> Change the value of pools.db.",
    ].join("\n"),
    [
      'kahn.jsonc:6:52 config-wrong-value: "tasks.build.outputs" must be a list of texts',
      '|     "build": { "dependsON": ["^build"], "outputs": "dist/**" },',
      "|                                                    ^^^^^^^^^",
      "expected: a list of texts",
      'received: the text "dist/**"',
      "-> Change the value of tasks.build.outputs.",
    ].join("\n"),
    expect.stringContaining('"tasks.test.retries" must be a whole number'),
    expect.stringContaining('"tasks.test.cache" must be true or false'),
  ]);
});

test("all mistakes of content come at once, across files", async () => {
  const problems = await problemsOf({
    ...PACKAGES,
    "packages/a/kahn.jsonc": '{ "tasks": { "build": { "inputs": ["../../../x"] }, "x#y": {} } }',
    "kahn.jsonc": `{ "pools": { "db": 1 }, "globalEnv": ["A B"], "globalInputs": ["../x"],
  "tasks": {
    "build": { "dependsOn": ["^", "a#"], "outputs": ["", "/dist/**"], "env": ["MY-VAR"], "tools": ["./x"] },
    "test": { "command": " ", "timeout": "5 min", "pool": "bd", "mutex": ["a", "a"] },
    "serve": { "command": "x", "ready": { "port": 1, "log": "(" } },
    "@b/d#build": {}, "^build": {}
} }`,
  });
  const summaries = problems.map((text) => text.split("\n")[0]);
  expect(summaries).toEqual([
    'kahn.jsonc:1:39 config-bad-value: "globalEnv[0]": "A B" is not the name of a variable (letters, digits, "_", and "*" at the end)',
    'kahn.jsonc:1:64 config-bad-value: "globalInputs[0]": "../x" leaves the workspace',
    'packages/a/kahn.jsonc:1:53 config-bad-value: "tasks["x#y"]" names a project in a project\'s own configuration',
    'kahn.jsonc:3:30 config-bad-value: "tasks.build.dependsOn[0]": "^" names no task after "^"',
    'kahn.jsonc:3:35 config-bad-value: "tasks.build.dependsOn[1]": "a#" names no task after "#"',
    'kahn.jsonc:3:54 config-bad-value: "tasks.build.outputs[0]": "" is empty',
    'kahn.jsonc:3:79 config-bad-value: "tasks.build.env[0]": "MY-VAR" is not the name of a variable (letters, digits, "_", and "*" at the end)',
    'kahn.jsonc:3:100 config-bad-value: "tasks.build.tools[0]": "./x" is not the name of a program on PATH',
    'kahn.jsonc:4:26 config-bad-value: "tasks.test.command": there is nothing to run',
    'kahn.jsonc:4:74 config-bad-value: "tasks.test.mutex": "a" is named twice',
    'kahn.jsonc:4:59 config-bad-value: "tasks.test.pool": there is no pool "bd"',
    'kahn.jsonc:4:42 config-bad-value: "tasks.test.timeout": "5 min" is not a duration',
    'kahn.jsonc:5:41 config-bad-value: "tasks.serve.ready": it has more than one probe',
    'kahn.jsonc:6:5 config-unknown-project: "tasks["@b/d#build"]" is for a project that is not there',
    'kahn.jsonc:6:23 config-bad-value: "tasks["^build"]" is not the name of a task',
    'packages/a/kahn.jsonc:1:36 config-bad-value: The glob "../../../x" of packages/a leaves the workspace',
  ]);
});

// Goal: a mistake of shape, or a file that cannot be read, hides no mistake of content, and nothing is said twice.
test("mistakes of shape and of content come at once, within a file and across files", async () => {
  const codes = async (files: Record<string, string>) =>
    (await problemsOf({ ...PACKAGES, ...files })).map((text) => /: ("[^"]*"|[^"]*)/.exec(text.split("\n")[0]!)![1]);
  const shape =
    '{ "concurency": 1, "tasks": { "build": { "timeout": "soon" }, "test": { "env": "A", "timeout": "late" } } }';
  expect(
    await codes({ "kahn.jsonc": shape, "packages/a/kahn.jsonc": '{ "tasks": { "build": { "env": ["A-B"] } } }' }),
  ).toEqual(['"concurency"', '"tasks.test.env"', '"tasks.build.timeout"', '"tasks.build.env[0]"']);
  const content = '{ "tasks": { "build": { "timeout": "soon", "pool": "db" } } }';
  expect(await codes({ "kahn.jsonc": content, "packages/a/kahn.jsonc": "[]" })).toEqual([
    "The configuration packages/a/kahn.jsonc must be an object",
    '"tasks.build.pool"',
    '"tasks.build.timeout"',
  ]);
  const unknown = '{ "pools": { "db": 0 }, "tasks": { "build": { "pool": "db" } } }';
  expect(await codes({ "kahn.jsonc": unknown })).toEqual(['"pools.db"']);
});

test("a syntax error shows its line, a repeated key its second place", async () => {
  expect(await problemsIn('{\n  "tasks": {\n    "build": { "outputs": ["dist/**"] }\n    "test": {}\n  }\n}')).toEqual([
    [
      'kahn.jsonc:4:5 config-syntax: kahn.jsonc is not valid JSON: a comma or "}" is missing before this',
      '|     "test": {}',
      "|     ^",
      "-> Correct the file and run again.",
    ].join("\n"),
  ]);
  expect(await problemsIn('{ "tasks": { "a": {},\n "a": {} } }')).toEqual([
    expect.stringContaining('kahn.jsonc:2:2 config-duplicate-key: "tasks.a" is written twice'),
  ]);
});

test("a configuration that is a program names the path of what is wrong", async () => {
  const modules = { "/ws/kahn.config.mts": { tasks: { build: { inputs: ["src/**", 3] } } } };
  const problems = await problemsOf({ ...PACKAGES, "kahn.config.mts": "export default …" }, { modules });
  expect(problems).toEqual([
    'kahn.config.mts config-wrong-value: "tasks.build.inputs[1]" must be a text\nexpected: a text\nreceived: the number 3\n' +
      "-> Change the value of tasks.build.inputs[1].",
  ]);
});

test("a program whose value is not data says which part", async () => {
  const modules = { "/ws/kahn.config.mts": { tasks: { build: { command: () => "tsc" } } } };
  expect(await problemsOf({ ...PACKAGES, "kahn.config.mts": "…" }, { modules })).toEqual([
    expect.stringContaining('"tasks.build.command" of kahn.config.mts is not data'),
  ]);
});

// Goal: no text of a configuration makes Kahn throw. Method: real keys with arbitrary values, in both formats; a load
// gives a model or problems that have a code, a message and a place.
test("whatever a configuration says, it gives a model or problems", async () => {
  const keys = fc.constantFrom(...Object.keys(ROOT_ENTRIES), "globalDependencies", "globalPassThroughEnv", "extends");
  const fields = fc.constantFrom(...Object.keys(TASK_ENTRIES), "with", "passThroughEnv");
  const value = fc.oneof(
    fc.jsonValue(),
    fc.array(fc.string(), { maxLength: 2 }),
    fc.constantFrom("a", "^a", "//#a", 1),
  );
  const task = fc.oneof({ weight: 4, arbitrary: fc.dictionary(fields, value, { maxKeys: 3 }) }, fc.jsonValue());
  const names = fc.constantFrom("build", "@b/a#build", "//#x", "#", "^a", "");
  const tasks = fc.dictionary(names, task, { maxKeys: 3 });
  const config = fc
    .tuple(fc.dictionary(keys, value, { maxKeys: 2 }), tasks)
    .map(([root, table]) => ({ ...root, tasks: table }));
  const place = fc.constantFrom("kahn.jsonc", "turbo.json", "packages/a/kahn.jsonc", "packages/a/turbo.json");
  await fc.assert(
    fc.asyncProperty(config, place, async (written, file) => {
      const root = file === "packages/a/turbo.json" ? { "turbo.json": "{}" } : {};
      const result = await loadFiles({ ...PACKAGES, ...root, [file]: written });
      if (result.ok) return;
      expect(result.problem.length).toBeGreaterThan(0);
      for (const each of result.problem) {
        expect(each).toMatchObject({ severity: "error", next: expect.any(String), where: { file } });
      }
    }),
    { numRuns: 150 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});

test("two configurations in one place are a problem, as is a root's key in a project", async () => {
  expect(await problemsOf({ ...PACKAGES, "kahn.jsonc": "{}", "kahn.config.ts": "" })).toEqual([
    expect.stringContaining("config-ambiguous: There is more than one configuration: kahn.jsonc and kahn.config.ts"),
  ]);
  const inProject = await problemsOf({ ...PACKAGES, "kahn.jsonc": "{}", "packages/a/kahn.jsonc": '{ "pools": {} }' });
  expect(inProject).toEqual([expect.stringContaining("-> Move it to the configuration at the root")]);
});

test("broken manifests are named with their lines, all of them", async () => {
  const problems = await problemsOf({
    ...PACKAGES,
    "packages/a/package.json": '{\n  "name": "@b/a",\n  "scripts": { "build": "tsc", }\n}\n',
    "packages/d/package.json": { name: "@b/d", scripts: { build: ["tsc"] } },
    "packages/e/package.json": { name: "has space" },
  });
  expect(problems.map((text) => text.split("\n")[0])).toEqual([
    "packages/a/package.json:3:32 manifest-syntax: packages/a/package.json is not valid JSON: there is a comma too many before this",
    'packages/d/package.json:4:14 manifest-bad-field: "scripts" of packages/d/package.json: "build" must be a text',
    'packages/e/package.json manifest-bad-field: "name" of packages/e/package.json: "has space" is not a package name',
  ]);
});

test("two projects of one name are named both", async () => {
  const problems = await problemsOf({ ...PACKAGES, "packages/z/package.json": { version: "1.0.0", name: "@b/a" } });
  expect(problems).toEqual([
    [
      'packages/z/package.json:3:11 project-duplicate-name: Two projects are named "@b/a": packages/a/package.json and packages/z/package.json',
      '|   "name": "@b/a"',
      "|           ^^^^^^",
      '-> Rename one of them, or leave one out of the project globs ("!packages/z").',
    ].join("\n"),
  ]);
});

test("a folder without any manifest says what to do", async () => {
  expect(await problemsOf({ "docs/x.md": "" }, { startDirectory: "/ws/docs" })).toEqual([
    "workspace-not-found: There is no package.json in /ws/docs or above it\n-> Go to a project's folder, or make one with `npm init`.",
  ]);
});
