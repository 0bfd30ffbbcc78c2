import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { livenessOf, nodeClock, nodeFileSystem, nodeRandom, ownIdentity } from "@kahn/system";
import { seededRandom } from "@kahn/testing";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectGarbage } from "./garbage-collector.ts";
import { verifyStore } from "./scrub.ts";
import { testStore, value } from "./store.fixture.ts";

const scale = Number(process.env.KAHN_TEST_SCALE ?? 1);
const directory = mkdtempSync(`${tmpdir()}/kahn-cas-processes-`);
const worker = `${directory}/worker.mjs`;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  const entry = new URL("./worker.fixture.ts", import.meta.url).pathname;
  await build({ entryPoints: [entry], outfile: worker, bundle: true, format: "esm", platform: "node" });
});

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** How blobs are kept: each in a file of its own, or most in packs. */
const KINDS = [
  ["files", 0],
  ["packs", 64 * 1024],
] as const;

interface Worker {
  readonly child: ChildProcess;
  /** Output and exit, once it has ended. */
  readonly ended: Promise<{ readonly output: string; readonly code: number | null }>;
}

function start(root: string, ...args: readonly (string | number)[]): Worker {
  const child = spawn(process.execPath, [worker, root, ...args.map(String)], { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  let output = "";
  child.stdout!.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  const ended = once(child, "close").then(([code]) => {
    running.delete(child);
    return { output, code: code as number | null };
  });
  return { child, ended };
}

const openHere = (root: string) =>
  testStore({
    fs: nodeFileSystem(),
    clock: nodeClock(),
    random: nodeRandom(),
    root: `${root}/store`,
    owner: ownIdentity(),
    livenessOf,
  });

// Goal: any number of processes share a store without a lock, while garbage is collected. Method: builders that
// compare every byte they restore, and a collector that spares nothing (see the fixture), so that blobs vanish under
// the builders' hands all the time.
test.each(KINDS)("%s: several builders and a collector share a store, and no byte is ever wrong", async (_, packed) => {
  const root = mkdtempSync(`${directory}/shared-`);
  const builders = [1, 2, 3].map((seed) => start(root, seed, 120 * scale, "build", packed));
  const collector = start(root, 9, 50 * scale, "collect", packed);
  for (const { ended } of [...builders, collector]) {
    const { output, code } = await ended;
    expect(output).not.toContain("WRONG");
    expect(code).toBe(0);
  }
  // It did collect while they built.
  expect((await collector.ended).output).toMatch(/removed [1-9]/);
  const store = openHere(root);
  expect(value(await verifyStore(store)).corrupt).toStrictEqual([]);
  expect(value(await collectGarbage(store, { maxSizeBytes: 100_000 }))).toMatchObject({ kind: "collected" });
  expect(value(await verifyStore(store)).incomplete).toStrictEqual([]);
});

// Goal: `kill -9` at any moment leaves a sound store. Method: builders are killed after a random number of rounds,
// which is in the middle of one; the store is checked in between, and the next builder checks what it restores.
test.each(KINDS)("%s: builders killed at random moments leave a sound store behind", async (_, packed) => {
  const root = mkdtempSync(`${directory}/killed-`);
  const random = seededRandom(42);
  for (let kill = 0; kill < 5 * scale; kill++) {
    const { child, ended } = start(root, kill + 100, 100_000, "build", packed);
    let rounds = 0;
    const last = random.int(1, 40);
    child.stdout!.on("data", (bytes: Buffer) => {
      rounds += bytes.toString().split("\n").length - 1;
      if (rounds >= last) child.kill("SIGKILL");
    });
    const { output, code } = await ended;
    expect(output).not.toContain("WRONG");
    expect(code).toBe(null);
    const report = value(await verifyStore(openHere(root)));
    expect([report.corrupt, report.incomplete]).toStrictEqual([[], []]);
  }
});
