import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskStore, verifyStore } from "@kahn/cas";
import type { Digest } from "@kahn/core";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { seededRandom } from "@kahn/testing";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openServerStore } from "./open-server-store.ts";
import { isBlob, value } from "./store.fixture.ts";

const scale = Number(process.env.KAHN_TEST_SCALE ?? 1);
const directory = mkdtempSync(`${tmpdir()}/kahn-store-crash-`);
const program = join(directory, "load.mjs");

beforeAll(async () => {
  const entryPoints = [new URL("./load.fixture.ts", import.meta.url).pathname];
  await build({ entryPoints, outfile: program, bundle: true, format: "esm", platform: "node" });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Lets a process use the store and kills it after it has acknowledged so many things. Answers with what those were. */
async function killedLife(
  root: string,
  seed: number,
  { maxSizeBytes, lines }: { maxSizeBytes: number; lines: number },
) {
  const child = spawn(process.execPath, [program, root, `${seed}`, `${maxSizeBytes}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
    if (output.split("\n").length > lines) child.kill("SIGKILL");
  });
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");
  const acknowledged = output.split("\n").slice(0, -1);
  expect(acknowledged.filter((line) => line.startsWith("WRONG"))).toStrictEqual([]);
  return acknowledged;
}

const ports = () => ({
  fs: nodeFileSystem(),
  clock: nodeClock(),
  random: nodeRandom(),
  owner: ownIdentity(),
  livenessOf,
});

// Goal: after a death at any moment every blob that is listed verifies, every result is complete, what was acknowledged
// is there, and nothing is left over. Method: real processes under mixed load, killed at random numbers of
// acknowledgements, on one directory that goes on; with a limit that is reached all the time, and without.
test.each([
  ["without a limit that matters", 4_000_000_000],
  ["at its limit all the time", 6_000_000],
])("a store %s survives kill -9 again and again", { timeout: 60_000 + 60_000 * scale }, async (_, maxSizeBytes) => {
  const random = seededRandom(maxSizeBytes);
  const root = join(directory, `${maxSizeBytes}`);
  // 200 at full scale: half of them for each kind.
  for (let kill = 0; kill < 4 + Math.ceil(10.6 * (scale - 1)); kill++) {
    const acknowledged = await killedLife(root, kill, { maxSizeBytes, lines: random.int(1, 300) });
    const disk = openDiskStore({ ...ports(), root });
    if (!disk.ok) throw new Error(disk.problem.message);
    const report = await verifyStore(disk.value);
    if (!report.ok) throw new Error(report.problem.message);
    expect([report.value.corrupt, report.value.incomplete], `kill ${kill}`).toStrictEqual([[], []]);
    await disk.value.close({ sync: false });
    const store = value(await openServerStore({ ...ports(), root, maxSizeBytes }));
    expect(readdirSync(join(root, "tmp"))).toStrictEqual([]);
    expect(store.status().usedBytes).toBeLessThanOrEqual(maxSizeBytes);
    for (const line of maxSizeBytes < 1_000_000_000 ? [] : acknowledged) {
      const [kind, text] = line.split(" ") as [string, Digest];
      if (kind === "blob") expect(isBlob(value(await store.blobs.read(text)), text), line).toBe(true);
      if (kind === "action") expect(value(await store.actions.get({ instance: "i" }, text)), line).toBeDefined();
    }
    value(await store.close());
  }
});
