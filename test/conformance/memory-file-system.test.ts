import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { FileHandle, FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import { nodeFileSystem } from "@kahn/system";
import { forEachSeed, memoryFileSystem, readTree, type SeededRandom, virtualClock, writeTree } from "@kahn/testing";
import { test } from "vitest";

/** A few short names, so that operations meet: some through symlinks, dots and files taken for directories. */
const NAMES = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "l", "l/a", "m", "d/l", "a/x", "none/x", "d/../b", "./a"];
const TARGETS = ["a", "d", "d/e", "../a", "nowhere", "l", "."];
const MODES = [0o644, 0o755, 0o600, 0o444, 0o700];

/** What one call answered, in a form in which two file systems can be compared. */
type Answer = unknown;

/** One side of the comparison. */
interface Side {
  readonly fs: FileSystem;
  readonly root: string;
  readonly handles: FileHandle[];
}

type Operation = (side: Side) => Answer;

function drawOperation(random: SeededRandom): { readonly text: string; readonly run: Operation } {
  const name = random.pick(NAMES);
  const other = random.pick(NAMES);
  const at = (side: Side, path: string) => `${side.root}/${path}`;
  const text = "x".repeat(random.int(0, 9));
  const mode = random.pick(MODES);
  const number = random.int(0, 12);
  const target = random.pick(TARGETS);
  const draws: Readonly<Record<string, Operation>> = {
    writeFile: ({ fs, root }) => fs.writeFile(`${root}/${name}`, text),
    "writeFile with mode": ({ fs, root }) => fs.writeFile(`${root}/${name}`, text, { mode }),
    "writeFile exclusive": ({ fs, root }) => fs.writeFile(`${root}/${name}`, text, { exclusive: true }),
    makeDirectory: (side) => side.fs.makeDirectory(at(side, name)),
    rename: (side) => side.fs.rename(at(side, name), at(side, other)),
    link: (side) => side.fs.link(at(side, name), at(side, other)),
    symlink: (side) => side.fs.symlink(target, at(side, name)),
    copyFile: (side) => side.fs.copyFile({ from: at(side, name), to: at(side, other), mode }),
    chmod: (side) => side.fs.chmod(at(side, name), mode),
    setTimes: (side) => side.fs.setTimes(at(side, name), 1000, 1000 * number),
    remove: (side) => side.fs.remove(at(side, name)),
    removeTree: (side) => side.fs.removeTree(at(side, name)),
    open: (side) => void side.handles.push(side.fs.openAppend(at(side, name))),
    append: (side) => side.handles[number % 3]?.append(Buffer.from(text)),
    truncate: (side) => side.handles[number % 3]?.truncate(number),
    close: (side) => side.handles.splice(number % 3, 1)[0]?.close(),
    readFile: (side) => textOf(side.fs.readFile(at(side, name))),
    readRange: (side) => textOf(side.fs.readRange(at(side, name), number, 4)),
    readDirectory: (side) =>
      side.fs
        .readDirectory(at(side, name))
        ?.map(({ name, kind }) => `${name} ${kind}`)
        .sort(),
    readLink: (side) => side.fs.readLink(at(side, name)),
    // The C library takes `..` away by itself, without asking whether the directory may be searched.
    realPath: (side) => side.fs.realPath(at(side, name.replace("d/../", "")))?.replace(side.root, ""),
    lstat: (side) => statOf(side, name),
    hash: (side) => side.fs.hashMany([at(side, name)]).map((outcome) => ({ ...outcome, stat: undefined })),
  };
  const operation = random.pick(Object.keys(draws));
  return { text: `${operation} ${name} ${other} ${target} ${text.length} ${number}`, run: draws[operation]! };
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString();
}

/** Everything but what must differ: times, inode numbers, and what a directory's size and links count. */
function statOf({ fs, root }: Side, name: string): Answer {
  const stat = fs.lstat(`${root}/${name}`);
  if (stat === undefined) return undefined;
  const { kind, mode, sizeBytes, nlink } = stat;
  return kind === "directory" ? { kind, mode } : { kind, mode, sizeBytes, nlink };
}

/** Where systems differ among themselves, or where only the port's own promise counts. */
const ALIKE: Readonly<Record<string, string>> = { EEXIST: "ENOTEMPTY or EEXIST", ENOTEMPTY: "ENOTEMPTY or EEXIST" };

function answerOf(side: Side, run: Operation): Answer {
  try {
    return run(side) ?? "done";
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    return ALIKE[error.code] ?? error.code;
  }
}

function tree(side: Side): Answer {
  return { files: readTree(side.fs, side.root), stats: NAMES.map((name) => answerOf(side, () => statOf(side, name))) };
}

/** Gives back the permissions that the operations took, so that everything can be removed. */
function openDirectories(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(`${directory}/${entry.name}`);
  }
}

// Goal: what a test proves over the memory file system holds on a disk. Method: the same random operations on both,
// over few names so that they collide; every answer and the whole tree are compared after each.
test("the memory file system answers as the real one does, whatever is done to it", async () => {
  const privileged = process.getuid?.() === 0;
  await forEachSeed({ name: "memory against disk", count: 40, scaleEnv: process.env.KAHN_TEST_SCALE }, ({ random }) => {
    const directory = realpathSync(mkdtempSync(`${tmpdir()}/kahn-memory-fs-`));
    // Two levels down: a symlink to `../a` stays inside.
    const root = `${directory}/one/two`;
    mkdirSync(root, { recursive: true });
    const real: Side = { fs: nodeFileSystem(), root, handles: [] };
    const memory: Side = {
      fs: memoryFileSystem({ clock: virtualClock(), privileged, files: { [`${root}/`]: "" } }),
      root,
      handles: [],
    };
    const log: string[] = [];
    for (const { fs } of [real, memory]) writeTree(fs, root, { "d/e/a": "deep", a: "a", "d/b": "b", l: "-> d" });
    try {
      for (let step = 0; step < 80; step++) {
        const { text, run } = drawOperation(random);
        log.push(text);
        assert.deepEqual(answerOf(memory, run), answerOf(real, run), `after ${log.join("\n      ")}`);
        assert.deepEqual(tree(memory), tree(real), `after ${log.join("\n      ")}`);
      }
    } finally {
      for (const handle of real.handles) handle.close();
      openDirectories(directory);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
