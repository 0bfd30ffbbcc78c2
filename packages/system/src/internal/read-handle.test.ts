import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { openReadHandle } from "./read-handle.ts";

test.runIf(process.platform === "linux")("a read that Node does not take leaves nothing open", async () => {
  const folder = mkdtempSync(`${tmpdir()}/kahn-read-`);
  const path = `${folder}/file`;
  writeFileSync(path, "text");
  const isOpen = () =>
    readdirSync("/proc/self/fd").some((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path;
      } catch {
        return false;
      }
    });
  const handle = openReadHandle(path);
  await expect(handle?.read(0.5, new Uint8Array(1))).rejects.toThrow();
  expect(isOpen()).toBe(true);
  handle?.close();
  expect(isOpen()).toBe(false);
  rmSync(folder, { recursive: true });
});
