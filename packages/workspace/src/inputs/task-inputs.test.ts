import type { InputEntry } from "@kahn/core";
import { type FileTree, memoryFileSystem, virtualClock } from "@kahn/testing";
import fc from "fast-check";
import picomatch from "picomatch";
import { expect, test } from "vitest";
import { openFileStates } from "../states/index.ts";
import { project, type TaskFields, task, workspace } from "../testing-model.ts";
import { DefaultFiles } from "./default-files.ts";
import { OutputMask } from "./output-mask.ts";
import { TaskInputs } from "./task-inputs.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const A = project("a", "packages/a");
const ROOT = project("//", "");

function setUp(files: FileTree) {
  const clock = virtualClock();
  const fs = memoryFileSystem({ clock, files });
  clock.advance(5001);
  const states = openFileStates({ fs, clock, indexPath: "/w/.kahn/state/files", workspaceRoot: "/w" });
  const of = (fields: TaskFields, more: { owner?: typeof A; globalInputs?: string[] } = {}) => {
    const { owner = A, globalInputs = [] } = more;
    const own = task(owner, "build", fields);
    const model = workspace("/w", [ROOT, A], { tasks: [own] });
    const outputs = new OutputMask(model);
    const defaults = new DefaultFiles({ model, states, fs, git: undefined, env: {}, outputs });
    states.beginAgain();
    return new TaskInputs(states, defaults).of({ project: owner, task: own, globalInputs });
  };
  const paths = (fields: TaskFields, more: Parameters<typeof of>[1] = {}) => {
    const found = of(fields, more);
    return found.ok ? found.value.map((entry) => entry.path) : found.problem.problem;
  };
  return { fs, of, paths };
}

const TREE = {
  "w/base.json": "",
  "w/config/x": "",
  "w/packages/a/package.json": "{}",
  "w/packages/a/src/index.ts": "",
  "w/packages/a/src/index.test.ts": "",
  "w/packages/a/src/deep/er/z.ts": "",
  "w/packages/a/src/.hidden": "",
  "w/packages/a/src-b/x": "",
  "w/packages/a/app/(shop)/page.tsx": "",
  "w/packages/a/node_modules/x/i.ts": "",
  "w/packages/a/.git/i.ts": "",
};

test("a name means the file, or the directory with all below it", () => {
  const { paths } = setUp(TREE);
  expect(paths({ inputs: ["src/index.ts"] })).toEqual(["packages/a/src/index.ts"]);
  expect(paths({ inputs: ["src/deep", "none"] })).toEqual(["packages/a/src/deep/er/z.ts"]);
});

test("globs match names with a dot, do not enter node_modules unless they name it, and keep to their depth", () => {
  const { paths } = setUp(TREE);
  expect(paths({ inputs: ["src/*"] })).toEqual([
    "packages/a/src/.hidden",
    "packages/a/src/index.test.ts",
    "packages/a/src/index.ts",
  ]);
  expect(paths({ inputs: ["**/i.ts"] })).toEqual([]);
  expect(paths({ inputs: ["node_modules/**"] })).toEqual(["packages/a/node_modules/x/i.ts"]);
  expect(paths({ inputs: ["app/(shop)/*.tsx"] })).toEqual(["packages/a/app/(shop)/page.tsx"]);
  expect(paths({ inputs: ["src/**/{z,index}.ts"] })).toEqual([
    "packages/a/src/deep/er/z.ts",
    "packages/a/src/index.ts",
  ]);
});

test("a leading slash starts at the workspace; global inputs do so always", () => {
  const { paths } = setUp(TREE);
  expect(paths({ inputs: ["/base.json", "package.json"] })).toEqual(["base.json", "packages/a/package.json"]);
  expect(paths({ inputs: ["package.json"] }, { globalInputs: ["base.json", "config/**"] })).toEqual([
    "base.json",
    "config/x",
    "packages/a/package.json",
  ]);
});

test("exclusion wins wherever it stands, over $default too", () => {
  const { paths } = setUp(TREE);
  const expected = ["packages/a/src/.hidden", "packages/a/src/deep/er/z.ts", "packages/a/src/index.ts"];
  expect(paths({ inputs: ["!**/*.test.ts", "src/**"] })).toEqual(expected);
  expect(paths({ inputs: ["src/**", "!/packages/*/src/*.test.ts"] })).toEqual(expected);
  expect(paths({ inputs: ["$default", "!src", "!app/**", "!src-b/**", "/base.json"] })).toEqual([
    "base.json",
    "packages/a/package.json",
  ]);
});

test("paths come in the order of UTF-8, each once, whatever the patterns", () => {
  const { paths } = setUp({
    "w/packages/a/b/x": "",
    "w/packages/a/b-c": "",
    "w/packages/a/b.d": "",
    "w/packages/a/é": "",
  });
  const all = ["packages/a/b-c", "packages/a/b.d", "packages/a/b/x", "packages/a/é"];
  expect(paths({ inputs: ["**"] })).toEqual(all);
  expect(paths({ inputs: ["é", "b/**", "b", "**", "b.d", "b-c"] })).toEqual(all);
});

test("of files, content and executable bit count; of links, the target's name", () => {
  const { fs, of } = setUp({
    "w/packages/a/f": "one",
    "w/packages/a/l": "-> f",
    "w/packages/a/dir/x": "",
    "w/packages/a/d": "-> dir",
  });
  const entries = (): readonly InputEntry[] => {
    const found = of({ inputs: ["f", "l", "d/**"] });
    if (!found.ok) throw new Error(found.problem.problem.message);
    return found.value;
  };
  expect(entries()).toMatchObject([
    { path: "packages/a/d", kind: "symlink", target: "dir" },
    { path: "packages/a/f", kind: "file", executable: false },
    { path: "packages/a/l", kind: "symlink", target: "f" },
  ]);
  const before = entries();
  fs.chmod("/w/packages/a/f", 0o600);
  expect(entries()).toEqual(before);
  fs.chmod("/w/packages/a/f", 0o755);
  expect(entries()[1]).toMatchObject({ executable: true });
});

test("a renamed file is another input, and a file that becomes a directory is looked into", () => {
  const { fs, paths } = setUp({ "w/packages/a/src/x": "same", "w/packages/a/conf": "" });
  expect(paths({ inputs: ["src/**", "conf"] })).toEqual(["packages/a/conf", "packages/a/src/x"]);
  fs.rename("/w/packages/a/src/x", "/w/packages/a/src/y");
  fs.remove("/w/packages/a/conf");
  fs.makeDirectory("/w/packages/a/conf");
  fs.writeFile("/w/packages/a/conf/z", "");
  expect(paths({ inputs: ["src/**", "conf"] })).toEqual(["packages/a/conf/z", "packages/a/src/y"]);
});

test("an input that cannot be read is named, and so is a directory", () => {
  const { fs, paths } = setUp(TREE);
  fs.chmod("/w/packages/a/src/index.ts", 0);
  expect(paths({ inputs: ["src/**"] })).toMatchObject({
    code: "input-unreadable",
    message: "packages/a/src/index.ts, an input of a#build, cannot be read (EACCES)",
  });
  fs.chmod("/w/packages/a/src/deep", 0);
  expect(paths({ inputs: ["src/deep/**"] })).toMatchObject({ code: "input-unreadable" });
});

test("an input that is the task's own output is an error, another task's output is not", () => {
  const { paths } = setUp({ ...TREE, "w/packages/a/dist/x.ts": "" });
  expect(paths({ inputs: ["**/*.ts"], outputs: ["dist/**"] })).toMatchObject({
    code: "input-is-output",
    message: "packages/a/dist/x.ts is both an input and an output of a#build",
  });
  expect(paths({ inputs: ["dist/**"], outputs: [] })).toEqual(["packages/a/dist/x.ts"]);
  expect(paths({ inputs: ["**/*.ts", "!dist/**"], outputs: ["dist/**"] })).toHaveLength(3);
});

test("a global input that the task itself makes is left out of its own inputs alone", () => {
  const { paths } = setUp({ ...TREE, "w/packages/a/made": "" });
  const globalInputs = ["packages/*/made"];
  expect(paths({ inputs: ["src/index.ts"], outputs: ["made"] }, { globalInputs })).toEqual(["packages/a/src/index.ts"]);
  expect(paths({ inputs: ["src/index.ts"] }, { globalInputs })).toEqual(["packages/a/made", "packages/a/src/index.ts"]);
});

// Goal: pruning (roots, depths, whole trees) never changes what a glob finds. Method: random globs over a fixed tree,
// compared with picomatch asked for every file.
test("a walk finds exactly the files that the glob matches", () => {
  const names = ["a", "b.ts", "c.js", "d/a", "d/b.ts", "d/e/a", "d/e/f/b.ts", "g/d/c.js", ".x/b.ts"];
  const { paths } = setUp(Object.fromEntries(names.map((name) => [`w/packages/a/${name}`, ""])));
  const segment = fc.constantFrom("*", "**", "a", "d", "e", "*.ts", "{a,b.ts}", "[bc]*", "?", ".x", "!(a)", "{d,g}/*");
  const glob = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"));
  // At the start, an exclamation mark excludes.
  const including = glob.filter((each) => !each.startsWith("!"));
  fc.assert(
    fc.property(including, glob, (wanted, unwanted) => {
      const literal = (pattern: string) => !/[*?[\]{}()!]/.test(pattern);
      const rootOf = (pattern: string) => {
        const segments = pattern.split("/");
        return segments
          .slice(
            0,
            segments.findIndex((each) => !literal(each)),
          )
          .join("/");
      };
      const matches = (pattern: string, path: string) =>
        literal(pattern)
          ? path === pattern || path.startsWith(`${pattern}/`)
          : // To picomatch, `a/**` is also `a` itself; to us it is what lies below.
            path.length > rootOf(pattern).length && picomatch.makeRe(pattern, { dot: true, nonegate: true }).test(path);
      const expected = names.filter((name) => matches(wanted, name) && !matches(unwanted, name));
      expect(paths({ inputs: [wanted, `!${unwanted}`] })).toEqual(expected.map((name) => `packages/a/${name}`).sort());
    }),
    { numRuns: 500 * SCALE },
  );
});
