import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PieceHashers } from "@kahn/core";
import { hashedHere, nativeHasher } from "@kahn/core";
import { virtualClock } from "@kahn/testing";
import { pieceHasherContract } from "@kahn/testing/contract";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, test } from "vitest";
import type { HashThread, HashThreadOptions } from "./hash-thread.ts";
import { hashThread } from "./hash-thread.ts";

let directory: string;
let program: string;
const threads: HashThread[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "kahn-hasher-"));
  program = join(directory, "hasher.mjs");
  const entry = fileURLToPath(new URL("./hasher-main.ts", import.meta.url));
  buildSync({ entryPoints: [entry], bundle: true, platform: "node", format: "esm", outfile: program });
});
afterAll(async () => {
  await Promise.all(threads.map((each) => each.close()));
  rmSync(directory, { recursive: true, force: true });
});

/** A thread, the clock that it rests by, and what it told. */
function makeThread(options: Partial<HashThreadOptions> = {}) {
  const clock = virtualClock();
  const told: string[] = [];
  const thread = hashThread({ program, clock, report: ({ code }) => told.push(code), ...options });
  threads.push(thread);
  return { thread, clock, told };
}

/** A program of a thread in the place of ours. */
function otherProgram(name: string, text: string): string {
  const path = join(directory, `${name}.mjs`);
  writeFileSync(path, text);
  return path;
}

const HERE: PieceHashers = {
  start: (fn) => hashedHere(nativeHasher(fn)),
  lend: () => undefined,
  takeBack: () => assert.fail("nothing was lent"),
};
for (const { name, run } of pieceHasherContract(() => ({ hashers: HERE }))) test(`here: ${name}`, run);

const cases = pieceHasherContract(() => {
  const { thread } = makeThread();
  return { hashers: thread, cleanup: () => thread.close() };
});
for (const { name, run } of cases) test(`thread: ${name}`, run);

/** The hash of some bytes, in one piece. */
async function hashOf(hashers: PieceHashers, bytes: Buffer): Promise<string | undefined> {
  const hasher = hashers.start("sha256");
  await hasher.update(bytes);
  return await hasher.hex();
}

const BYTES = Buffer.alloc(200_000, "b");
const HASH = createHash("sha256").update(BYTES).digest("hex");

// Goal: no hash is waited for in vain, and none is wrong, whatever becomes of the thread. Method: programs that are not
// there, throw at once, or end after so many pieces.
test.each([
  ["is not there", undefined],
  ["breaks at its start", "throw new Error('broken')"],
  [
    "ends in the middle",
    "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3))",
  ],
  [
    "breaks at the end",
    `import { parentPort } from "node:worker_threads";
     parentPort.on("message", ({ kind, id }) => {
       if (kind === "end") throw new Error("broken");
       parentPort.postMessage({ kind: "hashed", id });
     });`,
  ],
])("a thread that %s: what it had is lost and told so, once, and hashing goes on here", async (name, text) => {
  const path = text === undefined ? join(directory, "absent.mjs") : otherProgram(name.replaceAll(" ", "-"), text);
  const { thread, told } = makeThread({ program: path });
  const lent = thread.lend(100_000)!;
  const [first, second] = [thread.start("sha256"), thread.start("sha256")];
  const promised = [first.update(lent), first.update(BYTES), second.update(lent)];
  assert.deepEqual(await Promise.all([first.hex(), second.hex()]), [undefined, undefined]);
  await Promise.all(promised);
  assert.equal(await first.update(BYTES), undefined);
  first.abandon();
  assert.deepEqual(told, ["hash-thread-lost"]);
  thread.takeBack(lent);
  assert.equal(thread.lend(100_000), undefined);
  assert.equal(await hashOf(thread, BYTES), HASH);
  assert.deepEqual(told, ["hash-thread-lost"]);
});

test("a thread rests when nothing was hashed in a while, and is there again; a hash under construction keeps it", async () => {
  const { thread, clock, told } = makeThread();
  const open = thread.start("sha256");
  await open.update(BYTES.subarray(0, 5));
  clock.advance(10 * 60_000);
  await open.update(BYTES.subarray(5));
  const lent = thread.lend(BYTES.length)!;
  BYTES.copy(lent);
  assert.equal(await open.hex(), HASH);
  clock.advance(10 * 60_000);
  // It rested; what it had lent is still good.
  assert.ok(lent.equals(BYTES));
  assert.equal(await hashOf(thread, lent), HASH);
  thread.takeBack(lent);
  clock.advance(10 * 60_000);
  assert.equal(await hashOf(thread, BYTES), HASH);
  assert.deepEqual(told, []);
});

test("closing settles what is under construction, and later hashes are made here", async () => {
  const { thread, told } = makeThread();
  const open = thread.start("sha256");
  const [updated, hex] = [open.update(BYTES), open.hex()];
  await thread.close();
  await updated;
  assert.equal(await hex, undefined);
  assert.equal(await hashOf(thread, BYTES), HASH);
  assert.deepEqual(told, []);
});

test("giving up a hash that is asked for settles it", async () => {
  const { thread } = makeThread();
  const open = thread.start("sha256");
  void open.update(BYTES);
  const hex = open.hex();
  open.abandon();
  assert.equal(await hex, undefined);
});
