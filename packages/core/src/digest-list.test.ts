import { array, assert, constantFrom, integer, property, tuple, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import type { Digest, DigestFunction } from "./digest.ts";
import { HEX_LENGTH, makeDigest } from "./digest.ts";
import { digestAt, digestList, distinctDigests } from "./digest-list.ts";

const functions = constantFrom(...(Object.keys(HEX_LENGTH) as DigestFunction[]));

/** Few different ones, so that some occur twice. */
const listed = functions.chain((fn) => {
  const keyBytes = HEX_LENGTH[fn] / 2;
  const hash = uint8Array({ minLength: keyBytes, maxLength: keyBytes }).map((bytes) =>
    Buffer.from(bytes).toString("hex"),
  );
  const pool = array(tuple(hash, integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 4 });
  const digests = pool.chain((parts) =>
    array(
      constantFrom(...parts.map(([hex, sizeBytes]) => makeDigest(fn, hex, sizeBytes)), makeDigest(fn, parts[0]![0], 3)),
    ),
  );
  return tuple(constantFrom(fn), digests);
});

test("a list holds the digests it was made of", () => {
  assert(
    property(listed, ([fn, digests]) => {
      const list = digestList(fn, digests);
      expect(digests.map((_, at) => digestAt(list, at))).toEqual(digests);
    }),
  );
});

test("of digests that occur several times the first is named", () => {
  assert(
    property(listed, ([fn, digests]) => {
      const numbers = digests.map((_, at) => at).filter((at) => at % 3 !== 1);
      const firsts = new Map<Digest, number>();
      for (const at of numbers) if (!firsts.has(digests[at]!)) firsts.set(digests[at]!, at);
      expect(distinctDigests(digestList(fn, digests), numbers)).toEqual([...firsts.values()]);
    }),
  );
});
