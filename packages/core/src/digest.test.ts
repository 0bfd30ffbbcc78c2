import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DigestFunction, NativeDigestFunction } from "./digest.ts";
import {
  digestFunction,
  digestHash,
  digestOf,
  digestOfParts,
  digestSizeBytes,
  HEX_LENGTH,
  isDigestFunction,
  makeDigest,
  nativeHasher,
  parseDigest,
} from "./digest.ts";

const functions = Object.keys(HEX_LENGTH) as DigestFunction[];
const native = functions.filter((fn): fn is NativeDigestFunction => fn !== "blake3");

test("a digest is taken apart into what it was made of, and reads back as itself", () => {
  fc.assert(
    fc.property(fc.constantFrom(...functions), fc.nat({ max: 999_999_999_999_999 }), fc.nat(), (fn, size, seed) => {
      const hash = createHash("sha512").update(String(seed)).digest("hex").slice(0, HEX_LENGTH[fn]);
      const digest = makeDigest(fn, hash, size);
      expect([digestFunction(digest), digestHash(digest), digestSizeBytes(digest)]).toStrictEqual([fn, hash, size]);
      expect(parseDigest(digest)).toStrictEqual({ ok: true, value: digest });
    }),
  );
});

test("hashing bytes, text and pieces agrees, for every function of Node", () => {
  for (const fn of native) {
    const text = "grüße";
    const bytes = Buffer.from(text);
    const expected = makeDigest(fn, createHash(fn).update(bytes).digest("hex"), bytes.length);
    expect(digestOf(bytes, fn)).toBe(expected);
    expect(digestOf(text, fn)).toBe(expected);
    const hasher = nativeHasher(fn);
    hasher.update(bytes.subarray(0, 3));
    hasher.update(bytes.subarray(3));
    expect(hasher.hex()).toBe(digestHash(expected));
  }
});

test("the digest of nothing is the well-known one", () => {
  expect(digestOf("")).toBe("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/0");
});

test("text that is not a digest is refused with what to write instead", () => {
  const hash = "a".repeat(64);
  const bad = ["", hash, `sha256:${hash}`, `sha256:${hash}/`, `sha256:${hash}/-1`, `sha256:${hash}/01`];
  bad.push(`sha256:${hash}/1e3`, `sha256:${hash}/0x1`, `sha256:${hash}/ 1`, `sha256:${hash.toUpperCase()}/1`);
  bad.push(
    `sha256:${hash}a/1`,
    `sha1:${hash}/1`,
    `toString:${hash}/1`,
    `sha256:${hash}/1\n`,
    `sha256:${hash}/${"9".repeat(16)}`,
  );
  for (const text of bad) expect(parseDigest(text), text).toMatchObject({ problem: { code: "digest-malformed" } });
});

test("parts that make no digest are a bug", () => {
  const hash = "a".repeat(64);
  expect(() => makeDigest("sha256", hash.slice(1), 1)).toThrow("not a digest");
  expect(() => makeDigest("sha256", hash.toUpperCase(), 1)).toThrow("not a digest");
  expect(() => makeDigest("sha256", hash, -1)).toThrow("not a digest");
  expect(() => makeDigest("sha256", hash, 0.5)).toThrow("not a digest");
});

test("names that every object has are not digest functions", () => {
  expect(isDigestFunction("sha256")).toBe(true);
  expect(isDigestFunction("constructor")).toBe(false);
});

test("every character but lower-case hex digits makes a hash none, wherever it stands", () => {
  const hash = digestHash(digestOf(""));
  for (const wrong of ["g", "`", "/", ":", "A", "F", " ", "\0", "\u007f", "\u0130", "\u{ff10}", "\u{1f600}"[0]!]) {
    for (const at of [0, 31, 63]) {
      expect(digestOfParts("sha256", hash.slice(0, at) + wrong + hash.slice(at + 1), 0), wrong).toBe(undefined);
    }
  }
  for (const digit of "0123456789abcdef") expect(digestOfParts("sha1", digit.repeat(40), 1)).toBeDefined();
});
