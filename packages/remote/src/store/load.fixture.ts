/**
 * Test fixture: a process that uses a server's store in every way at once, until it is killed.
 *
 *   node load.mjs ROOT SEED MAX_SIZE_BYTES
 *
 * Prints a line `blob DIGEST` or `action DIGEST` for each that was acknowledged; `WRONG …` for what must never be.
 */
import { writeSync } from "node:fs";
import type { Digest } from "@kahn/core";
import { digestOf, encodeActionResult } from "@kahn/core";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { seededRandom } from "@kahn/testing";
import { openServerStore } from "./open-server-store.ts";

const [root = "", seed = "1", maxSizeBytes = "0"] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const opened = await openServerStore({
  fs: nodeFileSystem(),
  clock: nodeClock(),
  random: nodeRandom(),
  root,
  owner: ownIdentity(),
  livenessOf,
  maxSizeBytes: Number(maxSizeBytes),
});
if (!opened.ok) throw new Error(opened.problem.message);
const store = opened.value;

// One call for each line: what was printed is in the pipe when the process dies.
const say = (line: string) => writeSync(1, `${line}\n`);
say("ready");

function bytesOf(sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, `${random.int(0, 1 << 30)} `);
}

async function storeBlob(): Promise<Digest | undefined> {
  const isLarge = random.int(0, 3) === 0;
  const bytes = bytesOf(isLarge ? random.int(70_000, 700_000) : random.int(1, 60_000));
  const digest = digestOf(bytes);
  const writer = await store.blobs.create(digest);
  if (!writer.ok) return undefined;
  if (writer.value === "present") return digest;
  const stopsAt = random.int(0, 12) === 0 ? random.int(0, bytes.length) : bytes.length;
  const messageBytes = random.int(1000, 300_000);
  for (let at = 0; at < stopsAt; at += messageBytes) {
    const written = await writer.value.write(bytes.subarray(at, Math.min(stopsAt, at + messageBytes)));
    if (!written.ok) return undefined;
  }
  if (stopsAt < bytes.length) {
    writer.value.abort();
    return undefined;
  }
  const done = await writer.value.commit();
  if (!done.ok) return undefined;
  say(`blob ${digest}`);
  return digest;
}

async function client(): Promise<never> {
  for (;;) {
    const blobs = (await Promise.all([storeBlob(), storeBlob(), storeBlob()])).filter((each) => each !== undefined);
    const pin = store.pin(blobs);
    const action = digestOf(`${seed} ${random.int(0, 1 << 30)}`);
    const outputFiles = blobs.map((digest, index) => ({ path: `${index}`, digest, executable: false }));
    const result = { outputFiles, outputDirectories: [], outputSymlinks: [], exitCode: 0, metadata: { worker: "" } };
    const missing = await store.blobs.findMissing(blobs);
    if (missing.ok && missing.value.length === 0) {
      const put = await store.actions.put({ instance: "i" }, action, encodeActionResult(result));
      if (put.ok) say(`action ${action}`);
    }
    pin.release();
    for (const blob of blobs) {
      const bytes = await store.blobs.read(blob);
      if (bytes.ok && bytes.value !== undefined && digestOf(bytes.value) !== blob) say(`WRONG bytes of ${blob}`);
    }
    const { usedBytes } = store.status();
    if (usedBytes > Number(maxSizeBytes)) say(`WRONG ${usedBytes} bytes are used`);
  }
}

await Promise.all(Array.from({ length: 6 }, client));
