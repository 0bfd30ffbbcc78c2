/** Cases of `FileSystem`: what is asked without changing anything. */
import assert from "node:assert/strict";
import { digestOf } from "@kahn/core";
import type { FileSystemSubject } from "./file-system-subject.ts";
import { assertRefused, textAt } from "./file-system-subject.ts";

/** Sentences with experiments; each starts with an empty directory. */
export const READING: Readonly<Record<string, (subject: FileSystemSubject) => void | Promise<void>>> = {
  "lstat tells kind, size, permission bits and names of a file": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "four", { mode: 0o640 });
    const stat = fs.lstat(`${root}/file`)!;
    assert.deepEqual([stat.kind, stat.sizeBytes, stat.mode, stat.nlink], ["file", 4, 0o640, 1]);
    assert.ok(stat.mtimeMs > 0 && stat.ctimeMs > 0 && stat.ino > 0);
    assert.equal(fs.lstat(root)!.kind, "directory");
    assert.equal(fs.lstat(root)!.dev, stat.dev);
  },
  "lstat never follows the last symlink, and follows those before it": ({ fs, root }) => {
    fs.makeDirectory(`${root}/directory`);
    fs.writeFile(`${root}/directory/file`, "x");
    fs.symlink("directory", `${root}/link`);
    fs.symlink("nowhere", `${root}/dangling`);
    assert.equal(fs.lstat(`${root}/link`)!.kind, "symlink");
    assert.equal(fs.lstat(`${root}/link`)!.sizeBytes, "directory".length);
    assert.equal(fs.lstat(`${root}/dangling`)!.kind, "symlink");
    assert.equal(fs.lstat(`${root}/link/file`)!.kind, "file");
  },
  "what is missing, or below a file, is undefined for every question": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "x");
    fs.symlink("nowhere", `${root}/dangling`);
    for (const path of [`${root}/none`, `${root}/none/deeper`, `${root}/file/below`]) {
      assert.equal(fs.lstat(path), undefined);
      assert.equal(fs.readFile(path), undefined);
      assert.equal(fs.readRange(path, 0, 1), undefined);
      assert.equal(fs.readDirectory(path), undefined);
      assert.equal(fs.readLink(path), undefined);
      assert.equal(fs.realPath(path), undefined);
    }
    assert.equal(fs.readFile(`${root}/dangling`), undefined);
    assert.equal(fs.realPath(`${root}/dangling`), undefined);
    assert.equal(fs.readDirectory(`${root}/file`), undefined);
  },
  "statMany answers in order, with undefined for what cannot be reached": ({ fs, root }) => {
    fs.writeFile(`${root}/a`, "a");
    fs.writeFile(`${root}/b`, "bb");
    const sizes = fs.statMany([`${root}/b`, `${root}/none`, `${root}/a/below`, `${root}/a`]);
    assert.deepEqual(
      sizes.map((stat) => stat?.sizeBytes),
      [2, undefined, undefined, 1],
    );
    assert.deepEqual(sizes[3], fs.lstat(`${root}/a`));
    assert.deepEqual(fs.statMany([]), []);
  },
  "hashMany answers in order: file, symlink, absent, not a file": ({ fs, root, makeOther }) => {
    fs.writeFile(`${root}/file`, "bytes");
    fs.writeFile(`${root}/empty`, "");
    fs.symlink("file", `${root}/link`);
    fs.makeDirectory(`${root}/directory`);
    const names = ["link", "file", "none", "directory", "empty", "file/below"];
    const outcomes = fs.hashMany(names.map((name) => `${root}/${name}`));
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["symlink", "file", "absent", "not-a-file", "file", "absent"],
    );
    const [link, file, , , empty] = outcomes;
    assert.ok(link?.kind === "symlink" && link.target === "file");
    assert.ok(file?.kind === "file" && file.digest === digestOf("bytes"));
    assert.deepEqual(file.stat, fs.lstat(`${root}/file`));
    assert.ok(empty?.kind === "file" && empty.digest === digestOf(""));
    if (makeOther === undefined) return;
    makeOther(`${root}/pipe`);
    assert.equal(fs.hashMany([`${root}/pipe`])[0]!.kind, "not-a-file");
    assert.equal(fs.lstat(`${root}/pipe`)!.kind, "other");
  },
  "hashMany uses the function it is given, for small and for large files": ({ fs, root }) => {
    const large = Buffer.alloc(3_000_001, "kahn");
    fs.writeFile(`${root}/small`, "s");
    fs.writeFile(`${root}/large`, large);
    const digests = fs.hashMany([`${root}/small`, `${root}/large`], "sha1");
    assert.ok(digests[0]?.kind === "file" && digests[0].digest === digestOf("s", "sha1"));
    assert.ok(digests[1]?.kind === "file" && digests[1].digest === digestOf(large, "sha1"));
  },
  "hashMany says why a file cannot be read, and goes on": ({ fs, root, privileged }) => {
    if (privileged) return;
    fs.writeFile(`${root}/closed`, "x", { mode: 0 });
    fs.writeFile(`${root}/open`, "x");
    const outcomes = fs.hashMany([`${root}/closed`, `${root}/open`]);
    assert.deepEqual(outcomes[0], { kind: "unreadable", code: "EACCES" });
    assert.equal(outcomes[1]!.kind, "file");
  },
  "readDirectory names everything once with its kind, and follows a symlink to the directory": ({ fs, root }) => {
    fs.makeDirectory(`${root}/d/sub`);
    fs.writeFile(`${root}/d/file`, "");
    fs.writeFile(`${root}/d/.hidden ü`, "");
    fs.symlink("sub", `${root}/d/link`);
    fs.symlink("d", `${root}/to-d`);
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    const expected = [
      { name: ".hidden ü", kind: "file" },
      { name: "file", kind: "file" },
      { name: "link", kind: "symlink" },
      { name: "sub", kind: "directory" },
    ];
    assert.deepEqual(fs.readDirectory(`${root}/d`)!.sort(byName), expected);
    assert.deepEqual(fs.readDirectory(`${root}/to-d`)!.sort(byName), expected);
    assert.deepEqual(fs.readDirectory(`${root}/d/sub`), []);
  },
  "readFile gives whole contents, through symlinks, and refuses a directory": ({ fs, root }) => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    fs.writeFile(`${root}/file`, bytes);
    fs.symlink(`${root}/file`, `${root}/absolute`);
    fs.symlink("absolute", `${root}/twice`);
    assert.ok(Buffer.from(fs.readFile(`${root}/twice`)!).equals(bytes));
    assertRefused("EISDIR", () => fs.readFile(root));
  },
  "what readFile gave does not change with the file": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "before");
    const bytes = fs.readFile(`${root}/file`)!;
    fs.writeFile(`${root}/file`, "after!");
    assert.equal(Buffer.from(bytes).toString(), "before");
  },
  "readRange gives at most what was asked for, and nothing beyond the end": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "0123456789");
    const range = (offset: number, length: number) =>
      Buffer.from(fs.readRange(`${root}/file`, offset, length)!).toString();
    assert.deepEqual([range(0, 3), range(7, 100), range(10, 5), range(50, 5), range(3, 0)], ["012", "789", "", "", ""]);
  },
  "readLink gives the target as it was written, and refuses what is no link": ({ fs, root }) => {
    fs.symlink("../some/./where", `${root}/link`);
    assert.equal(fs.readLink(`${root}/link`), "../some/./where");
    fs.writeFile(`${root}/file`, "");
    assertRefused("EINVAL", () => fs.readLink(`${root}/file`));
  },
  "realPath resolves every symlink and dot": ({ fs, root }) => {
    fs.makeDirectory(`${root}/a/b`);
    fs.writeFile(`${root}/a/b/file`, "");
    fs.symlink("a/b", `${root}/link`);
    assert.equal(fs.realPath(`${root}/link/../b/./file`), `${root}/a/b/file`);
    assert.equal(fs.realPath(root), root);
  },
  "a circle of symlinks is refused": ({ fs, root }) => {
    fs.symlink("two", `${root}/one`);
    fs.symlink("one", `${root}/two`);
    assertRefused("ELOOP", () => fs.readFile(`${root}/one`));
    assert.equal(fs.lstat(`${root}/one`)!.kind, "symlink");
  },
  "what may not be read or searched is refused": ({ fs, root, privileged }) => {
    if (privileged) return;
    fs.makeDirectory(`${root}/closed`);
    fs.writeFile(`${root}/closed/file`, "secret");
    fs.writeFile(`${root}/unreadable`, "secret", { mode: 0o200 });
    fs.chmod(`${root}/closed`, 0);
    try {
      assertRefused("EACCES", () => fs.lstat(`${root}/closed/file`));
      assertRefused("EACCES", () => fs.readDirectory(`${root}/closed`));
      assertRefused("EACCES", () => fs.readFile(`${root}/unreadable`));
    } finally {
      fs.chmod(`${root}/closed`, 0o755);
    }
    assert.equal(textAt(fs, `${root}/closed/file`), "secret");
  },
  "free space is a number of bytes": ({ fs, root }) => {
    const freeBytes = fs.freeBytes(root);
    assert.ok(freeBytes >= 0 && !Number.isNaN(freeBytes));
    assertRefused("ENOENT", () => fs.freeBytes(`${root}/none`));
  },
};
