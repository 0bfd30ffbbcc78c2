/** What is seen of a folder that a command fills, and what is not looked at. */
import assert from "node:assert/strict";
import { linkSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { nodeFileSystem } from "@kahn/system";
import { memoryFileSystem, settled, virtualClock } from "@kahn/testing";
import { test } from "vitest";
import { DiskWatch } from "./disk-watch.ts";

/** A watch of 100 kB on a disk of one megabyte; `walks` counts looks into the folder. */
function watched() {
  const clock = virtualClock();
  const disk = memoryFileSystem({ clock, capacityBytes: 1_000_000 });
  disk.makeDirectory("/run/root/deep");
  let walks = 0;
  const readDirectory = disk.readDirectory.bind(disk);
  disk.readDirectory = (path) => {
    if (path === "/run") walks++;
    return readDirectory(path);
  };
  let exceeded = 0;
  const watch = new DiskWatch({
    ...{ fs: disk, clock, folder: "/run", maxBytes: 90_000, inputBytes: () => 10_000 },
    exceeded: () => void exceeded++,
  });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1000) {
      clock.advance(1000);
      await settled();
    }
  };
  return { disk, watch, pass, counts: () => ({ walks, exceeded }) };
}

test("who takes more than allowed is told of within a second, once, wherever below the folder it is", async () => {
  const it = watched();
  it.disk.writeFile("/run/root/deep/a", Buffer.alloc(60_000));
  await it.pass(1000);
  assert.equal(it.counts().exceeded, 0);
  it.disk.writeFile("/run/tmp", Buffer.alloc(60_000));
  await it.pass(1000);
  assert.equal(it.counts().exceeded, 1);
  await it.pass(60_000);
  assert.equal(it.counts().exceeded, 1);
});

// Goal: a run that writes little costs nothing. Method: looks into the folder are counted.
test("the folder is walked only when the disk fills, or after a while: others may have given space back", async () => {
  const it = watched();
  it.disk.writeFile("/other", Buffer.alloc(200_000));
  await it.pass(1000);
  // Somebody else took it.
  assert.deepEqual(it.counts(), { walks: 1, exceeded: 0 });
  it.disk.writeFile("/run/root/a", Buffer.alloc(40_000));
  await it.pass(10_000);
  assert.deepEqual(it.counts(), { walks: 1, exceeded: 0 });
  it.disk.remove("/other");
  it.disk.writeFile("/run/root/b", Buffer.alloc(80_000));
  await it.pass(5000);
  assert.deepEqual(it.counts(), { walks: 1, exceeded: 0 });
  await it.pass(15_000);
  assert.equal(it.counts().exceeded, 1);
});

test("a watch that was stopped looks at nothing", async () => {
  const it = watched();
  it.disk.writeFile("/run/root/a", Buffer.alloc(400_000));
  it.watch.stop();
  await it.pass(60_000);
  assert.deepEqual(it.counts(), { walks: 0, exceeded: 0 });
});

test("many files without content take space, too, and others get their turns while they are counted", async () => {
  const it = watched();
  for (let each = 0; each < 1000; each++) it.disk.writeFile(`/run/root/f${each}`, "");
  await it.pass(25_000);
  assert.equal(it.counts().exceeded, 1);
});

// Goal: what is counted is what the disk lost, of this folder alone. Method: the machine's own files: one with a hole, one
// with three names, and links to a folder outside and to the one above.
test("holes do not count, a file counts once whatever its names, and links lead nowhere", async () => {
  const directory = mkdtempSync(`${tmpdir()}/kahn-disk-`);
  try {
    const clock = virtualClock();
    writeFileSync(`${directory}/hole`, "x");
    truncateSync(`${directory}/hole`, 1e12);
    writeFileSync(`${directory}/a`, Buffer.alloc(300_000, "a"));
    for (const name of ["b", "c"]) linkSync(`${directory}/a`, `${directory}/${name}`);
    symlinkSync("/usr/lib", `${directory}/out`);
    symlinkSync("..", `${directory}/up`);
    const exceeded: number[] = [];
    const watches = [400_000, 290_000].map(
      (maxBytes) =>
        new DiskWatch({
          ...{ fs: nodeFileSystem(), clock, folder: directory, maxBytes, inputBytes: () => 0 },
          exceeded: () => void exceeded.push(maxBytes),
        }),
    );
    clock.advance(20_000);
    await settled();
    assert.deepEqual(exceeded, [290_000]);
    for (const watch of watches) watch.stop();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
