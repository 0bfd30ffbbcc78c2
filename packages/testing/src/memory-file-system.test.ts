import assert from "node:assert/strict";
import { FileSystemError } from "@kahn/core";
import { test } from "vitest";
import type { MemoryFileSystemOptions } from "./memory-file-system.ts";
import { memoryFileSystem } from "./memory-file-system.ts";
import { seededRandom } from "./seeded-random.ts";
import { virtualClock } from "./virtual-clock.ts";

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();
const refused = (code: string) => (error: unknown) => error instanceof FileSystemError && error.code === code;

test("a crash without a sync leaves nothing of what was written", () => {
  const fs = memoryFileSystem({ files: { "/w/old": "old" } });
  fs.writeFile("/w/old", "new");
  fs.writeFile("/w/more", "more");
  fs.remove("/w/old");
  assert.deepEqual(fs.crash().snapshot(), { "w/old": "old" });
});

test("a killed process leaves everything that it handed to the kernel, durable or not", async () => {
  const fs = memoryFileSystem();
  const handle = fs.openAppend("/log");
  handle.append(Buffer.from("one "));
  await handle.sync();
  handle.append(Buffer.from("two"));
  const next = fs.killProcess();
  assert.equal(text(next.readFile("/log")), "one two");
  assert.equal(text(next.crash().readFile("/log")), "one ");
});
