import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ZSTDDecoder } from "zstddec/stream";
import { noise } from "./store.fixture.ts";
import { loadZstd } from "./zstd.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);

/** Bytes that can be compressed, and not too well. */
function text(sizeBytes: number): Uint8Array {
  const bytes = noise(sizeBytes, 3);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = 97 + (bytes[at]! % 5);
  return bytes;
}

function decompressed(zstd: Awaited<ReturnType<typeof loadZstd>>, bytes: Uint8Array, pieceBytes: number) {
  const decompressor = zstd.decompressor();
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
    for (const piece of decompressor.push(bytes.subarray(at, at + pieceBytes))) {
      if (piece === "malformed") return "malformed";
      pieces.push(Uint8Array.from(piece));
    }
  }
  return decompressor.isAtFrameEnd ? Buffer.concat(pieces) : "cut";
}

test("what was compressed comes back, whole or in pieces of any size, frames in any number", async () => {
  const zstd = await loadZstd();
  for (const sizeBytes of [0, 1, 1025, 300_000, 5_000_000]) {
    const bytes = text(sizeBytes);
    const frame = await zstd.compress(bytes);
    expect(Buffer.compare(zstd.decompress(frame, sizeBytes)!, bytes)).toBe(0);
    for (const pieceBytes of sizeBytes > 10_000 ? [65_537, 1_000_000] : [1, 4, 100]) {
      expect(Buffer.compare(decompressed(zstd, frame, pieceBytes) as Buffer, bytes)).toBe(0);
      const twice = Buffer.concat([frame, Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]), frame]);
      expect(decompressed(zstd, twice, pieceBytes)).toHaveLength(2 * sizeBytes);
      expect(zstd.decompress(twice, 2 * sizeBytes)).toHaveLength(2 * sizeBytes);
    }
  }
});

test("a message that comes to more than was promised is refused before it is decompressed", async () => {
  const zstd = await loadZstd();
  const bomb = await zstd.compress(new Uint8Array(50_000_000));
  expect(bomb.byteLength).toBeLessThan(10_000);
  expect(zstd.decompress(bomb, 1000)).toBe(undefined);
  expect(zstd.decompress(Buffer.from("nothing like it"), 1000)).toBe(undefined);
  const [first] = zstd.decompressor().push(bomb);
  expect(first).toHaveLength(128 << 10);
});

test("a frame that asks for a larger window than 8 MiB gets none", async () => {
  const zstd = await loadZstd();
  const descriptors = {
    "a window of 1 GiB": [0x00, 20 << 3],
    "one segment of 4 GiB": [0xa0, 0xff, 0xff, 0xff, 0xff],
    "one segment of 2^60": [0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10],
  };
  for (const [name, descriptor] of Object.entries(descriptors)) {
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...descriptor, 0, 0, 0]);
    for (const pieceBytes of [1, 100]) expect(decompressed(zstd, head, pieceBytes), name).toBe("malformed");
  }
});

// Goal: no message costs more than its bytes. Method: two messages of frames as short as they may be, one of which the
// old way (joining the rest of the message at each frame) took hours for.
test("a message of a million frames is refused when they are empty, and read in time when they are not", async () => {
  const zstd = await loadZstd();
  const empty = Buffer.alloc(16 << 20, Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]));
  for (const pieceBytes of [empty.length, 1_000_003]) {
    expect(decompressed(zstd, empty, pieceBytes)).toBe("malformed");
  }
  const byte = await zstd.compress(Buffer.from("x"));
  const tiny = Buffer.concat(Array.from({ length: 20_000 }, () => byte));
  expect(decompressed(zstd, tiny, 1000)).toHaveLength(20_000);
  const skip = empty.subarray(0, 8);
  const pairs = Buffer.concat(Array.from({ length: 3000 }, () => [skip, byte]).flat());
  expect(decompressed(zstd, pairs, pairs.length)).toHaveLength(3000);
});

// Method: damage a stream anywhere; it is refused, cut, or comes to something, and nothing throws. An independent
// decoder of the same library agrees where it is well.
test("no damage to a stream breaks more than the stream", async () => {
  const zstd = await loadZstd();
  const oracle = new ZSTDDecoder();
  await oracle.init();
  const bytes = text(20_000);
  const frame = Buffer.from(await zstd.compress(bytes));
  expect(Buffer.compare(oracle.decode(frame, bytes.length), bytes)).toBe(0);
  const damage = fc.record({ at: fc.nat(frame.length - 1), to: fc.nat(255), cut: fc.nat(frame.length) });
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 5000 }), (all, piece) => {
      const damaged = Buffer.from(frame);
      for (const { at, to } of all) damaged[at] = to;
      decompressed(zstd, damaged.subarray(0, all[0]!.cut), piece);
      zstd.decompress(damaged, bytes.length);
      expect(Buffer.compare(zstd.decompress(frame, bytes.length)!, bytes)).toBe(0);
    }),
    { numRuns: 100 * SCALE },
  );
});

test("the codec is in a bundle of one file, and works there", async () => {
  const stdin = { contents: 'export { loadZstd } from "./zstd.ts";', resolveDir: import.meta.dirname };
  const { outputFiles } = await build({ bundle: true, write: false, platform: "node", format: "esm", stdin });
  const directory = mkdtempSync(join(tmpdir(), "kahn-zstd-"));
  try {
    writeFileSync(join(directory, "bundle.mjs"), outputFiles[0]!.text);
    const url = pathToFileURL(join(directory, "bundle.mjs")).href;
    const zstd = await ((await import(url)) as typeof import("./zstd.ts")).loadZstd();
    expect(zstd.decompress(await zstd.compress(text(1000)), 1000)).toStrictEqual(text(1000));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
