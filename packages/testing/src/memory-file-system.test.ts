import assert from "node:assert/strict";
import { test } from "vitest";
import { memoryFileSystem } from "./memory-file-system.ts";

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

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
