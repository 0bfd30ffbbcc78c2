import fs, { mkdtempSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openAppendHandle } from "./append-handle.ts";
import { openReadHandle } from "./read-handle.ts";

// Goal: where the system refuses to close a file (EDQUOT over NFS), the program goes on. Method: a system that does so, after
// it has closed it.
test("a file that was given up while a call was under way, and then cannot be closed, harms nobody", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kahn-append-"));
  const { closeSync } = fs;
  let refused = 0;
  fs.closeSync = (fd) => {
    closeSync(fd);
    refused++;
    throw Object.assign(new Error("EDQUOT: disk quota exceeded, close"), { code: "EDQUOT", syscall: "close" });
  };
  syncBuiltinESMExports();
  try {
    const path = join(directory, "file");
    const handle = openAppendHandle(path);
    const written = handle.appendLater?.(Buffer.from("bytes"));
    handle.close();
    await written;
    const reader = openReadHandle(path);
    const read = reader?.read(0, Buffer.alloc(5));
    reader?.close();
    expect([await read, refused]).toEqual([5, 2]);
  } finally {
    fs.closeSync = closeSync;
    syncBuiltinESMExports();
    rmSync(directory, { recursive: true });
  }
});
