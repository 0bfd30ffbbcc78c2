import type { Digest, FileSystem, ReadHandle } from "@kahn/core";
import { digestSizeBytes } from "@kahn/core";
import { expect, test } from "vitest";
import { openBlobFile, type ReadPorts } from "./blob-reader.ts";

test("a file as it was stored is no other blob for a wrong size in the digest, and is not read to find that out", async () => {
  const [real, wrong] = ["sha256:aa/1000", "sha256:aa/1"] as readonly string[] as [Digest, Digest];
  let reads = 0;
  const handle: ReadHandle = {
    read: async () => {
      reads++;
      return 0;
    },
    sizeBytes: () => digestSizeBytes(real),
    close: () => undefined,
  };
  const fs = {
    openRead: () => handle,
    lstat: () => ({ mtimeMs: 1_000_625, sizeBytes: 1000 }),
  } as unknown as FileSystem;
  const quarantined: Digest[] = [];
  const check = { isDoubtful: () => false, quarantine: (digest: Digest) => quarantined.push(digest) };
  const context = { fs, layout: { blob: () => "/blob" }, check };
  const ports = { context, isSampled: () => false, vanished: () => undefined } as unknown as ReadPorts;
  expect(await openBlobFile(wrong, ports)).toBe(undefined);
  expect((await openBlobFile(real, ports))?.sizeBytes).toBe(1000);
  expect([reads, quarantined]).toEqual([0, []]);
});
