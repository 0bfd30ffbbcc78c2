/** Cases of `FileSystem`: contents, modes and times. */
import assert from "node:assert/strict";
import type { FileSystemSubject } from "./file-system-subject.ts";
import { assertRefused, textAt } from "./file-system-subject.ts";

const bytesOf = (text: string) => Buffer.from(text);

/** Sentences with experiments; each starts with an empty directory. */
export const WRITING: Readonly<Record<string, (subject: FileSystemSubject) => void | Promise<void>>> = {
  "writeFile creates, and replaces contents under the same inode": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "longer text");
    const before = fs.lstat(`${root}/file`)!;
    fs.writeFile(`${root}/file`, bytesOf("short"));
    assert.equal(textAt(fs, `${root}/file`), "short");
    assert.equal(fs.lstat(`${root}/file`)!.ino, before.ino);
  },
  "writeFile takes text as UTF-8": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "ü€😀");
    assert.equal(fs.lstat(`${root}/file`)!.sizeBytes, 9);
  },
  "writeFile gives exactly the mode it is told, to a file that exists too": ({ fs, root }) => {
    for (const mode of [0o600, 0o755, 0o444, 0o666]) {
      fs.writeFile(`${root}/${mode}`, "x", { mode });
      assert.equal(fs.lstat(`${root}/${mode}`)!.mode, mode);
    }
    fs.writeFile(`${root}/plain`, "x");
    const { mode } = fs.lstat(`${root}/plain`)!;
    fs.writeFile(`${root}/plain`, "y");
    assert.equal(fs.lstat(`${root}/plain`)!.mode, mode);
    fs.writeFile(`${root}/plain`, "z", { mode: 0o700 });
    assert.equal(fs.lstat(`${root}/plain`)!.mode, 0o700);
  },
  "writeFile with `exclusive` refuses a name that is taken, even by a dangling symlink": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "first", { exclusive: true });
    assertRefused("EEXIST", () => fs.writeFile(`${root}/file`, "second", { exclusive: true }));
    assert.equal(textAt(fs, `${root}/file`), "first");
    fs.symlink("nowhere", `${root}/dangling`);
    assertRefused("EEXIST", () => fs.writeFile(`${root}/dangling`, "x", { exclusive: true }));
    assert.equal(fs.lstat(`${root}/nowhere`), undefined);
  },
  "writeFile goes through symlinks and hard links": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "old");
    fs.symlink("file", `${root}/soft`);
    fs.link(`${root}/file`, `${root}/hard`);
    fs.writeFile(`${root}/soft`, "new");
    assert.deepEqual([textAt(fs, `${root}/file`), textAt(fs, `${root}/hard`)], ["new", "new"]);
    assert.equal(fs.lstat(`${root}/soft`)!.kind, "symlink");
  },
  "writing where there is no directory, below a file or onto a directory is refused": ({ fs, root }) => {
    fs.writeFile(`${root}/file`, "");
    assertRefused("ENOENT", () => fs.writeFile(`${root}/none/file`, ""));
    assertRefused("ENOTDIR", () => fs.writeFile(`${root}/file/below`, ""));
    assertRefused("EISDIR", () => fs.writeFile(root, ""));
    assertRefused("ENOENT", () => fs.openAppend(`${root}/none/file`));
    assertRefused("EISDIR", () => fs.openAppend(root));
  },
  "what may not be written is refused": ({ fs, root, privileged }) => {
    if (privileged) return;
    fs.writeFile(`${root}/file`, "kept", { mode: 0o444 });
    assertRefused("EACCES", () => fs.writeFile(`${root}/file`, "lost"));
    fs.makeDirectory(`${root}/closed`);
    fs.writeFile(`${root}/closed/file`, "");
    fs.chmod(`${root}/closed`, 0o555);
    try {
      assertRefused("EACCES", () => fs.writeFile(`${root}/closed/new`, ""));
      assertRefused("EACCES", () => fs.remove(`${root}/closed/file`));
      assertRefused("EACCES", () => fs.rename(`${root}/file`, `${root}/closed/file`));
    } finally {
      fs.chmod(`${root}/closed`, 0o755);
    }
    assert.equal(textAt(fs, `${root}/file`), "kept");
  },
  "an append handle creates the file, adds at the end and tells the new size": ({ fs, root }) => {
    const handle = fs.openAppend(`${root}/log`);
    assert.equal(fs.lstat(`${root}/log`)!.sizeBytes, 0);
    assert.equal(handle.append(bytesOf("one ")), 4);
    assert.equal(handle.append(new Uint8Array(0)), 4);
    assert.equal(handle.append(bytesOf("two")), 7);
    assert.equal(handle.sizeBytes(), 7);
    handle.close();
    const again = fs.openAppend(`${root}/log`);
    assert.equal(again.sizeBytes(), 7);
    assert.equal(again.append(bytesOf("!")), 8);
    again.close();
    assert.equal(textAt(fs, `${root}/log`), "one two!");
  },
  "two handles of one file both add at its end": ({ fs, root }) => {
    const [one, two] = [fs.openAppend(`${root}/log`), fs.openAppend(`${root}/log`)];
    one.append(bytesOf("a"));
    two.append(bytesOf("b"));
    assert.equal(one.append(bytesOf("c")), 3);
    one.close();
    two.close();
    assert.equal(textAt(fs, `${root}/log`), "abc");
  },
  "truncate cuts the file, and appends go on from there": ({ fs, root }) => {
    const handle = fs.openAppend(`${root}/log`);
    handle.append(bytesOf("0123456789"));
    handle.truncate(4);
    assert.equal(handle.sizeBytes(), 4);
    assert.equal(handle.append(bytesOf("x")), 5);
    handle.close();
    assert.equal(textAt(fs, `${root}/log`), "0123x");
  },
  "a handle keeps its file when the name goes elsewhere or away": ({ fs, root }) => {
    const handle = fs.openAppend(`${root}/log`);
    fs.rename(`${root}/log`, `${root}/moved`);
    handle.append(bytesOf("a"));
    assert.equal(textAt(fs, `${root}/moved`), "a");
    fs.remove(`${root}/moved`);
    assert.equal(handle.append(bytesOf("b")), 2);
    handle.close();
    assert.equal(fs.lstat(`${root}/moved`), undefined);
  },
  "a flush resolves and changes nothing that can be read": async ({ fs, root }) => {
    const handle = fs.openAppend(`${root}/log`);
    handle.append(bytesOf("a"));
    await handle.sync();
    const flushing = handle.sync();
    handle.append(bytesOf("b"));
    await flushing;
    handle.syncNow?.();
    handle.close();
    await fs.syncAll(root);
    await fs.syncDirectory(root);
    assert.equal(textAt(fs, `${root}/log`), "ab");
    await assert.rejects(fs.syncDirectory(`${root}/none`), { code: "ENOENT" });
  },
  "appendLater appends as append does, where there is one": async ({ fs, root }) => {
    const handle = fs.openAppend(`${root}/log`);
    handle.append(bytesOf("a"));
    if (handle.appendLater === undefined) handle.append(bytesOf("bc"));
    else await handle.appendLater(bytesOf("bc"));
    assert.equal(handle.append(bytesOf("d")), 4);
    handle.close();
    assert.equal(textAt(fs, `${root}/log`), "abcd");
  },
  "an open file is read at any place, in parts, and after its name has gone": async ({ fs, root }) => {
    assert.equal(fs.openRead(`${root}/none`), undefined);
    fs.writeFile(`${root}/file`, "0123456789");
    const handle = fs.openRead(`${root}/file`)!;
    const into = new Uint8Array(4);
    assert.equal(handle.sizeBytes(), 10);
    assert.equal(await handle.read(3, into), 4);
    assert.equal(Buffer.from(into).toString(), "3456");
    fs.remove(`${root}/file`);
    assert.equal(await handle.read(8, into), 2);
    assert.equal(Buffer.from(into.subarray(0, 2)).toString(), "89");
    assert.equal(await handle.read(10, into), 0);
    handle.close();
  },
  "chmod sets exactly these bits, through symlinks, and moves ctime alone": async ({ fs, root, tick }) => {
    fs.writeFile(`${root}/file`, "");
    fs.symlink("file", `${root}/link`);
    const before = fs.lstat(`${root}/file`)!;
    await tick?.();
    fs.chmod(`${root}/link`, 0o751);
    const after = fs.lstat(`${root}/file`)!;
    assert.equal(after.mode, 0o751);
    assert.equal(after.mtimeMs, before.mtimeMs);
    assert.ok(after.ctimeMs > before.ctimeMs);
    assertRefused("ENOENT", () => fs.chmod(`${root}/none`, 0o644));
  },
  "setTimes sets the modification time, moves ctime, and never follows a symlink": async ({ fs, root, tick }) => {
    fs.writeFile(`${root}/file`, "");
    fs.symlink("file", `${root}/link`);
    const before = fs.lstat(`${root}/file`)!;
    await tick?.();
    fs.setTimes(`${root}/file`, 1_000_000_000_000, 1_100_000_000_500);
    const after = fs.lstat(`${root}/file`)!;
    assert.equal(after.mtimeMs, 1_100_000_000_500);
    assert.ok(after.ctimeMs > before.ctimeMs);
    fs.setTimes(`${root}/link`, 0, 5000);
    assert.equal(fs.lstat(`${root}/link`)!.mtimeMs, 5000);
    assert.equal(fs.lstat(`${root}/file`)!.mtimeMs, 1_100_000_000_500);
    assertRefused("ENOENT", () => fs.setTimes(`${root}/none`, 0, 0));
  },
  "writing moves mtime and ctime of the file, names those of the directory": async ({ fs, root, tick }) => {
    fs.makeDirectory(`${root}/d`);
    fs.writeFile(`${root}/d/file`, "a");
    const [file, directory] = fs.statMany([`${root}/d/file`, `${root}/d`]);
    await tick?.();
    fs.writeFile(`${root}/d/file`, "b");
    const [written, untouched] = fs.statMany([`${root}/d/file`, `${root}/d`]);
    assert.ok(written!.mtimeMs > file!.mtimeMs && written!.ctimeMs > file!.ctimeMs);
    assert.equal(untouched!.mtimeMs, directory!.mtimeMs);
    await tick?.();
    fs.remove(`${root}/d/file`);
    assert.ok(fs.lstat(`${root}/d`)!.mtimeMs > untouched!.mtimeMs);
  },
};
