import { expect, test } from "vitest";
import { makeDigest } from "../digest.ts";
import { ok } from "../result.ts";
import { readMessage } from "./message-blobs.ts";

test("a message above its limit is not read, and the empty one is not asked for", async () => {
  const asked: string[] = [];
  const source = {
    read: async (digest: string) => {
      asked.push(digest);
      return ok(digest.endsWith("/9") ? undefined : Buffer.from("0123456789"));
    },
  };
  const ofSize = (sizeBytes: number) => makeDigest("sha256", "0".repeat(64), sizeBytes);
  expect(await readMessage(source, ofSize(11), 10)).toEqual(ok({ kind: "too-large" }));
  expect(await readMessage(source, ofSize(0), 10)).toEqual(ok({ kind: "bytes", bytes: new Uint8Array() }));
  expect(asked).toEqual([]);
  expect(await readMessage(source, ofSize(9), 10)).toEqual(ok({ kind: "missing" }));
  expect(await readMessage(source, ofSize(10), 10)).toEqual(ok({ kind: "bytes", bytes: Buffer.from("0123456789") }));
});
