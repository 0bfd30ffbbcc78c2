/** The contract of `Git`, over one repository that `GIT_SETUP` makes, or a fake one that `fakeRepository` describes. */
import assert from "node:assert/strict";
import type { Git } from "@kahn/core";
import type { FakeRepository } from "../fake-git.ts";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** A git under test, with the repository of `GIT_SETUP`. */
export interface GitSubject extends ContractSubject {
  readonly git: Git;
  /** Real, absolute path of the repository's work tree. */
  readonly root: string;
  /** A directory that belongs to no repository. */
  readonly outside: string;
  /** Real, absolute path of a linked work tree, where there is one: `git worktree add`. */
  readonly linked?: string;
}

/**
 * Makes the repository: run it with `sh -e` in the empty directory that becomes the root, with a HOME of no account.
 * The linked work tree is `../linked`, seen from the root.
 */
export const GIT_SETUP = `
git init -q
git symbolic-ref HEAD refs/heads/trunk
git config user.name Kahn && git config user.email kahn@example.org && git config commit.gpgsign false
mkdir -p dir/deep
for file in a.txt dir/b.txt dir/deep/c.txt gone.txt kept.txt staged.txt; do echo "$file" > "$file"; done
echo '*.log' > .gitignore
git add . && git commit -q -m first
git branch topic
echo later > trunk-only.txt && git add . && git commit -q -m later
git checkout -q topic
echo changed > a.txt && echo new > committed.txt && git add . && git commit -q -m topic
echo staged > staged.txt && git add staged.txt
echo unstaged > dir/b.txt
echo untracked > 'dir/ü b.txt'
echo ignored > dir/ignored.log
rm gone.txt
git worktree add -q ../linked trunk
`;

const LISTED = [
  ".gitignore",
  "a.txt",
  "committed.txt",
  "dir/b.txt",
  "dir/deep/c.txt",
  "dir/ü b.txt",
  "kept.txt",
  "staged.txt",
];
const CHANGED = ["a.txt", "committed.txt", "dir/b.txt", "dir/ü b.txt", "gone.txt", "staged.txt"];

/** The same repository for `fakeGit`. */
export function contractRepository(root: string): FakeRepository {
  return { workTree: root, files: LISTED, changes: { trunk: CHANGED, HEAD: CHANGED.slice(2) } };
}

/** The cases for a git. */
export function gitContract(make: MakeSubject<GitSubject>): readonly ContractCase[] {
  return contractCases<GitSubject>(make, {
    "the root of the work tree is found from any directory of it": ({ git, root }) => {
      for (const directory of [root, `${root}/dir`, `${root}/dir/deep`]) {
        assert.equal(git.workTreeRoot(directory), root);
        assert.equal(git.mainWorkTreeRoot(directory), root);
      }
    },
    "a linked work tree has a root of its own and leads to the main one": ({ git, root, linked }) => {
      if (linked === undefined) return;
      assert.equal(git.workTreeRoot(linked), linked);
      assert.equal(git.mainWorkTreeRoot(`${linked}/dir`), root);
    },
    "outside any repository every answer is undefined": ({ git, outside }) => {
      assert.equal(git.workTreeRoot(outside), undefined);
      assert.equal(git.mainWorkTreeRoot(outside), undefined);
      assert.equal(git.listFiles(outside), undefined);
      assert.equal(git.changedFiles(outside, "trunk"), undefined);
    },
    "files are those tracked or untracked, neither ignored nor deleted, sorted": ({ git, root }) => {
      assert.deepEqual(git.listFiles(root), LISTED);
    },
    "files are relative to the directory asked about": ({ git, root }) => {
      assert.deepEqual(git.listFiles(`${root}/dir`), ["b.txt", "deep/c.txt", "ü b.txt"]);
      assert.deepEqual(git.listFiles(`${root}/dir/deep`), ["c.txt"]);
    },
    "changes count from the merge base: committed, staged, unstaged, untracked and deleted": ({ git, root }) => {
      assert.deepEqual(git.changedFiles(root, "trunk"), CHANGED);
    },
    "changes since HEAD leave out what is committed": ({ git, root }) => {
      assert.deepEqual(git.changedFiles(root, "HEAD"), CHANGED.slice(2));
    },
    "changes are relative to the directory asked about, and only those below it": ({ git, root }) => {
      assert.deepEqual(git.changedFiles(`${root}/dir`, "trunk"), ["b.txt", "ü b.txt"]);
      assert.deepEqual(git.changedFiles(`${root}/dir/deep`, "trunk"), []);
    },
    "a base that names no commit is an answer of its own": ({ git, root }) => {
      for (const base of ["no-such-branch", "--output=x", ""]) {
        assert.equal(git.changedFiles(root, base), "unknown-base");
      }
    },
  });
}
