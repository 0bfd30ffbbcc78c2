import { chmodSync, closeSync, openSync, readdirSync, statSync, utimesSync, writeSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "@kahn/core";
import { expect, test } from "vitest";
import type { BlobReader, ServerStore } from "./server-store.ts";
import { memoryStore, noise, realPlace, value } from "./store.fixture.ts";

const MIB = 1 << 20;

/** A large blob in a store that may keep two of them in memory. */
async function stored() {
  return await storedIn(await memoryStore({ memoryBytes: 10 * MIB }));
}

async function storedIn(store: ServerStore) {
  const bytes = noise(5 * MIB, 1);
  const digest = digestOf(bytes);
  const writer = value(await store.blobs.create(digest));
  if (writer === "present") throw new Error("it is there already");
  value(await writer.write(bytes));
  value(await writer.commit());
  return { store, bytes, digest, open: () => opened(store, digest) };
}

async function opened(store: ServerStore, digest: ReturnType<typeof digestOf>): Promise<BlobReader> {
  const reader = value(await store.blobs.open(digest));
  if (reader === undefined) throw new Error("it is not there");
  return reader;
}

/** Reads all, in order. */
async function readAll(reader: BlobReader): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < reader.sizeBytes; at += MIB)
    pieces.push(value(await reader.read(at, MIB, new Uint8Array(MIB))));
  reader.close();
  return Buffer.concat(pieces);
}

test("a large blob that is asked for again stays in memory once it went by, and is the same bytes each time", async () => {
  const { open, bytes } = await stored();
  const first = await open();
  const second = await open();
  const beside = await open();
  for (const reader of [first, second, beside]) {
    expect(reader.inMemory).toBe(undefined);
    expect((await readAll(reader)).equals(bytes)).toBe(true);
  }
  const third = await open();
  expect(third.inMemory?.byteLength).toBe(bytes.byteLength);
  expect((await readAll(third)).equals(bytes)).toBe(true);
});

test("one of which a part was read, or that was left in the middle, is not kept", async () => {
  const { open, bytes } = await stored();
  (await open()).close();
  const part = await open();
  for (const offset of [2 * MIB, 0]) {
    const got = value(await part.read(offset, MIB, new Uint8Array(MIB)));
    expect(Buffer.compare(bytes.subarray(offset, offset + MIB), got)).toBe(0);
  }
  part.close();
  expect((await open()).inMemory).toBe(undefined);
  const left = await open();
  value(await left.read(0, MIB, new Uint8Array(MIB)));
  left.close();
  expect((await open()).inMemory).toBe(undefined);
  expect((await readAll(await open())).equals(bytes)).toBe(true);
  expect((await open()).inMemory?.byteLength).toBe(bytes.byteLength);
});

test("damage that is found while a blob goes by is not kept, and the blob is missing from then on", async () => {
  const place = realPlace({ memoryBytes: 10 * MIB });
  try {
    const { store, digest, bytes, open } = await storedIn(await place.open());
    (await open()).close();
    damage(join(place.root, "cas"), bytes.length);
    const reader = await open();
    const codes: string[] = [];
    for (let at = 0; at < bytes.length; at += MIB) {
      const got = await reader.read(at, MIB, new Uint8Array(MIB));
      if (!got.ok) codes.push(got.problem.code);
    }
    expect(codes).toEqual(["blob-mismatch"]);
    expect(value(await store.blobs.findMissing([digest]))).toEqual([digest]);
    // Whoever asks for the last piece again gets it, and nobody else ever does.
    await reader.read(bytes.length - MIB, MIB, new Uint8Array(MIB));
    reader.close();
    const again = value(await store.blobs.create(digest));
    if (again === "present") throw new Error("it is there");
    value(await again.write(bytes));
    value(await again.commit());
    expect((await readAll(await open())).equals(bytes)).toBe(true);
    value(await store.close());
  } finally {
    place.cleanup();
  }
});

/** Turns a byte of the file of this size below a folder, and leaves its times. */
function damage(folder: string, sizeBytes: number): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    const { size, atime, mtime } = statSync(path);
    if (size !== sizeBytes) continue;
    chmodSync(path, 0o644);
    const file = openSync(path, "r+");
    writeSync(file, Buffer.from("x"), 0, 1, 3 * MIB);
    closeSync(file);
    chmodSync(path, 0o444);
    utimesSync(path, atime, mtime);
    return;
  }
  throw new Error(`no file of ${sizeBytes} bytes below ${folder}`);
}
