import { loadHasher } from "@kahn/cas";
import { digestFunction, HEX_LENGTH, makeDigest } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { digestFunctionNumber, emptyDigest, requestFunction } from "./digest-function.ts";
import { digests, FUNCTIONS } from "./names.fixture.ts";
import { digestMessage, messageDigest, requestDigest, requestDigests } from "./request-digest.ts";

const numRuns = 200 * Number(process.env.KAHN_TEST_SCALE ?? 1);
const hash = "0123456789abcdef".repeat(4);

test("a digest that is sent comes back as itself when its function is sent, too", () => {
  fc.assert(
    fc.property(digests, (digest) => {
      expect(requestDigest(digestMessage(digest), digestFunctionNumber(digestFunction(digest)))).toStrictEqual({
        ok: true,
        value: digest,
      });
    }),
    { numRuns },
  );
});

test("the empty blob's digest is what the function gives for no bytes", async () => {
  for (const fn of FUNCTIONS) {
    const hasher = (await loadHasher(fn))();
    expect(emptyDigest(fn)).toBe(makeDigest(fn, hasher.hex(), 0));
  }
});

test("without a function the hash's length decides, and never for blake3", () => {
  for (const fn of FUNCTIONS) {
    const inferred = requestFunction(0, "a".repeat(HEX_LENGTH[fn]));
    expect(inferred).toStrictEqual({ ok: true, value: fn === "blake3" ? "sha256" : fn });
  }
  expect(requestFunction(9, "")).toStrictEqual({ ok: true, value: "blake3" });
  // VSO, MURMUR3, SHA256TREE, GITSHA1, and what nobody has defined.
  for (const number of [4, 7, 8, 10, 11, -1, 2 ** 31]) {
    expect(requestFunction(number, hash)).toMatchObject({ ok: false, problem: { code: "digest-function-unknown" } });
  }
});

test("one function per request: the first digest decides, and another length is malformed", () => {
  const one = { hash, sizeBytes: 1 };
  expect(requestDigests([one, one], 0)).toStrictEqual({
    ok: true,
    value: [makeDigest("sha256", hash, 1), makeDigest("sha256", hash, 1)],
  });
  expect(requestDigests([one, { hash: hash.slice(0, 40), sizeBytes: 1 }], 0)).toMatchObject({
    ok: false,
    problem: { code: "digest-malformed" },
  });
  expect(requestDigests([], 0)).toStrictEqual({ ok: true, value: [] });
});

test("upper-case, short, long, negative, fractional and missing digests are malformed", () => {
  const bad = [
    undefined,
    { hash: hash.toUpperCase(), sizeBytes: 1 },
    { hash: hash.slice(1), sizeBytes: 1 },
    { hash: `${hash}a`, sizeBytes: 1 },
    { hash: `${hash.slice(1)}/`, sizeBytes: 1 },
    { hash: "", sizeBytes: 0 },
    { hash, sizeBytes: -1 },
    { hash, sizeBytes: 1.5 },
    { hash, sizeBytes: Number.MAX_SAFE_INTEGER },
  ];
  for (const message of bad) {
    expect(messageDigest(message, "sha256")).toMatchObject({ ok: false, problem: { code: "digest-malformed" } });
    expect(requestDigest(message, 1).ok).toBe(false);
  }
});

test("the empty blob has no other size", () => {
  for (const fn of FUNCTIONS) {
    const message = digestMessage(emptyDigest(fn));
    expect(messageDigest(message, fn).ok).toBe(true);
    expect(messageDigest({ ...message, sizeBytes: 1 }, fn).ok).toBe(false);
  }
});
