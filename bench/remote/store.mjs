/**
 * What a server's store costs.
 *
 * `node --expose-gc bench/remote/store.mjs [--dir=PATH] [--blobs=1000000] [--rounds=5]`; medians of the rounds, in one process and
 * without a network. `--dir=/dev/shm` measures without a device. Processor time is of the whole process, so that other
 * load disturbs it less; "floor" is what the same bytes cost without a store.
 */
import { createHash, randomFillSync } from "node:crypto";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

/** @typedef {{ ms: number, cpuMs: number }} Timing */

const MIB = 1024 * 1024;
const args = Object.fromEntries(process.argv.slice(2).map((each) => each.replace(/^--/, "").split("=")));
const blobCount = Number(args.blobs ?? 1_000_000);
const rounds = Number(args.rounds ?? 5);
const folder = mkdtempSync(join(args.dir ?? tmpdir(), "kahn-store-bench-"));
const kahn = await bundled();

try {
  console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, ${folder}\n`);
  console.log("| what | median | processor time | floor |\n| --- | --- | --- | --- |");
  // First, while the process is small.
  await streams();
  await manyBlobs();
  for (const durability of ["none", "batched", "strict"]) await smallWrites(durability);
  for (const durability of ["none", "batched"]) await largeWrites(durability);
  await compressed();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The parts of the repository that are measured, as one module. */
async function bundled() {
  const contents = `
    export { openServerStore } from "./packages/remote/src/store/open-server-store.ts";
    export { loadZstd } from "./packages/remote/src/store/zstd.ts";
    export { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";`;
  const outfile = join(folder, "store.mjs");
  await build({
    stdin: { contents, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile,
  });
  return await import(pathToFileURL(outfile).href);
}

/** @param {string} name @param {object} [options] */
async function open(name, options = {}) {
  const { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity, openServerStore } = kahn;
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), owner: ownIdentity(), livenessOf };
  return value(
    await openServerStore({ ...ports, root: join(folder, name), maxSizeBytes: 100_000_000_000, ...options }),
  );
}

async function manyBlobs() {
  const store = await open("many", { durability: "none" });
  const digests = [];
  const batch = [];
  const startMs = performance.now();
  const before = process.cpuUsage();
  for (let number = 0; number < blobCount; number++) {
    const bytes = Buffer.from(
      `blob ${number} of a store of many, each of which is as small as an object file's header`,
    );
    const digest = digestOf(bytes);
    digests.push(digest);
    batch.push(store.blobs.write(digest, bytes));
    if (batch.length === 1000) for (const written of await Promise.all(batch.splice(0))) value(written);
  }
  await Promise.all(batch);
  const { user, system } = process.cpuUsage(before);
  /** @param {number} us */
  const eachUs = (us) => `${(us / blobCount).toFixed(1)} µs each`;
  const what = `write ${blobCount} small blobs, 1000 at once`;
  row(what, eachUs((performance.now() - startMs) * 1000), eachUs(user + system));
  value(await store.close());
  /** @type {Timing[]} */
  const opened = [];
  /** @type {{ present: Timing[], absent: Timing[], each: Timing[] }} */
  const asked = { present: [], absent: [], each: [] };
  for (let round = 0; round < rounds; round++) {
    globalThis.gc?.();
    const memory = process.memoryUsage();
    /** @type {Awaited<ReturnType<typeof open>> | undefined} */
    let again;
    opened.push(await timed(async () => (again = await open("many"))));
    globalThis.gc?.();
    const after = process.memoryUsage();
    if (round === 0) {
      const bytes = after.heapUsed + after.arrayBuffers - memory.heapUsed - memory.arrayBuffers;
      row("memory of the index", `${(bytes / MIB).toFixed(0)} MiB`);
    }
    for (let time = 0; time < 20; time++) {
      const from = Math.floor((blobCount - 10_000) * (time / 20));
      const present = digests.slice(from, from + 10_000);
      const absent = present.map((_, index) => digestOf(Buffer.from(`absent ${time} ${index}`)));
      asked.present.push(await timed(async () => expectCount(await again.blobs.findMissing(present), 0)));
      asked.absent.push(await timed(async () => expectCount(await again.blobs.findMissing(absent), 10_000)));
      asked.each.push(await timed(async () => value(await again.blobs.read(present[time]))));
    }
    value(await again.close());
  }
  /** @param {string} name @param {Timing[]} all */
  const times = (name, all) => row(name, `${medians(all).ms.toFixed(2)} ms`, `${medians(all).cpuMs.toFixed(2)} ms`);
  times(`open with ${blobCount} blobs`, opened);
  times("findMissing of 10,000, all there", asked.present);
  times("findMissing of 10,000, none there", asked.absent);
  times("read of one small blob", asked.each);
}

/** @param {string} durability */
async function smallWrites(durability) {
  const [clients, writes] = durability === "strict" ? /** @type {const} */ ([16, 20]) : /** @type {const} */ ([64, 60]);
  const store = await open(`small-${durability}`, { durability });
  /** @type {number[][]} */
  const [perSecond = [], cpuUs = [], floor = []] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const blobs = Array.from({ length: clients * writes }, () => randomFillSync(Buffer.alloc(2048)));
    const elapsed = await timed(async () => {
      await Promise.all(
        Array.from({ length: clients }, async (_, client) => {
          for (const bytes of blobs.filter((_, at) => at % clients === client))
            value(await store.blobs.write(digestOf(bytes), bytes));
        }),
      );
    });
    perSecond.push((blobs.length / elapsed.ms) * 1000);
    cpuUs.push((elapsed.cpuMs / blobs.length) * 1000);
    const fd = openSync(join(folder, "floor"), "w");
    const some = blobs.slice(0, durability === "none" ? blobs.length : 50);
    const { ms: floorMs } = await timed(async () => {
      for (const bytes of some) {
        createHash("sha256").update(bytes).digest("hex");
        writeSync(fd, bytes);
        if (durability !== "none") fdatasyncSync(fd);
      }
    });
    closeSync(fd);
    floor.push((some.length / floorMs) * 1000);
  }
  value(await store.close());
  const what = `writes of 2 KiB, ${durability}, ${clients} clients`;
  row(
    what,
    `${median(perSecond).toFixed(0)}/s`,
    `${median(cpuUs).toFixed(0)} µs each`,
    `${median(floor).toFixed(0)}/s, one client`,
  );
}

/** @param {string} durability */
async function largeWrites(durability) {
  const store = await open(`large-${durability}`, { durability });
  /** @type {Timing[][]} */
  const [writes = [], reads = []] = [[], []];
  /** @type {{ writeMs: number, readMs: number }[]} */
  const floors = [];
  const bytes = randomFillSync(Buffer.alloc(64 * MIB));
  for (let round = 0; round < rounds; round++) {
    bytes.writeUInt32LE(round, 0);
    const digest = digestOf(bytes);
    writes.push(
      await timed(async () => {
        const writer = value(await store.blobs.create(digest));
        for (let at = 0; at < bytes.length; at += 16_384) value(await writer.write(bytes.subarray(at, at + 16_384)));
        value(await writer.commit());
      }),
    );
    reads.push(
      await timed(async () => {
        const reader = value(await store.blobs.open(digest));
        for (let at = 0; at < reader.sizeBytes; at += 256 * 1024) value(await reader.read(at, 256 * 1024));
        reader.close();
      }),
    );
    floors.push(floor(bytes, durability));
  }
  value(await store.close());
  /** @param {number} ms */
  const rate = (ms) => `${((64 / ms) * 1000).toFixed(0)} MiB/s`;
  /** @param {string} name @param {Timing[]} times @param {number[]} floorMs */
  const both = (name, times, floorMs) =>
    row(name, rate(medians(times).ms), `${medians(times).cpuMs.toFixed(0)} ms`, rate(median(floorMs)));
  const write = `Write of 64 MiB in messages of 16 KiB, ${durability}`;
  both(
    write,
    writes,
    floors.map(({ writeMs }) => writeMs),
  );
  both(
    "Read of 64 MiB in pieces of 256 KiB",
    reads,
    floors.map(({ readMs }) => readMs),
  );
}

/** @param {Buffer} bytes @param {string} durability */
function floor(bytes, durability) {
  const path = join(folder, "floor");
  const startMs = performance.now();
  const fd = openSync(path, "w+");
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += 256 * 1024) {
    const piece = bytes.subarray(at, at + 256 * 1024);
    hash.update(piece);
    writeSync(fd, piece);
  }
  hash.digest("hex");
  if (durability !== "none") fdatasyncSync(fd);
  const writtenMs = performance.now();
  const into = Buffer.alloc(256 * 1024);
  for (let at = 0; at < bytes.length; at += into.length) readSync(fd, into, 0, into.length, at);
  const readMs = performance.now() - writtenMs;
  closeSync(fd);
  return { writeMs: writtenMs - startMs, readMs };
}

async function compressed() {
  const zstd = await kahn.loadZstd();
  const text = Buffer.from(
    Array.from({ length: 40_000 }, (_, line) => `line ${line} of ${(line * 7919) % 1000} some text\n`).join(""),
  );
  const piece = Buffer.alloc(256 * 1024, text);
  /** @type {Timing[][]} */
  const [packing = [], unpacking = []] = [[], []];
  for (let round = 0; round < 20 * rounds; round++) {
    let frame = piece;
    packing.push(await timed(async () => (frame = await zstd.compress(piece))));
    unpacking.push(
      await timed(async () => {
        for (const each of zstd.decompressor().push(frame)) if (each === "malformed") throw new Error(each);
      }),
    );
  }
  row("zstd, a frame of 256 KiB of text", `${medians(packing).ms.toFixed(2)} ms`);
  row("un-zstd, the same, as a stream of its own", `${medians(unpacking).ms.toFixed(2)} ms`);
}

/** What many uploads at once hold in memory. */
async function streams() {
  const [count, mib] = [64, Number(args.streamMib ?? 16)];
  const store = await open("streams", { durability: "none" });
  const message = Buffer.alloc(MIB);
  const digests = Array.from({ length: count }, (_, stream) => {
    const hash = createHash("sha256");
    message.writeUInt32LE(stream, 0);
    for (let at = 0; at < mib; at++) hash.update(message);
    return `sha256:${hash.digest("hex")}/${mib * MIB}`;
  });
  globalThis.gc?.();
  const beforeBytes = process.memoryUsage.rss();
  let peakBytes = 0;
  await Promise.all(
    digests.map(async (digest, stream) => {
      const writer = value(await store.blobs.create(digest));
      for (let at = 0; at < mib; at++) {
        message.writeUInt32LE(stream, 0);
        for (let from = 0; from < MIB; from += 65_536) {
          value(await writer.write(Uint8Array.from(message.subarray(from, from + 65_536))));
          message.writeUInt32LE(stream, 0);
        }
        peakBytes = Math.max(peakBytes, process.memoryUsage.rss() - beforeBytes);
      }
      value(await writer.commit());
    }),
  );
  value(await store.close());
  row(`memory above that before, ${count} uploads of ${mib} MiB at once`, `${(peakBytes / MIB).toFixed(0)} MiB`);
}

/** @param {Uint8Array} bytes */
function digestOf(bytes) {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}/${bytes.byteLength}`;
}

/** @param {() => Promise<unknown>} work */
async function timed(work) {
  const startMs = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - startMs, cpuMs: (user + system) / 1000 };
}

/** @param {{ ms: number, cpuMs: number }[]} times */
function medians(times) {
  return { ms: median(times.map(({ ms }) => ms)), cpuMs: median(times.map(({ cpuMs }) => cpuMs)) };
}

/** @param {number[]} numbers */
function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** @param {Parameters<typeof value>[0]} result @param {number} count */
function expectCount(result, count) {
  if (value(result).length !== count) throw new Error(`${value(result).length} are missing, not ${count}`);
}

/** @param {{ ok: boolean, value?: any, problem?: any }} result */
function value(result) {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}

/** @param {string[]} cells what, median, processor time, floor; the last ones may be left out */
function row(...cells) {
  console.log(`| ${[...cells, "", "", ""].slice(0, 4).join(" | ")} |`);
}
