import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import { noise } from "../reapi-server.fixture.ts";
import { Chunker, chunkSizes, cutChunk, DEFAULT_CHUNK_SIZES } from "./fast-cdc.ts";

const GEAR = Array.from({ length: 256 }, (_, byte) =>
  createHash("md5").update(Buffer.alloc(64, byte)).digest().readBigUInt64BE(0),
);
const scale = testScale(process.env.KAHN_TEST_SCALE);
const WORD = (1n << 64n) - 1n;

/** The algorithm as its authors and the reference implementations have it: 64 bits, two bytes a step. */
function referenceCut(
  bytes: Uint8Array,
  sizes: { min: number; avg: number; max: number; strict: bigint; loose: bigint },
): number {
  const { min, avg, max, strict, loose } = sizes;
  let remaining = bytes.length;
  if (remaining <= min) return remaining;
  let center = avg;
  if (remaining > max) remaining = max;
  else if (remaining < center) center = remaining;
  let index = Math.floor(min / 2);
  let hash = 0n;
  for (const [end, mask] of [
    [center, strict],
    [remaining, loose],
  ] as const) {
    for (; index < Math.floor(end / 2); index++) {
      const at = index * 2;
      hash = ((hash << 2n) + (GEAR[bytes[at]!]! << 1n)) & WORD;
      if ((hash & (mask << 1n)) === 0n) return at;
      hash = (hash + GEAR[bytes[at + 1]!]!) & WORD;
      if ((hash & mask) === 0n) return at + 1;
    }
  }
  return remaining;
}

test("the gear table is the published one", () => {
  assert.deepEqual(GEAR.slice(0, 4), [
    0x3b5d3c7d207e37dcn,
    0x784d68ba91123086n,
    0xcd52880f882e7298n,
    0xeacf8e4e19fdcca7n,
  ]);
});

// Goal: cuts where all others cut. Method: the reference in 64 bits beside ours in twice 24.
test("cuts are those of the reference, for every size of input", () => {
  const sizes = chunkSizes(1024);
  const reference = { min: 256, avg: 1024, max: 4096, strict: 0xd90103530000n, loose: 0x1800035300n };
  fc.assert(
    fc.property(fc.nat({ max: 6000 }), fc.nat(), fc.boolean(), (length, seed, isPoor) => {
      const bytes = isPoor ? noise(length, seed + 1).map((byte) => byte & 3) : noise(length, seed + 1);
      assert.equal(cutChunk(bytes, sizes), referenceCut(bytes, reference));
    }),
    { numRuns: 150 * scale },
  );
  const large = noise(3 << 20, 9);
  const masks = { min: 131_072, avg: 524_288, max: 2_097_152, strict: 0xd91767537000n, loose: 0xd90703537000n };
  for (let at = 0; at < large.length; ) {
    const rest = large.subarray(at);
    const cut = cutChunk(rest, DEFAULT_CHUNK_SIZES);
    assert.equal(cut, referenceCut(rest, masks));
    at += cut;
  }
});

test("zeros never meet the mask: chunks of the largest size", () => {
  const sizes = chunkSizes(1024);
  assert.equal(cutChunk(new Uint8Array(10_000), sizes), 4096);
});

test("chunks do not depend on the pieces in which bytes arrive, and join to them", () => {
  const sizes = chunkSizes(1024);
  const bytes = noise(40_000, 3);
  const chunksOf = (pieces: readonly Uint8Array[]) => {
    const chunker = new Chunker(sizes);
    const chunks: Buffer[] = [];
    for (const piece of pieces) for (const chunk of chunker.push(piece)) chunks.push(Buffer.from(chunk));
    for (const chunk of chunker.end()) chunks.push(Buffer.from(chunk));
    return chunks;
  };
  const whole = chunksOf([bytes]);
  assert.ok(Buffer.concat(whole).equals(bytes));
  assert.ok(whole.length > 10);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 }), (places) => {
      const ends = [0, ...places.sort((a, b) => a - b), bytes.length];
      const pieces = ends.slice(1).map((end, index) => bytes.subarray(ends[index]!, end));
      assert.deepEqual(chunksOf(pieces), whole);
    }),
    { numRuns: 30 * scale },
  );
  assert.deepEqual(chunksOf([]), []);
});
