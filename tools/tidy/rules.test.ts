/** Each rule on a repository that breaks it and on one that keeps it. */
import { expect, test } from "vitest";
import { repositoryOf } from "./repository.ts";
import { RATCHET_PATH, tightened } from "./rules/sizes.ts";
import { RULES } from "./rules.ts";

type Texts = Readonly<Record<string, string>>;

interface Example {
  /** Breaks the rule in exactly the ways named: parts of the findings' messages, in order. */
  readonly bad: Texts;
  readonly findings: readonly string[];
  /** Much the same, as it should be. */
  readonly good: Texts;
}

const lines = (count: number, line = "// line\n"): string => line.repeat(count);
const manifest = (value: object): string => JSON.stringify(value);
const nested = (depth: number): string => `${"if (x) {".repeat(depth)}${"}".repeat(depth)}`;
const arms = (count: number): string => Array.from({ length: count }, (_, index) => `"${index}"`).join(" | ");

const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  ranks: [
    {
      bad: {
        "packages/core/src/a.ts": `import { x } from "@kahn/core";`,
        "packages/exec/src/a.ts": `import type { Run } from "@kahn/workspace";\nimport { fake } from "@kahn/testing";`,
        "packages/journal/src/a.ts": `export type { Child } from "@kahn/system";`,
        "packages/magic/src/a.ts": `import "@kahn/core";`,
        "packages/testing/src/a.ts": `const later = await import("@kahn/journal");`,
        "packages/system/src/a.ts": `export type F = import("kahn").F;`,
      },
      findings: [
        "core imports itself by name",
        "exec (rank 3) imports workspace (rank 4)",
        "source imports @kahn/testing",
        "journal (rank 1) imports system (rank 1)",
        "package magic has no rank",
        "system (rank 1) imports kahn (rank 5)",
        "testing (rank 1) imports journal (rank 1)",
      ],
      good: {
        "packages/exec/src/a.ts": `import type { Digest } from "@kahn/core";\nimport { step } from "@kahn/scheduler";`,
        "packages/exec/src/a.test.ts": `import { fake } from "@kahn/testing";`,
        "packages/cas/src/contract.ts": `import { fake } from "@kahn/testing";`,
        "packages/kahn/src/testing.ts": `export { fake } from "@kahn/testing";`,
      },
    },
  ],
  specifiers: [
    {
      bad: {
        "packages/cas/package.json": manifest({ exports: { ".": "./src/index.ts" } }),
        "packages/exec/src/a.ts": [
          `import { join } from "path";`,
          `import { b } from "./b";`,
          `import { c } from "../../core/src/c.ts";`,
          `import { d } from "@kahn/cas/src/d.ts";`,
        ].join("\n"),
        "tools/a.mjs": `import { c } from "../packages/core/src/c.ts";`,
      },
      findings: ['"path"', '"./b"', '"../../core/src/c.ts"', '"@kahn/cas/src/d.ts"', '"../packages/core/src/c.ts"'],
      good: {
        "packages/cas/package.json": manifest({
          exports: { ".": "./src/index.ts", "./contract": "./src/contract.ts" },
        }),
        "packages/exec/src/a.ts": `import { join } from "node:path";\nimport { b } from "./internal/b.ts";`,
        "packages/exec/src/a.test.ts": `import { d } from "@kahn/cas/contract";`,
      },
    },
  ],
  dependencies: [
    {
      bad: {
        "package.json": manifest({ devDependencies: { vitest: "1.0.0" } }),
        "packages/exec/package.json": manifest({
          dependencies: { "@kahn/cas": "0.0.0" },
          devDependencies: { x: "1.0.0" },
        }),
        "packages/exec/src/a.ts": `import "@kahn/core";\nimport "x";\nimport "vitest";`,
        "test/apart/package.json": manifest({ devDependencies: { y: "1.0.0" } }),
        "test/other/a.test.ts": `import "y";`,
      },
      findings: [
        "imports @kahn/core",
        "imports x,",
        "imports vitest",
        "imports y",
        "declares @kahn/cas, which nothing imports",
      ],
      good: {
        "package.json": manifest({ devDependencies: { vitest: "1.0.0" } }),
        "packages/exec/package.json": manifest({
          dependencies: { "@kahn/cas": "0.0.0" },
          devDependencies: { x: "1.0.0" },
        }),
        "packages/exec/src/a.ts": `import "@kahn/cas";`,
        "packages/exec/src/a.test.ts": `import "vitest";\nimport "x";`,
        "packages/kahn/package.json": manifest({ name: "kahn", devDependencies: { "@kahn/exec": "0.0.0" } }),
        "packages/kahn/src/a.ts": `import "@kahn/exec";`,
        "test/e2e/a.test.ts": `import "kahn";`,
        "test/apart/package.json": manifest({ devDependencies: { y: "1.0.0" } }),
        "test/apart/a.suite.ts": `import "y";`,
      },
    },
  ],
  cycles: [
    {
      bad: {
        "packages/core/src/a.ts": `import type { B } from "./b.ts";`,
        "packages/core/src/b.ts": `export { c } from "./internal/c.ts";`,
        "packages/core/src/internal/c.ts": `import { a } from "../a.ts";`,
      },
      findings: [
        "packages/core/src/a.ts → packages/core/src/b.ts → packages/core/src/internal/c.ts → packages/core/src/a.ts",
      ],
      good: {
        "packages/core/src/a.ts": `import type { B } from "./b.ts";\nimport { c } from "./c.ts";`,
        "packages/core/src/b.ts": `import { c } from "./c.ts";`,
        "packages/core/src/c.ts": `export const c = 1;`,
      },
    },
  ],
  effects: [
    {
      bad: {
        "packages/core/src/a.ts": `import fs from "node:fs";\nexport const now = () => [Date.now(), new Date(), process.pid];`,
        "packages/exec/src/a.ts": `import { spawn } from "node:child_process";\nsetTimeout(go, process.env.WAIT);\nconsole.log(1);`,
        "packages/kahn/src/a.ts": "",
        "packages/scheduler/src/a.ts": `const pick = (list) => list[Math.random() * list.length];`,
      },
      findings: [
        "core uses node:fs",
        "core uses Date.now",
        "core uses new Date()",
        "core uses process",
        "exec uses node:child_process",
        "exec uses setTimeout",
        "exec uses process.env",
        "exec uses console",
        "scheduler uses Math.random",
      ],
      good: {
        "packages/core/src/a.ts": `export const day = (atMs: number) => new Date(atMs);\nexport type P = { process: string; console(): void };`,
        "packages/exec/src/a.ts": `export const run = (process: Runner) => process.start(own.setTimeout);`,
        "packages/exec/src/a.test.ts": `console.log(process.env.KAHN_TEST_SCALE, Date.now());`,
        "packages/kahn/src/a.ts": `process.exitCode = process.argv.length; console.log(Date.now());`,
        "packages/system/src/spawner-main.ts": `process.exit(process.argv.length);`,
        "packages/report/src/a.ts": `process.stdout.write("done");`,
        "packages/system/src/a.ts": `import fs from "node:fs";\nexport const now = () => Date.now();`,
      },
    },
  ],
  sizes: [
    {
      bad: {
        [RATCHET_PATH]: manifest({ "packages/core/src/old.ts file": 410, "packages/core/src/gone.ts file": 500 }),
        "packages/core/src/long.ts": lines(401),
        "packages/core/src/long.test.ts": lines(601),
        "packages/core/src/old.ts": lines(405),
        "packages/core/src/parts.ts": [
          `function wide(a, b, c, d) {}`,
          `const tall = () => {\n${lines(60)}};`,
          `export type Choice = ${arms(26)};`,
          `class Deep { dig(x) { ${nested(4)} } }`,
        ].join("\n"),
      },
      findings: [
        "test has 601 lines, limit 600",
        "file has 401 lines, limit 400",
        "packages/core/src/old.ts file is 405",
        "parameters wide has 4 parameters, limit 3",
        "function tall has 62 lines, limit 60",
        "union Choice has 26 arms, limit 25",
        "nesting dig has 4 levels, limit 3",
        "packages/core/src/gone.ts file is no longer too large",
      ],
      good: {
        [RATCHET_PATH]: manifest({ "packages/core/src/old.ts file": 410 }),
        "packages/core/src/long.ts": `/**\n * A table.\n *\n * Size: it is one table.\n */\n${lines(401)}`,
        "packages/core/src/old.ts": lines(410),
        "packages/core/src/parts.ts": [
          `function narrow(a, b, c) { if (a) {} else if (b) {} else if (c) {} else if (d) {} else {} }`,
          `/**\n * Walks.\n *\n * Size: one switch, an arm for each kind.\n */\nexport const tall = () => {\n${lines(60)}};`,
          `export type Choice = ${arms(25)};`,
          `const outer = (x) => { ${nested(3)} return () => { ${nested(3)} }; };`,
        ].join("\n"),
        "packages/core/src/a.test.ts": `test("x", () => {\n${lines(80)}});`,
      },
    },
  ],
  headers: [
    {
      bad: {
        "packages/core/src/a.ts": `import "./b.ts";\n/** Late. */\nexport const a = 1;`,
        "tools/b.mjs": "// A line.\n",
      },
      findings: ["has no header", "has no header"],
      good: {
        "packages/core/src/a.ts": `/** Says why. */\nimport "./b.ts";`,
        "tools/b.mjs": "#!/usr/bin/env node\n/** Says why. */\n",
      },
    },
  ],
  docstrings: [
    {
      bad: {
        "packages/core/src/a.ts": [
          `/** Header. */`,
          `export const first = 1;`,
          `/** Far away. */`,
          `const between = 1;`,
          `export interface Second {}`,
          `// A line is not a docstring.`,
          `export function third() {}`,
          `/** Fourth. */`,
          `export const fourth = 4;`,
          ``,
          `export const fifth = 5;`,
        ].join("\n"),
      },
      findings: [
        "first has no docstring",
        "Second has no docstring",
        "third has no docstring",
        "fifth has no docstring",
      ],
      good: {
        "packages/core/src/a.ts": [
          `/** Header. */`,
          `/** First. */`,
          `export const first = 1;`,
          `/** Third. */`,
          `export function third(a: 1): 1;`,
          `export function third(a: 2): 2;`,
          `export { first as other };`,
          `/** States of a node. */`,
          `export const WAITING = 0;`,
          `export const READY = 1; // Nothing left to wait for.`,
          `export const RUNNING = 2;`,
          `const internal = 1;`,
        ].join("\n"),
      },
    },
  ],
  types: [
    {
      bad: { "packages/core/src/a.ts": "export const a = (x: any): any[] => x;" },
      findings: ["uses `any`", "uses `any`"],
      good: { "packages/core/src/a.ts": `export const a = (x: unknown) => "any";` },
    },
  ],
  exports: [
    {
      bad: { "packages/core/src/index.ts": `export * from "./a.ts";\nexport default 1;` },
      findings: ["has `export *`", "has a default export"],
      good: {
        "packages/core/src/index.ts": `export { a } from "./a.ts";\nexport type * as codec from "./codec.ts";`,
        "vitest.config.ts": "export default {};",
      },
    },
  ],
  names: [
    {
      bad: {
        "packages/core/src/Digest.ts": "",
        "packages/core/src/fs-utils.ts": "",
        "packages/core/src/helpers/a.ts": "",
      },
      findings: ['"Digest" is not kebab-case', '"fs-utils" does not say', '"helpers" does not say'],
      good: { "packages/core/src/digest.property.test.ts": "", "packages/core/src/package-manager.ts": "" },
    },
  ],
  readmes: [
    {
      bad: { "packages/a/package.json": "{}", "packages/b/package.json": "{}", "packages/b/README.md": lines(41) },
      findings: ["is missing", "has 41 lines, limit 40"],
      good: { "packages/a/package.json": "{}", "packages/a/README.md": lines(40) },
    },
  ],
  versions: [
    {
      bad: {
        "package.json": manifest({ devDependencies: { a: "^1.0.0", b: "1.0.0" } }),
        "packages/core/package.json": manifest({ dependencies: { b: "1.0.1" }, optionalDependencies: { c: "*" } }),
      },
      findings: ['a is "^1.0.0"', "b is 1.0.1 here and 1.0.0 in package.json", 'c is "*"'],
      good: {
        "package.json": manifest({ devDependencies: { a: "1.0.0-rc.1" } }),
        "packages/core/package.json": manifest({ dependencies: { a: "1.0.0-rc.1" }, peerDependencies: { c: ">=1" } }),
      },
    },
  ],
  links: [
    {
      bad: { "docs/a.md": "# Title\n[b](b.md) [c](#other) `[d](d.md)` [e](../packages/nothing)" },
      findings: ["links to b.md", "links to the heading #other", "links to ../packages/nothing"],
      good: {
        "docs/a.md":
          "# The `cache`: a title\n[self](#the-cache-a-title) [b](sub/b.md#b) [sub](sub/) [out](https://example.com/x)",
        "docs/sub/b.md": "# B\n```md\n[not a link](nowhere.md)\n```",
      },
    },
  ],
  snippets: [
    {
      bad: {
        "package.json": manifest({ scripts: { build: "x" } }),
        "packages/kahn/src/cli/command-table.ts": '    name: "run",\n',
        "README.md": [
          "```ts\nconst = 1;\n```",
          "```jsonc\n{ a: }\n```",
          "```sh\nkahn fly\nnpm run deploy\nnpm test\n```",
        ].join("\n"),
      },
      findings: ["ts does not parse", "jsonc does not parse", "`kahn fly`", "`npm run deploy`", "`npm run test`"],
      good: {
        "package.json": manifest({ scripts: { build: "x", test: "y" } }),
        "packages/kahn/src/cli/command-table.ts": '    name: "run",\n',
        "README.md": [
          "```ts\nimport { x } from 'kahn';\nawait x();\n```",
          '```jsonc\n{ "a": 1, // one\n}\n```',
          "```sh\n$ kahn run build --json\nnpm run build\nnpm test\nnpm run -s build\n```",
          "```text\nkahn fly\n```",
        ].join("\n"),
      },
    },
  ],
  "problem-codes": [
    {
      bad: {
        "docs/errors.md": "### old-code\n\nGone.\n\n### b-code\n",
        "packages/core/src/a.ts": `problem("b-code", "x");\nwarning("c-code", "x");\nproblem("c-code", "again");`,
      },
      findings: ["problem code c-code is not explained", "old-code is no code of ours", "b-code stands after old-code"],
      good: {
        "docs/errors.md": "### b-code\n\n### `c-code`\n\n### d-code\n",
        "packages/core/src/a.ts": `problem("b-code", "x");\nwarning("c-code", "x");\nconst codes = ["d-code"];\nproblem(codes[0], "x");`,
        "packages/core/src/a.test.ts": `problem("only-in-a-test", "x");`,
      },
    },
  ],
  leftovers: [
    {
      bad: { "packages/core/src/a.ts": "// TODO: later\n/* FIXME */" },
      findings: ["TODO without an issue", "FIXME without an issue"],
      good: { "packages/core/src/a.ts": `// TODO(#12): later\nconst text = "TODO";` },
    },
  ],
  portable: [
    {
      bad: { "docs/a.md": "See /home/jo/kahn.", "package-lock.json": `"https://registry.${"npmjs"}.org/x"` },
      findings: ["the path of one machine: /home/jo", "the host of a registry: registry."],
      good: { "docs/a.md": "Say /home/you/kahn, ./home/jo, /usr/bin/env, and registry." },
    },
  ],
};

const BY_NAME = RULES.map((rule) => [rule.name, rule] as const);

// Goal: a rule that finds nothing is worth nothing; each must find what it forbids and leave what it allows.
// Method: two repositories in memory for every rule; a rule without an example fails here.
test.each(BY_NAME)("the rule %s finds what it forbids, and says what to do instead", (_, rule) => {
  const examples = EXAMPLES[rule.name];
  expect(examples, `add an example of ${rule.name} to EXAMPLES`).toBeDefined();
  for (const { bad, findings } of examples!) {
    const found = [...rule.check(repositoryOf(bad))];
    expect(found.map((finding) => finding.message)).toEqual(findings.map((part) => expect.stringContaining(part)));
    for (const { path, instead } of found) {
      expect(instead).toMatch(/^[A-Z].*\.$/);
      expect(path in bad || path.endsWith("README.md")).toBe(true);
    }
  }
});

test.each(BY_NAME)("the rule %s finds nothing where all is well", (_, rule) => {
  for (const { good } of EXAMPLES[rule.name]!) expect([...rule.check(repositoryOf(good))]).toEqual([]);
});

// Goal: tightening is the only way that writes the ratchet, so it must never let anything grow or enter.
test("tightening lowers and drops entries, and adds none", () => {
  const repository = repositoryOf({
    [RATCHET_PATH]: manifest({ "tools/a.ts file": 500, "tools/b.ts file": 500, "tools/c.ts file": 410 }),
    "tools/a.ts": lines(450),
    "tools/b.ts": lines(10),
    "tools/c.ts": lines(420),
    "tools/new.ts": lines(999),
  });
  expect(tightened(repository)).toEqual({ "tools/a.ts file": 450, "tools/c.ts file": 410 });
});
