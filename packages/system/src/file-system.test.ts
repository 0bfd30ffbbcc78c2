import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "@kahn/core";
import { clockContract, fileSystemContract, randomContract } from "@kahn/testing/contract";
import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { nodeClock } from "./clock.ts";
import { nodeFileSystem } from "./file-system.ts";
import { fileSystemClockMs, timestampGranularityMs } from "./file-system-clock.ts";
import { nodeRandom } from "./random.ts";

const fs = nodeFileSystem();
const isPrivileged = process.getuid?.() === 0;

let directory: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "kahn-files-")));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A directory on another device, to see what cannot cross. */
function elsewhere(): string | undefined {
  const candidate = "/dev/shm";
  const isOther = existsSync(candidate) && statSync(candidate).dev !== statSync(directory).dev;
  return isOther ? mkdtempSync(join(candidate, "kahn-files-")) : undefined;
}

const cases = fileSystemContract(() => {
  const root = realpathSync(mkdtempSync(join(directory, "case-")));
  const otherDevice = elsewhere();
  return {
    fs: nodeFileSystem(),
    root,
    privileged: isPrivileged,
    // The kernel stamps files with a clock of up to 10 ms; writing until the stamp moves is waiting for exactly that.
    tick: () => {
      const start = fileSystemClockMs(fs, directory);
      while (fileSystemClockMs(fs, directory) === start);
    },
    makeOther: (path) => void execFileSync("mkfifo", [path]),
    ...(otherDevice === undefined ? {} : { otherDevice }),
    cleanup: () => {
      rmSync(root, { recursive: true, force: true });
      if (otherDevice !== undefined) rmSync(otherDevice, { recursive: true, force: true });
    },
  };
});
for (const { name, run } of cases) test(`file system: ${name}`, run);

const clockCases = clockContract(() => ({
  clock: nodeClock(),
  pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}));
for (const { name, run } of clockCases) test(`clock: ${name}`, run);
for (const { name, run } of randomContract(() => ({ random: nodeRandom() }))) test(`random: ${name}`, run);

test("a timer longer than Node can count does not fire at once", async () => {
  let fired = false;
  const timer = nodeClock().setTimer(2 ** 31 + 5, () => {
    fired = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 3));
  timer.cancel();
  assert.ok(!fired);
});

test("a file hashes alike whether it takes one read, exactly one buffer, or several", () => {
  const path = join(directory, "sized");
  const around = [0, 1, 4096, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1_000_003];
  fc.assert(
    fc.property(fc.constantFrom(...around), fc.integer({ min: 0, max: 255 }), (sizeBytes, byte) => {
      const bytes = Buffer.alloc(sizeBytes, byte);
      fs.writeFile(path, bytes);
      const [outcome] = fs.hashMany([path]);
      assert.ok(outcome?.kind === "file");
      assert.equal(outcome.digest, digestOf(bytes));
      fs.copyFile({ from: path, to: `${path}.copy`, mode: 0o640 });
      assert.deepEqual(fs.readFile(`${path}.copy`), bytes);
    }),
    { numRuns: 30 },
  );
});

// Goal: no digest is ever given for a mixture of two versions. Method: another process appends to the file without
// pause while it is hashed; whatever digest comes must be of a prefix of what was written.
test("a file that changes while it is read is unstable, or hashed at one of its versions", () => {
  const path = join(directory, "growing");
  appendFileSync(path, "x".repeat(3_000_000));
  const writer = spawn("/bin/sh", ["-c", 'while :; do printf x >>"$1"; done', "sh", path], { stdio: "ignore" });
  try {
    for (let round = 0; round < 60; round++) {
      const [outcome] = fs.hashMany([path]);
      if (outcome?.kind === "unstable") continue;
      assert.ok(outcome?.kind === "file");
      assert.equal(outcome.digest, digestOf("x".repeat(outcome.stat.sizeBytes)));
    }
  } finally {
    writer.kill("SIGKILL");
  }
});

// Goal: a change that leaves the size as it is does not go unnoticed. Method: another process overwrites one byte
// without pause; sooner or later three readings in a row are disturbed.
test("a file that is overwritten in place while it is read is unstable", () => {
  const path = join(directory, "overwritten");
  fs.writeFile(path, Buffer.alloc(16_000_000, "x"));
  const writer = spawn("/bin/sh", ["-c", 'while :; do printf x 1<>"$1"; done', "sh", path], { stdio: "ignore" });
  try {
    let rounds = 0;
    while (fs.hashMany([path])[0]?.kind !== "unstable") assert.ok(rounds++ < 500, "never noticed");
  } finally {
    writer.kill("SIGKILL");
  }
});

test("the file system's clock moves on and is not far from ours", () => {
  const first = fileSystemClockMs(fs, directory);
  let second = first;
  while (second === first) second = fileSystemClockMs(fs, directory);
  assert.ok(second > first);
  assert.ok(Math.abs(second - Date.now()) < 60_000);
});

test("granularity is fine where fractions survive, and coarse where they are cut", () => {
  assert.equal(timestampGranularityMs(fs, directory), 20);
  const cutting = {
    ...fs,
    lstat: (path: string) => {
      const stat = fs.lstat(path);
      return stat && { ...stat, mtimeMs: Math.floor(stat.mtimeMs / 1000) * 1000 };
    },
  };
  assert.equal(timestampGranularityMs(cutting, directory), 2000);
});

// Method: /proc is there, and answers ENOENT to whoever would make something in it. A test that hangs has failed.
test("a directory that cannot be made where its parent is there is refused, and not tried for ever", () => {
  if (!existsSync("/proc/self")) return;
  for (const path of ["/proc/kahn", "/proc/kahn/deep/er"]) {
    assert.throws(() => fs.makeDirectory(path), { name: "FileSystemError", code: "ENOENT" }, path);
  }
});

test("a handle may be closed while it is being flushed", async () => {
  const handle = fs.openAppend(join(directory, "flushed"));
  handle.append(Buffer.from("kept"));
  const flushed = handle.sync();
  handle.close();
  await flushed;
  assert.throws(() => handle.append(Buffer.from("lost")), /used after close/);
});

test("flushing the whole file system resolves, and says when it cannot", async () => {
  await fs.syncAll(directory);
});
