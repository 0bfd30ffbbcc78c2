import type { DigestFunction } from "@kahn/core";
import { digestAt, digestSizeBytes, HEX_LENGTH, makeDigest } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FindMissingBlobsRequest } from "../proto/generated/remote-execution.ts";
import { digestFunctionNumber, emptyHash } from "./digest-function.ts";
import { plainDigests, plainFieldBytes } from "./plain-digests.ts";
import { digestMessage, requestDigests } from "./request-digest.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
/** Those of which a digest's length takes one byte. */
const FUNCTIONS = ["sha256", "sha1", "sha384", "md5", "blake3"] as const;

const request = fc.constantFrom(...FUNCTIONS).chain((fn) => {
  const keyBytes = HEX_LENGTH[fn] / 2;
  const hash = fc
    .uint8Array({ minLength: keyBytes, maxLength: keyBytes })
    .map((key) => Buffer.from(key).toString("hex"));
  const sizeBytes = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 31, 2 ** 49 - 1), fc.nat());
  const digest = fc.oneof(
    fc.tuple(hash, sizeBytes).map(([hex, size]) => makeDigest(fn, hex, size)),
    fc.constant(makeDigest(fn, emptyHash(fn), 0)),
  );
  return fc.record({
    fn: fc.constant<DigestFunction>(fn),
    instanceName: fc.constantFrom("", "main", "a/b"),
    digests: fc.array(digest, { minLength: 1, maxLength: 8 }),
  });
});

function encoded({ fn, instanceName, digests }: typeof request extends fc.Arbitrary<infer T> ? T : never): Uint8Array {
  const digestFunction = fn === "sha256" ? 0 : digestFunctionNumber(fn);
  return FindMissingBlobsRequest.encode({ instanceName, blobDigests: digests.map(digestMessage), digestFunction });
}

test("what clients write is read where it lies, field by field", () => {
  fc.assert(
    fc.property(request, (asked) => {
      const message = encoded(asked);
      const plain = plainDigests(message);
      if (plain === undefined) throw new Error("it is not plain");
      expect([plain.instanceName, plain.list.fn]).toEqual([asked.instanceName, asked.fn]);
      expect(Array.from({ length: plain.list.count }, (_, at) => digestAt(plain.list, at))).toEqual(asked.digests);
      const fields = [...plain.starts].map((start) => message.subarray(start, start + plainFieldBytes(message, start)));
      const again = FindMissingBlobsRequest.decode(Buffer.concat(fields));
      expect(again.blobDigests).toEqual(asked.digests.map(digestMessage));
    }),
    { numRuns: 200 * SCALE },
  );
});

// Goal: nothing is let through, or read otherwise, that the message's codec and the rules of digests would refuse or read
// otherwise. Method: requests with bytes changed, left out and put in, beside the ordinary way.
test("bytes that are taken mean what the codec says they mean", () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    how: fc.constantFrom("set", "cut", "insert"),
    byte: fc.oneof(
      fc.constantFrom(0x0a, 0x10, 0x12, 0x18, 0, 0x30, 0x7f, 0x80, 0xff),
      fc.integer({ min: 0, max: 255 }),
    ),
  });
  let taken = 0;
  fc.assert(
    fc.property(request, fc.array(change, { minLength: 1, maxLength: 3 }), (asked, changes) => {
      let message = Buffer.from(encoded(asked));
      for (const { at, how, byte } of changes) {
        const place = Math.floor(at * message.length);
        const rest = how === "insert" ? message.subarray(place) : message.subarray(place + 1);
        message = Buffer.concat([message.subarray(0, place), how === "cut" ? Buffer.alloc(0) : Buffer.of(byte), rest]);
      }
      const plain = plainDigests(message);
      if (plain === undefined) return;
      taken++;
      const { instanceName, blobDigests, digestFunction } = FindMissingBlobsRequest.decode(message);
      const digests = requestDigests(blobDigests, digestFunction);
      if (!digests.ok) throw new Error(digests.problem.message);
      expect(plain.instanceName).toBe(instanceName);
      expect(Array.from({ length: plain.list.count }, (_, at) => digestAt(plain.list, at))).toEqual(digests.value);
    }),
    { numRuns: 3000 * SCALE },
  );
  expect(taken).toBeGreaterThan(100 * SCALE);
});

test("what is malformed is left to whoever can say why", () => {
  const digests = [makeDigest("sha256", "a".repeat(64), 1)];
  const good = encoded({ fn: "sha256", instanceName: "", digests });
  expect(plainDigests(good)?.list.count).toBe(1);
  expect(digestSizeBytes(digests[0]!)).toBe(1);
  expect(plainDigests(Buffer.alloc(0))).toBe(undefined);
  const message = (hash: string, sizeBytes: number) =>
    FindMissingBlobsRequest.encode({ blobDigests: [{ hash, sizeBytes }] });
  for (const bytes of [
    message("A".repeat(64), 1),
    message("a".repeat(63), 1),
    message("", 1),
    message(emptyHash("sha256"), 1),
    message("a".repeat(64), -1),
    message("a".repeat(64), 2 ** 53 - 1),
    Buffer.concat([good, Buffer.of(0x20, 1)]),
    good.subarray(0, good.length - 1),
    // Cut off behind the tag of each field, with more in the memory behind it.
    ...[0x0a, 0x12, 0x18].map((tag) => Buffer.concat([good, Buffer.of(tag), good]).subarray(0, good.length + 1)),
  ]) {
    expect(plainDigests(bytes)).toBe(undefined);
  }
});
