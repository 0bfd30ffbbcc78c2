/** Cases of `FileSystem`: names, links, copies and removal. */
import assert from "node:assert/strict";
import type { FileSystemSubject } from "./file-system-subject.ts";
import { assertRefused, textAt } from "./file-system-subject.ts";

/** Sentences with experiments; each starts with an empty directory. */
export const NAMES: Readonly<Record<string, (subject: FileSystemSubject) => void | Promise<void>>> = {
  "makeDirectory creates parents, and has no effect when there is one": ({ fs, root }) => {
    fs.makeDirectory(`${root}/a/b/c`);
    fs.writeFile(`${root}/a/b/c/file`, "kept");
    fs.makeDirectory(`${root}/a/b/c`);
    fs.makeDirectory(`${root}/a`);
    fs.symlink("a", `${root}/link`);
    fs.makeDirectory(`${root}/link`);
    fs.makeDirectory(`${root}/link/d`);
    assert.equal(textAt(fs, `${root}/a/b/c/file`), "kept");
    assert.equal(fs.lstat(`${root}/a/d`)!.kind, "directory");
  },
  "makeDirectory refuses a name or a parent that is a file": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "");
    assertRefused("EEXIST", () => fs.makeDirectory(`${root}/file`));
    assertRefused("ENOTDIR", () => fs.makeDirectory(`${root}/file/below`));
  },
  "rename moves files, directories and symlinks, inode and all": ({ fs, root }) => {
    fs.makeDirectory(`${root}/d`);
    fs.writeFile(`${root}/d/file`, "x");
    fs.symlink("nowhere", `${root}/link`);
    const { ino } = fs.lstat(`${root}/d/file`)!;
    fs.rename(`${root}/d`, `${root}/e`);
    fs.rename(`${root}/link`, `${root}/e/link`);
    assert.equal(fs.lstat(`${root}/d`), undefined);
    assert.equal(fs.lstat(`${root}/e/file`)!.ino, ino);
    assert.equal(fs.readLink(`${root}/e/link`), "nowhere");
  },
  "rename replaces a file or an empty directory, and leaves other names of the old file": ({ fs, root }) => {
    fs.writeFile(`${root}/old`, "old");
    fs.link(`${root}/old`, `${root}/other`);
    fs.writeFile(`${root}/new`, "new");
    fs.rename(`${root}/new`, `${root}/old`);
    assert.deepEqual([textAt(fs, `${root}/old`), textAt(fs, `${root}/other`)], ["new", "old"]);
    assert.equal(fs.lstat(`${root}/other`)!.nlink, 1);
    fs.makeDirectory(`${root}/full`);
    fs.writeFile(`${root}/full/file`, "");
    fs.makeDirectory(`${root}/empty`);
    fs.rename(`${root}/full`, `${root}/empty`);
    assert.equal(textAt(fs, `${root}/empty/file`), "");
  },
  "rename refuses what does not fit, and changes nothing": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "");
    fs.makeDirectory(`${root}/d/sub`);
    fs.makeDirectory(`${root}/e`);
    assertRefused("ENOENT", () => fs.rename(`${root}/none`, `${root}/x`));
    assertRefused("ENOENT", () => fs.rename(`${root}/file`, `${root}/none/x`));
    assertRefused(["ENOTEMPTY", "EEXIST"], () => fs.rename(`${root}/e`, `${root}/d`));
    assertRefused("EISDIR", () => fs.rename(`${root}/file`, `${root}/e`));
    assertRefused("ENOTDIR", () => fs.rename(`${root}/e`, `${root}/file`));
    assertRefused("EINVAL", () => fs.rename(`${root}/d`, `${root}/d/sub/d`));
    assert.deepEqual(
      fs
        .readDirectory(root)!
        .map(({ name }) => name)
        .sort(),
      ["d", "e", "file"],
    );
  },
  "renaming one name of a file to another of the same file does nothing": ({ fs, root }) => {
    fs.writeFile(`${root}/a`, "x");
    fs.link(`${root}/a`, `${root}/b`);
    fs.rename(`${root}/a`, `${root}/b`);
    assert.deepEqual([textAt(fs, `${root}/a`), textAt(fs, `${root}/b`)], ["x", "x"]);
  },
  "a hard link shares inode, contents, mode and times, and counts": async ({ fs, root, tick }) => {
    fs.writeFile(`${root}/a`, "x", { mode: 0o644 });
    const before = fs.lstat(`${root}/a`)!;
    await tick?.();
    fs.link(`${root}/a`, `${root}/b`);
    const [a, b] = fs.statMany([`${root}/a`, `${root}/b`]);
    assert.deepEqual(a, b);
    assert.deepEqual([a!.ino, a!.nlink, a!.mtimeMs], [before.ino, 2, before.mtimeMs]);
    assert.ok(a!.ctimeMs > before.ctimeMs, "a link changes ctime");
    fs.chmod(`${root}/b`, 0o600);
    assert.equal(fs.lstat(`${root}/a`)!.mode, 0o600);
    fs.remove(`${root}/a`);
    assert.equal(fs.lstat(`${root}/b`)!.nlink, 1);
    assert.equal(textAt(fs, `${root}/b`), "x");
  },
  "link refuses a name that is taken, a missing source and a directory": ({ fs, root }) => {
    fs.writeFile(`${root}/a`, "a");
    fs.writeFile(`${root}/b`, "b");
    fs.makeDirectory(`${root}/d`);
    assertRefused("EEXIST", () => fs.link(`${root}/a`, `${root}/b`));
    assertRefused("ENOENT", () => fs.link(`${root}/none`, `${root}/c`));
    assertRefused("EPERM", () => fs.link(`${root}/d`, `${root}/c`));
    assert.equal(textAt(fs, `${root}/b`), "b");
  },
  "linkMany links in order and stops at the first refusal": ({ fs, root }) => {
    fs.writeFile(`${root}/a`, "a");
    const requests = ["x", "x", "y"].map((name) => ({ from: `${root}/a`, to: `${root}/${name}` }));
    assertRefused("EEXIST", () => fs.linkMany(requests));
    assert.equal(fs.lstat(`${root}/x`)!.nlink, 2);
    assert.equal(fs.lstat(`${root}/y`), undefined);
  },
  "neither links nor renames cross devices": ({ fs, root, otherDevice }) => {
    if (otherDevice === undefined) return;
    fs.writeFile(`${root}/a`, "a");
    assertRefused("EXDEV", () => fs.link(`${root}/a`, `${otherDevice}/a`));
    assertRefused("EXDEV", () => fs.rename(`${root}/a`, `${otherDevice}/a`));
    fs.copyFile({ from: `${root}/a`, to: `${otherDevice}/a`, mode: 0o644 });
    assert.equal(textAt(fs, `${otherDevice}/a`), "a");
    fs.remove(`${otherDevice}/a`);
  },
  "symlink refuses a name that is taken, and takes any target": ({ fs, root }) => {
    fs.symlink("does/not/exist", `${root}/link`);
    assertRefused("EEXIST", () => fs.symlink("other", `${root}/link`));
    assert.equal(fs.readLink(`${root}/link`), "does/not/exist");
  },
  "copyFile makes a new inode with exactly the mode asked for": ({ fs, root }) => {
    fs.writeFile(`${root}/from`, "contents", { mode: 0o444 });
    fs.copyFile({ from: `${root}/from`, to: `${root}/to`, mode: 0o755 });
    const [from, to] = fs.statMany([`${root}/from`, `${root}/to`]);
    assert.equal(textAt(fs, `${root}/to`), "contents");
    assert.deepEqual([to!.mode, to!.nlink, from!.nlink], [0o755, 1, 1]);
    assert.notEqual(to!.ino, from!.ino);
    fs.copyFile({ from: `${root}/from`, to: `${root}/read-only`, mode: 0o444 });
    fs.copyFile({ from: `${root}/to`, to: `${root}/read-only`, mode: 0o666 });
    assert.equal(fs.lstat(`${root}/read-only`)!.mode, 0o666);
  },
  "copyFile replaces the name: other names of the old file and a symlink's target stay": ({ fs, root }) => {
    fs.writeFile(`${root}/from`, "new");
    fs.writeFile(`${root}/stored`, "old");
    fs.link(`${root}/stored`, `${root}/hard`);
    fs.symlink("stored", `${root}/soft`);
    fs.copyFile({ from: `${root}/from`, to: `${root}/hard`, mode: 0o644 });
    fs.copyFile({ from: `${root}/from`, to: `${root}/soft`, mode: 0o644 });
    assert.equal(textAt(fs, `${root}/stored`), "old");
    assert.equal(fs.lstat(`${root}/stored`)!.nlink, 1);
    assert.deepEqual([textAt(fs, `${root}/hard`), textAt(fs, `${root}/soft`)], ["new", "new"]);
    assert.equal(fs.lstat(`${root}/soft`)!.kind, "file");
  },
  "copyMany copies in order, small and large, and stops at the first refusal": ({ fs, root }) => {
    const large = Buffer.alloc(2_500_000, "copy");
    fs.writeFile(`${root}/large`, large);
    fs.writeFile(`${root}/empty`, "");
    const copy = (from: string, to: string) => ({ from: `${root}/${from}`, to: `${root}/${to}`, mode: 0o644 });
    assertRefused("ENOENT", () =>
      fs.copyMany([copy("large", "a"), copy("empty", "b"), copy("none", "c"), copy("large", "d")]),
    );
    assert.ok(Buffer.from(fs.readFile(`${root}/a`)!).equals(large));
    assert.equal(textAt(fs, `${root}/b`), "");
    assert.deepEqual(fs.statMany([`${root}/c`, `${root}/d`]), [undefined, undefined]);
  },
  "remove takes away a file, a symlink itself or an empty directory, and tells whether there was one": ({
    fs,
    root,
  }) => {
    fs.writeFile(`${root}/file`, "kept");
    fs.symlink("file", `${root}/link`);
    fs.makeDirectory(`${root}/d`);
    assert.equal(fs.remove(`${root}/link`), true);
    assert.equal(textAt(fs, `${root}/file`), "kept");
    assert.equal(fs.remove(`${root}/d`), true);
    assert.equal(fs.remove(`${root}/file`), true);
    assert.equal(fs.remove(`${root}/file`), false);
    assert.equal(fs.remove(`${root}/none/below`), false);
    assert.deepEqual(fs.readDirectory(root), []);
  },
  "remove refuses a directory that is not empty": ({ fs, root }) => {
    fs.makeDirectory(`${root}/d/e`);
    assertRefused("ENOTEMPTY", () => fs.remove(`${root}/d`));
    assert.equal(fs.lstat(`${root}/d/e`)!.kind, "directory");
  },
  "removeTree removes everything below, follows no symlink, and has no effect on what is not there": ({ fs, root }) => {
    fs.makeDirectory(`${root}/kept`);
    fs.writeFile(`${root}/kept/file`, "kept");
    fs.makeDirectory(`${root}/d/e/f`);
    fs.writeFile(`${root}/d/e/file`, "", { mode: 0o444 });
    fs.symlink("../kept", `${root}/d/link`);
    fs.symlink("kept", `${root}/link`);
    fs.writeFile(`${root}/file`, "");
    for (const name of ["d", "link", "file", "none", "kept/file/below"]) fs.removeTree(`${root}/${name}`);
    assert.deepEqual(fs.readDirectory(root), [{ name: "kept", kind: "directory" }]);
    assert.equal(textAt(fs, `${root}/kept/file`), "kept");
  },
  "removeTree takes the permissions that directories in the tree withhold": ({ fs, root }) => {
    fs.makeDirectory(`${root}/d/e/f`);
    fs.writeFile(`${root}/d/e/f/file`, "");
    fs.chmod(`${root}/d/e/f`, 0);
    fs.chmod(`${root}/d/e`, 0o444);
    fs.chmod(`${root}/d`, 0o555);
    fs.removeTree(`${root}/d`);
    assert.deepEqual(fs.readDirectory(root), []);
  },
};
