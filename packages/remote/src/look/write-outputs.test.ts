// Goal: a folder gets exactly what an action gave, with modes, trees and links; a result that leads elsewhere, or whose
// files are gone, is refused, and what lies around stays. Method: results over stores in memory, and real ones on disk.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ActionResult, type FileSystem, treeOf } from "@kahn/core";
import { nodeFileSystem } from "@kahn/system";
import { type MemoryBlobStore, memoryBlobStore, memoryFileSystem, readTree, virtualClock } from "@kahn/testing";
import { onTestFinished, test } from "vitest";
import { writeOutputs } from "./write-outputs.ts";

const NOTHING: ActionResult = {
  outputFiles: [],
  outputDirectories: [],
  outputSymlinks: [],
  exitCode: 0,
  metadata: { worker: "" },
};

function memory() {
  const fs = memoryFileSystem({ clock: virtualClock() });
  fs.makeDirectory("/work");
  return { fs, blobs: memoryBlobStore(fs) };
}

async function put(fs: FileSystem, blobs: MemoryBlobStore, text: string) {
  fs.makeDirectory("/work/taken");
  fs.writeFile("/work/taken/file", text);
  const taken = await blobs.ingest([{ path: "/work/taken/file", executable: false }]);
  assert.ok(taken.ok);
  return taken.value[0]!;
}

/** Two files, a link, and a tree with a file, a link and an empty directory. */
async function sample(fs: FileSystem, blobs: MemoryBlobStore): Promise<ActionResult> {
  const [plain, program] = [await put(fs, blobs, "plain"), await put(fs, blobs, "program")];
  const tree = treeOf([
    { kind: "directory", path: "empty" },
    { kind: "symlink", path: "link", target: "sub/x" },
    { kind: "file", path: "sub/x", digest: program, executable: true },
  ]);
  assert.ok((await blobs.write(tree.digest, tree.bytes)).ok);
  return {
    ...NOTHING,
    outputFiles: [
      { path: "a/plain", digest: plain, executable: false },
      { path: "program", digest: program, executable: true },
    ],
    outputDirectories: [{ path: "dist", tree: tree.digest }],
    outputSymlinks: [{ path: "outside", target: "../../etc/passwd" }],
  };
}

const WRITTEN = {
  "a/plain": "plain",
  "dist/empty/": "",
  "dist/link": "-> sub/x",
  "dist/sub/x": "program",
  outside: "-> ../../etc/passwd",
  program: "program",
};

test("files with their modes, trees, empty directories and links come as the action gave them", async () => {
  const { fs, blobs } = memory();
  const result = await sample(fs, blobs);
  const wrote = await writeOutputs({ fs, blobs, directory: "/work/deep/out", workingDirectory: "" }, result);
  assert.deepEqual(wrote, { ok: true, value: 6 });
  assert.deepEqual(readTree(fs, "/work/deep/out"), WRITTEN);
  const modes = ["a/plain", "program", "dist/sub/x"].map((path) => fs.lstat(`/work/deep/out/${path}`)?.mode);
  assert.deepEqual(modes, [0o644, 0o755, 0o755]);
});

test("paths are meant from the working directory, and may leave it for another place of the inputs", async () => {
  const { fs, blobs } = memory();
  const digest = await put(fs, blobs, "text");
  const outputFiles = ["out", "../lib/out"].map((path) => ({ path, digest, executable: false }));
  const place = { fs, blobs, directory: "/work/out", workingDirectory: "packages/app" };
  assert.deepEqual(await writeOutputs(place, { ...NOTHING, outputFiles }), { ok: true, value: 2 });
  assert.deepEqual(readTree(fs, "/work/out"), { "packages/app/out": "text", "packages/lib/out": "text" });
});

test("what lies at a path is replaced, never written through; the rest of the folder stays", async () => {
  const base = mkdtempSync(join(tmpdir(), "kahn-outputs-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const fs = nodeFileSystem();
  const blobs = memoryBlobStore(fs);
  const digests = memory();
  const result = await sample(digests.fs, digests.blobs);
  for (const text of ["plain", "program"]) {
    fs.writeFile(`${base}/taken`, text);
    assert.ok((await blobs.ingest([{ path: `${base}/taken`, executable: false }])).ok);
  }
  const { tree } = result.outputDirectories[0]!;
  const bytes = await digests.blobs.read(tree);
  assert.ok(bytes.ok && (await blobs.write(tree, bytes.value!)).ok);

  fs.makeDirectory(`${base}/elsewhere`);
  fs.makeDirectory(`${base}/out`);
  fs.writeFile(`${base}/elsewhere/precious`, "precious");
  fs.writeFile(`${base}/out/mine`, "mine");
  fs.symlink("../elsewhere", `${base}/out/dist`);
  fs.symlink("../elsewhere/precious", `${base}/out/program`);
  fs.link(`${base}/elsewhere/precious`, `${base}/out/outside`);
  fs.writeFile(`${base}/out/a`, "a file where a directory is to be");
  const wrote = await writeOutputs({ fs, blobs, directory: `${base}/out`, workingDirectory: "" }, result);
  assert.deepEqual(wrote, { ok: true, value: 6 });
  assert.deepEqual(readTree(fs, `${base}/out`), { ...WRITTEN, mine: "mine" });
  assert.deepEqual(readTree(fs, `${base}/elsewhere`), { precious: "precious" });

  // A directory is never removed for a file.
  fs.remove(`${base}/out/program`);
  fs.makeDirectory(`${base}/out/program/mine`);
  const blocked = await writeOutputs({ fs, blobs, directory: `${base}/out`, workingDirectory: "" }, result);
  assert.ok(!blocked.ok && blocked.problem.code === "action-outputs-blocked");
});

test("a result that leads outside, through another output or to one place twice writes nothing", async () => {
  const { fs, blobs } = memory();
  const digest = await put(fs, blobs, "text");
  const file = (path: string) => ({ path, digest, executable: false });
  const link = (path: string) => ({ path, target: "/work" });
  const tree = treeOf([{ kind: "file", path: "x", digest, executable: false }]);
  assert.ok((await blobs.write(tree.digest, tree.bytes)).ok);
  const before = readTree(fs, "/work");
  const bad: Partial<ActionResult>[] = [
    ...["/work/x", "../x", "a/../../x", "../out/x", "", ".", "a\0b"].map((path) => ({ outputFiles: [file(path)] })),
    { outputSymlinks: [link("../x")] },
    { outputDirectories: [{ path: "..", tree: tree.digest }] },
    { outputFiles: [file("a/x")], outputSymlinks: [link("a")] },
    { outputFiles: [file("a"), file("./a")] },
    { outputDirectories: [{ path: "a", tree: tree.digest }], outputSymlinks: [link("a")] },
  ];
  for (const each of bad) {
    const place = { fs, blobs, directory: "/work/out", workingDirectory: "" };
    const wrote = await writeOutputs(place, { ...NOTHING, ...each });
    assert.ok(!wrote.ok && wrote.problem.code === "action-outputs-invalid", JSON.stringify(each));
  }
  assert.deepEqual(readTree(fs, "/work"), before);
});

test("a file or a tree that the store has lost is named", async () => {
  for (const lost of ["file", "tree"] as const) {
    const { fs, blobs } = memory();
    const result = await sample(fs, blobs);
    const digest = lost === "file" ? result.outputFiles[0]!.digest : result.outputDirectories[0]!.tree;
    blobs.evict(digest);
    const wrote = await writeOutputs({ fs, blobs, directory: "/work/out", workingDirectory: "" }, result);
    assert.ok(!wrote.ok);
    assert.equal(wrote.problem.code, "action-outputs-missing");
    assert.match(wrote.problem.message, new RegExp(digest));
  }
});
