import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GIT_SETUP, gitContract } from "@kahn/testing/contract";
import { afterAll, beforeAll, test } from "vitest";
import { nodeGit } from "./git.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";

let directory: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-git-")));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const env = () => ({ PATH, HOME: directory, GIT_CONFIG_NOSYSTEM: "1" });
const git = () => nodeGit({ env: env() });

/** Runs a script in a fresh directory, which is returned. */
function repository(script: string): string {
  const parent = mkdtempSync(join(directory, "repository-"));
  const root = join(parent, "root");
  mkdirSync(root);
  const identity = { GIT_AUTHOR_NAME: "K", GIT_AUTHOR_EMAIL: "k@example.org" };
  const committer = { GIT_COMMITTER_NAME: "K", GIT_COMMITTER_EMAIL: "k@example.org" };
  execFileSync("sh", ["-e", "-c", script], {
    cwd: root,
    env: { ...env(), ...identity, ...committer },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return root;
}

const cases = gitContract(() => {
  const root = repository(GIT_SETUP);
  return { git: git(), root, linked: join(root, "../linked"), outside: mkdtempSync(join(directory, "outside-")) };
});
for (const { name, run } of cases) test(`git: ${name}`, run);

test("names with spaces, newlines, quotes and letters of any script come as they are", () => {
  const names = ['a "b".txt', "line\nbreak", "tab\there", "ünïcödé/日本", " lead", "-dash", "[x]*"];
  const root = repository("git init -q");
  for (const [index, name] of names.entries()) {
    if (name.includes("/")) mkdirSync(join(root, "ünïcödé"));
    writeFileSync(join(root, name), "");
    if (index % 2 === 0) execFileSync("git", ["add", "--", `:(literal)${name}`], { cwd: root, env: env() });
  }
  assert.deepEqual(git().listFiles(root), [...names].sort());
  execFileSync("git", ["-c", "user.name=K", "-c", "user.email=k@e", "commit", "-qm", "x"], { cwd: root, env: env() });
  for (const name of names) writeFileSync(join(root, name), "changed");
  assert.deepEqual(git().changedFiles(root, "HEAD"), [...names].sort());
});

test("a repository without a commit lists its files and knows no base but one fetched", () => {
  const root = repository("git init -q; echo a >a; git add a; echo b >b");
  assert.deepEqual(git().listFiles(root), ["a", "b"]);
  assert.equal(git().changedFiles(root, "HEAD"), "unknown-base");
  assert.equal(git().mainWorkTreeRoot(root), root);
  const orphan = repository(
    "git init -q; echo a >a; echo c >c; git add .; git commit -qm x; git branch old; git checkout -q --orphan new; echo b >b; rm c",
  );
  assert.deepEqual(git().changedFiles(orphan, "old"), ["a", "b", "c"]);
});

test("without git every answer is undefined", () => {
  const root = repository("git init -q; echo a >a");
  const none = nodeGit({ env: { PATH: directory } });
  assert.deepEqual(
    [none.workTreeRoot(root), none.mainWorkTreeRoot(root), none.listFiles(root), none.changedFiles(root, "HEAD")],
    [undefined, undefined, undefined, undefined],
  );
});

test("a bare repository and the inside of .git have no work tree", () => {
  const root = repository("git init -q; git init -q --bare bare; echo a >a; git add a; git commit -qm x");
  for (const place of [join(root, "bare"), join(root, ".git")]) {
    assert.equal(git().workTreeRoot(place), undefined);
    assert.equal(git().mainWorkTreeRoot(place), undefined);
    assert.equal(git().listFiles(place), undefined);
    assert.equal(git().changedFiles(place, "HEAD"), undefined);
  }
});

test("a work tree linked to a bare repository stands for itself", () => {
  const root = repository(
    "git init -q; echo a >a; git add a; git commit -qm x; git clone -q --bare . ../bare; git -C ../bare worktree add -q ../linked HEAD",
  );
  const linked = join(root, "../linked");
  assert.equal(git().workTreeRoot(linked), linked);
  assert.equal(git().mainWorkTreeRoot(linked), linked);
});

test("a submodule's files are listed, its change is one path, and it is a repository of its own", () => {
  const root = repository(`
    git init -q ../sub; (cd ../sub; echo s >s; mkdir d; echo t >d/t; git add .; git commit -qm s)
    git init -q; echo a >a; git add a
    git -c protocol.file.allow=always submodule --quiet add ../sub modules/sub
    git commit -qm x; echo new >modules/sub/new`);
  assert.deepEqual(git().listFiles(root), [".gitmodules", "a", "modules/sub/d/t", "modules/sub/new", "modules/sub/s"]);
  assert.deepEqual(git().changedFiles(root, "HEAD"), ["modules/sub"]);
  assert.equal(git().workTreeRoot(join(root, "modules/sub/d")), join(root, "modules/sub"));
  assert.equal(git().mainWorkTreeRoot(join(root, "modules/sub/d")), join(root, "modules/sub"));
  execFileSync("git", ["submodule", "--quiet", "deinit", "-f", "modules/sub"], { cwd: root, env: env() });
  assert.deepEqual(git().listFiles(root), [".gitmodules", "a"]);
});

test("a linked work tree of a submodule leads to the submodule", () => {
  const root = repository(`
    git init -q ../sub; (cd ../sub; echo s >s; git add .; git commit -qm s)
    git init -q; git -c protocol.file.allow=always submodule --quiet add ../sub sub; git commit -qm x
    git -C sub worktree add -q ../../linked HEAD`);
  assert.equal(git().mainWorkTreeRoot(join(root, "../linked")), join(root, "sub"));
});

test("a repository that merely lies inside is not listed", () => {
  const root = repository("git init -q; echo a >a; git init -q other; echo b >other/b");
  assert.deepEqual(git().listFiles(root), ["a"]);
});

test("what a sparse checkout leaves out is not listed", () => {
  const root = repository(
    "git init -q; mkdir in out; echo a >in/a; echo b >out/b; git add .; git commit -qm x; git sparse-checkout set in >/dev/null 2>&1",
  );
  assert.deepEqual(git().listFiles(root), ["in/a"]);
});

test("the variables that git sets in a hook do not mislead it", () => {
  const root = repository("git init -q; echo a >a; git add a; git commit -qm x");
  const inHook = nodeGit({
    env: { ...env(), GIT_DIR: "/nowhere/.git", GIT_INDEX_FILE: "/nowhere/index", GIT_PREFIX: "x/" },
  });
  assert.deepEqual(inHook.listFiles(root), ["a"]);
  assert.equal(inHook.workTreeRoot(root), root);
});

// Goal: a question changes nothing and runs nothing. Method: a configuration that would run programs at every turn,
// an index whose entry is stale, and a look at both afterwards.
test("a question neither refreshes the index nor runs what the configuration names", () => {
  const root = repository("git init -q; echo a >a; git add a; git commit -qm x; echo '* diff=evil' >.gitattributes");
  const mark = join(root, "../ran");
  const settings = {
    "diff.external": `touch ${mark}`,
    "diff.evil.textconv": `touch ${mark};cat`,
    "core.pager": `touch ${mark}`,
    "core.fsmonitor": `touch ${mark}`,
    "diff.noprefix": "true",
    "diff.relative": "false",
    "diff.renames": "copies",
    "core.quotepath": "true",
  };
  for (const [name, value] of Object.entries(settings))
    execFileSync("git", ["config", name, value], { cwd: root, env: env() });
  utimesSync(join(root, "a"), 1000, 1000);
  const index = join(root, ".git/index");
  const before = [readFileSync(index), statSync(index).mtimeMs] as const;
  assert.deepEqual(git().changedFiles(root, "HEAD"), [".gitattributes"]);
  assert.deepEqual(git().listFiles(root), [".gitattributes", "a"]);
  assert.deepEqual([readFileSync(index), statSync(index).mtimeMs], before);
  assert.equal(statSync(mark, { throwIfNoEntry: false }), undefined);
});
