import assert from "node:assert/strict";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DecodeError } from "./decode-error.ts";
import {
  BatchUpdateBlobsRequest,
  FindMissingBlobsRequest,
  NodeProperties,
  OutputFile,
  RequestMetadata,
} from "./generated/remote-execution.ts";
import { CODECS, messages, oracleBytes, oracleMessage } from "./oracle.fixture.ts";

const scale = Number(process.env.KAHN_TEST_SCALE ?? 1);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

// Goal: every generated codec speaks protobuf. Method: random messages of each type; a second implementation, fed with
// the same descriptors, must write the same bytes and read the same message, and so must we.
test.each(CODECS.map((codec) => [codec.typeName, codec] as const))(
  "%s is what a second implementation says",
  (name, codec) => {
    fc.assert(
      fc.property(messages(name), (message) => {
        const bytes = codec.encode(message as never);
        expect(hex(bytes)).toBe(hex(oracleBytes(name, message)));
        expect(hex(Buffer.concat(codec.encodeParts(message as never)))).toBe(hex(bytes));
        assert.deepEqual(codec.decode(bytes), message);
        assert.deepEqual(oracleMessage(name, bytes), message);
      }),
      { numRuns: 15 * scale },
    );
  },
);

// Goal: decoders are total. Method: damage valid bytes (cut, flip, insert) and feed pure noise; a message or a
// DecodeError is fine, anything else is not. What was decoded can be encoded and read again.
test.each(CODECS.map((codec) => [codec.typeName, codec] as const))(
  "no bytes make the decoder of %s fail otherwise",
  (name, codec) => {
    const damage = fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 12 }), fc.nat({ max: 3 }));
    fc.assert(
      fc.property(messages(name), damage, (message, [at, noise, cut]) => {
        const whole = codec.encode(message as never);
        const where = whole.length === 0 ? 0 : at % whole.length;
        const damaged = Buffer.concat([whole.subarray(0, where), noise, whole.subarray(where + cut)]);
        for (const bytes of [damaged, whole.subarray(0, where), noise]) {
          let decoded: unknown;
          try {
            decoded = codec.decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
            continue;
          }
          const again = codec.decode(codec.encode(decoded as never));
          assert.deepEqual(again, decoded);
        }
      }),
      { numRuns: 20 * scale },
    );
  },
);

test("an error names the message and the field, by their names in the .proto file", () => {
  const good = FindMissingBlobsRequest.encode({ blobDigests: [{ hash: "ab", sizeBytes: 1 }, { hash: "cd" }] });
  const bad = Buffer.from(good);
  bad[bad.indexOf("cd")] = 0xff;
  const name = "build.bazel.remote.execution.v2.FindMissingBlobsRequest";
  expect(() => FindMissingBlobsRequest.decode(bad)).toThrow(
    new DecodeError({ typeName: name, path: "blob_digests.hash", reason: "string that is not UTF-8" }),
  );
  expect(() => FindMissingBlobsRequest.decode(good.subarray(0, good.length - 1))).toThrow(
    `${name} field blob_digests: cut off`,
  );
});

test("a number beyond 2^53 is an error, never its neighbour", () => {
  const size = (varint: readonly number[]) => Uint8Array.of(0o22, varint.length + 1, 0o20, ...varint);
  const max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  expect(FindMissingBlobsRequest.decode(size(max)).blobDigests[0]?.sizeBytes).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => FindMissingBlobsRequest.decode(size([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]))).toThrow(
    "blob_digests.size_bytes: number beyond 2^53",
  );
  expect(() => FindMissingBlobsRequest.decode(size(Array(11).fill(0x80)))).toThrow("number longer than ten bytes");
});

test("a number that its field cannot hold is not written", () => {
  expect(() => FindMissingBlobsRequest.encode({ blobDigests: [{ sizeBytes: 1.5 }] })).toThrow("field 2");
  expect(() => FindMissingBlobsRequest.encode({ digestFunction: 2 ** 31 })).toThrow("field 3");
  expect(() => NodeProperties.encode({ unixMode: { value: -1 } })).toThrow("field 1");
});

test("unknown fields of every wire type are passed over, groups included", () => {
  const unknown = [
    Uint8Array.of(0xf8, 0x07, 0x80, 0x01), // 127: varint
    Uint8Array.of(0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8), // 127: 64 bits
    Uint8Array.of(0xfa, 0x07, 2, 0xff, 0xff), // 127: length
    Uint8Array.of(0xfd, 0x07, 1, 2, 3, 4), // 127: 32 bits
    Uint8Array.of(0xfb, 0x07, 0x0b, 0x08, 1, 0x0c, 0xfc, 0x07), // 127: a group with a group in it
    Uint8Array.of(0x08, 5), // tool_details as a number
  ];
  const bytes = Buffer.concat([...unknown, RequestMetadata.encode({ actionId: "a" }), ...unknown]);
  expect(RequestMetadata.decode(bytes)).toMatchObject({ actionId: "a", toolDetails: undefined });
  for (const bad of [
    Uint8Array.of(0xfb, 0x07),
    Uint8Array.of(0xfb, 0x07, 0x0c),
    Uint8Array.of(0x0e),
    Uint8Array.of(0x02),
  ]) {
    expect(() => RequestMetadata.decode(bad)).toThrow(DecodeError);
  }
});

test("a bytes field is a view into what was decoded, not a copy", () => {
  const bytes = OutputFile.encode({ contents: Buffer.from("abc") });
  const { contents } = OutputFile.decode(bytes);
  expect(contents.buffer).toBe(bytes.buffer);
  bytes[bytes.length - 1] = 0x7a;
  expect(Buffer.from(contents).toString()).toBe("abz");
});

test("what encode returns stays as it is when the next message is encoded, small or large", () => {
  for (const size of [1, 100, 5000, 100_000, 3_000_000]) {
    const bytes = OutputFile.encode({ contents: Buffer.alloc(size, 1) });
    const before = hex(bytes);
    OutputFile.encode({ contents: Buffer.alloc(size + 10, 2) });
    expect(hex(bytes)).toBe(before);
    expect(bytes.buffer.byteLength).toBeLessThan(3 * size + 20_000);
  }
});

// Goal: sending in parts is a matter of speed only. Method: batches of blobs of sizes around the limit, in any order.
test("parts are together what encode gives, and large bytes are parts as they are", () => {
  const size = fc.oneof(fc.nat({ max: 300 }), fc.integer({ min: 16_380, max: 16_390 }), fc.nat({ max: 80_000 }));
  fc.assert(
    fc.property(fc.array(size, { maxLength: 8 }), fc.string(), (sizes, instanceName) => {
      const requests = sizes.map((size, index) => ({ data: Buffer.alloc(size, index), digest: { hash: "ab" } }));
      const parts = BatchUpdateBlobsRequest.encodeParts({ instanceName, requests });
      // Another message between: parts must not be in a buffer that is used again.
      BatchUpdateBlobsRequest.encodeParts({ requests: [...requests].reverse() });
      expect(hex(Buffer.concat(parts))).toBe(hex(BatchUpdateBlobsRequest.encode({ instanceName, requests })));
      for (const { data } of requests) expect(parts.includes(data)).toBe(data.length >= 16 * 1024);
    }),
    { numRuns: 30 * scale },
  );
});

test("a message of many tiny messages is refused before it has filled the memory", () => {
  const bytes = Buffer.alloc(4_000_000);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0o22;
  expect(() => FindMissingBlobsRequest.decode(bytes)).toThrow("more than 1000000 nested messages");
});
