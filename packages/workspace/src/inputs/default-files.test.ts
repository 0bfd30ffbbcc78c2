import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileSystem, Git } from "@kahn/core";
import { nodeClock, nodeFileSystem } from "@kahn/system";
import { type FileTree, memoryFileSystem, virtualClock, writeTree } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Project, WorkspaceModel } from "../model.ts";
import { openFileStates } from "../states/index.ts";
import { project, task, workspace } from "../testing-model.ts";
import { DefaultFiles } from "./default-files.ts";
import { OutputMask } from "./output-mask.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);

const GIT_ENV = { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };

function git(root: string, ...args: string[]): string {
  return execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
    cwd: root,
    env: GIT_ENV,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function listFiles(root: string): string[] {
  const listed = git(root, "ls-files", "-z", "-c", "-o", "--exclude-standard").split("\0").filter(Boolean);
  const fs = nodeFileSystem();
  return [...new Set(listed)].filter((path) => fs.lstat(join(root, path)) !== undefined).sort();
}

/** What git lists, less what Kahn keeps in `.kahn`. */
function listedByGit(root: string): string[] {
  return listFiles(root).filter((path) => !path.startsWith(".kahn/"));
}

/** A real repository in a temporary folder, gone when `use` returns. */
function inRepository(tree: FileTree, use: (root: string, fs: FileSystem) => void): void {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "kahn-default-files-")));
  try {
    const fs = nodeFileSystem();
    git(root, "init", "-q");
    writeTree(fs, root, tree);
    use(root, fs);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Counts its questions. */
function countingGit(): Git & { readonly asked: () => number } {
  let asked = 0;
  return {
    workTreeRoot: (directory) => directory,
    mainWorkTreeRoot: (directory) => directory,
    listFiles: (directory) => {
      asked++;
      return listFiles(directory);
    },
    changedFiles: () => undefined,
    asked: () => asked,
  };
}

function defaultsOf(
  fs: FileSystem,
  model: WorkspaceModel,
  ports: { readonly git?: Git; readonly project?: Project } = {},
): string[] {
  const clock = model.root === "/w" ? virtualClock() : nodeClock();
  const states = openFileStates({ fs, clock, indexPath: `${model.root}/.kahn/state/files`, workspaceRoot: model.root });
  const defaults = new DefaultFiles({
    model,
    states,
    fs,
    git: ports.git,
    env: { HOME: "/nonexistent" },
    outputs: new OutputMask(model),
  });
  const { paths, ids } = defaults.of(ports.project ?? model.projects[0]!);
  states.look(ids, paths);
  states.save();
  return paths.filter((path, index) => states.inputAt(ids[index]!, path) !== undefined).sort();
}

const ROOT = project("//", "");

test("with git, the default inputs are what git tracks or would add", () => {
  const tree = {
    ".gitignore": "*.log\n/private/\n!keep.log\n",
    "package.json": "{}",
    "a.log": "",
    "keep.log": "",
    "private/x": "",
    "sub/private/x": "",
    "sub/.gitignore": "!a.log\nlocal\n",
    "sub/a.log": "",
    "sub/local": "",
    "sub/deep/local": "",
    link: "-> package.json",
    ".env": "",
  };
  inRepository(tree, (root, fs) => {
    expect(defaultsOf(fs, workspace(root, [ROOT]))).toEqual(listedByGit(root));
  });
});

test("a file that is tracked though ignored is an input, and one that is staged but deleted is not", () => {
  inRepository({ ".gitignore": "gen/\n", "package.json": "{}", "gen/a": "", "gen/b": "", gone: "" }, (root, fs) => {
    git(root, "add", "-f", "gen/a", "gone");
    fs.remove(`${root}/gone`);
    const asked = countingGit();
    const model = workspace(root, [ROOT]);
    expect(defaultsOf(fs, model, { git: asked })).toEqual([".gitignore", "gen/a", "package.json"]);
    expect(asked.asked()).toBe(1);
    git(root, "rm", "-q", "--cached", "gen/a");
    expect(defaultsOf(fs, model, { git: asked })).toEqual([".gitignore", "package.json"]);
    expect(asked.asked()).toBe(2);
  });
});

test("git is not asked again when neither its index nor a rule changed, whatever files come and go", () => {
  inRepository({ ".gitignore": "*.log\n", "package.json": "{}", "src/a": "" }, (root, fs) => {
    git(root, "add", "-A");
    const asked = countingGit();
    const model = workspace(root, [ROOT]);
    defaultsOf(fs, model, { git: asked });
    writeTree(fs, root, { "src/new": "", "src/x.log": "", "other/y": "" });
    expect(defaultsOf(fs, model, { git: asked })).toEqual([
      ".gitignore",
      "other/y",
      "package.json",
      "src/a",
      "src/new",
    ]);
    expect(asked.asked()).toBe(1);
    writeTree(fs, root, { "src/.gitignore": "new\n" });
    fs.writeFile(`${root}/.gitignore`, "*.log\nother\n");
    expect(defaultsOf(fs, model, { git: asked })).toEqual([".gitignore", "package.json", "src/.gitignore", "src/a"]);
    expect(asked.asked()).toBe(2);
  });
});

test("rules of the repository above the workspace and of info/exclude count", () => {
  inRepository(
    {
      ".gitignore": "*.tmp\n",
      ".git/info/exclude": "secret\n",
      "ws/package.json": "{}",
      "ws/a.tmp": "",
      "ws/secret": "",
      "ws/b": "",
    },
    (root, fs) => {
      expect(defaultsOf(fs, workspace(join(root, "ws"), [ROOT]))).toEqual(["b", "package.json"]);
    },
  );
});

test("a workspace that its repository ignores is treated as one without git", () => {
  inRepository({ ".gitignore": "ws\n", "ws/package.json": "{}", "ws/a": "", "ws/node_modules/x": "" }, (root, fs) => {
    expect(defaultsOf(fs, workspace(join(root, "ws"), [ROOT]))).toEqual(["a", "package.json"]);
  });
});

test("a repository within the repository counts file by file", () => {
  inRepository({ "package.json": "{}", "inner/a": "" }, (root, fs) => {
    git(join(root, "inner"), "init", "-q");
    expect(defaultsOf(fs, workspace(root, [ROOT]), { git: countingGit() })).toEqual(["inner/a", "package.json"]);
  });
});

// Goal: our reading of ignore files is git's. Method: random rules in three nested files over a fixed tree with awkward
// names, compared with `git ls-files`.
test("ignore files mean what they mean to git", () => {
  const names = ["a", "b", "ab", "a.log", "b.log", "#x", "!x", "x y", "dir", "-", "[z]", "a\\b"];
  const tree: Record<string, string> = { "package.json": "{}" };
  for (const folder of ["", "dir/", "dir/sub/", "other/", "other/dir/"]) {
    for (const name of names) if (!tree[`${folder}${name}/`] && name !== "dir") tree[`${folder}${name}`] = "";
  }
  const piece = fc.constantFrom(
    ..."a b ab * ** ? [ab] [!a] [^b] [a-c] [z] \\* dir sub other .log *.log / **/ /** / ! # \\# \\! - x".split(" "),
    " ",
    "\\ ",
    "[[:alpha:]]",
    "[]a]",
    "[",
    "\\",
  );
  const line = fc.tuple(
    fc.constantFrom("", "", "!"),
    fc.array(piece, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("", "", "/"),
  );
  const file = fc.array(
    line.map(([bang, pieces, end]) => bang + pieces.join("") + end),
    { maxLength: 4 },
  );
  inRepository(tree, (root, fs) => {
    fc.assert(
      fc.property(file, file, file, (top, dir, sub) => {
        fs.writeFile(`${root}/.gitignore`, top.join("\n"));
        fs.writeFile(`${root}/dir/.gitignore`, dir.join("\n"));
        fs.writeFile(`${root}/dir/sub/.gitignore`, sub.join("\r\n"));
        fs.removeTree(`${root}/.kahn`);
        const ours = defaultsOf(fs, workspace(root, [ROOT]));
        const theirs = [...new Set([...listedByGit(root), "package.json"])];
        expect(ours).toEqual(theirs.sort());
      }),
      { numRuns: 30 * SCALE },
    );
  });
});

test("without git, folders of tools and node_modules are left out", () => {
  const fs = memoryFileSystem({
    files: {
      "w/package.json": "{}",
      "w/src/a": "",
      "w/node_modules/x/index.js": "",
      "w/.turbo/log": "",
      "w/.cache/x": "",
      "w/.github/ci.yml": "",
      "w/.gitignore": "src\n",
    },
  });
  expect(defaultsOf(fs, workspace("/w", [ROOT]))).toEqual([".github/ci.yml", ".gitignore", "package.json", "src/a"]);
});

test("declared outputs of every task and folders of other projects are no default inputs", () => {
  const fs = memoryFileSystem({
    files: {
      "w/package.json": "{}",
      "w/top.txt": "",
      "w/packages/a/package.json": "{}",
      "w/packages/a/src/x": "",
      "w/packages/a/dist/x": "",
      "w/packages/a/gen/keep.ts": "",
      "w/packages/a/gen/made.js": "",
      "w/packages/a/report.xml": "",
      "w/packages/a/inner/package.json": "{}",
      "w/packages/a/inner/y": "",
    },
  });
  const a = project("a", "packages/a");
  const inner = project("inner", "packages/a/inner");
  const model = workspace("/w", [ROOT, a, inner], {
    tasks: [
      task(a, "build", { outputs: ["dist/**", "gen/*.js"] }),
      task(a, "test", { outputs: ["/packages/a/report.xml"] }),
    ],
  });
  expect(defaultsOf(fs, model)).toEqual(["package.json", "top.txt"]);
  expect(defaultsOf(fs, model, { project: a })).toEqual([
    "packages/a/gen/keep.ts",
    "packages/a/package.json",
    "packages/a/src/x",
  ]);
  expect(defaultsOf(fs, model, { project: inner })).toEqual(["packages/a/inner/package.json", "packages/a/inner/y"]);
});
