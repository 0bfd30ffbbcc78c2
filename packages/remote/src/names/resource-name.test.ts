import { digestFunction, makeDigest } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { digests, instances, nearNames, tokens } from "./names.fixture.ts";
import {
  blobSubject,
  type CompressorName,
  parseInstanceName,
  parseOperationName,
  parseReadName,
  parseWriteName,
  printBlobName,
  printLogStreamName,
  printOperationName,
  printUploadName,
} from "./resource-name.ts";

const numRuns = 200 * Number(process.env.KAHN_TEST_SCALE ?? 1);
const compressor = fc.constantFrom<CompressorName>("identity", "zstd", "deflate", "brotli");
const hash = "0123456789abcdef".repeat(4);
const parsers = [parseReadName, parseWriteName, parseOperationName, parseInstanceName] as const;
const codes = ["resource-name-malformed", "digest-malformed", "digest-function-unknown"];

// Goal: a name survives the wire. Method: random parts of every kind, printed and parsed.
test("what is printed is parsed to the same parts, whatever the instance is called", () => {
  fc.assert(
    fc.property(instances, compressor, digests, tokens, fc.string(), (instance, compressor, digest, id, metadata) => {
      const blob = { kind: "blob", instance, compressor, digest } as const;
      expect(parseReadName(printBlobName(blob))).toStrictEqual({ ok: true, value: blob });
      const upload = { kind: "upload", instance, upload: id, compressor, digest, metadata } as const;
      expect(parseWriteName(printUploadName(upload))).toStrictEqual({ ok: true, value: upload });
      const operation = { instance, id };
      expect(parseOperationName(printOperationName(operation))).toStrictEqual({ ok: true, value: operation });
      const log = { kind: "log-stream", parent: instance, id, token: "" } as const;
      expect(parseReadName(printLogStreamName(log))).toStrictEqual({ ok: true, value: log });
      const writer = { ...log, token: id };
      expect(parseWriteName(printLogStreamName(writer))).toStrictEqual({ ok: true, value: writer });
    }),
    { numRuns },
  );
});

// Goal: parsers are total, and no part of a name leads out of a folder. Method: words of names in any order, and noise;
// whatever is accepted must print to a name that means the same.
test("no text makes a parser throw, and nothing that is parsed leads anywhere as a path", () => {
  fc.assert(
    fc.property(fc.oneof(nearNames, fc.string({ unit: "binary" })), (text) => {
      for (const parse of parsers) {
        const parsed = parse(text);
        if (!parsed.ok) {
          expect(codes).toContain(parsed.problem.code);
          continue;
        }
        const { value } = parsed;
        const parts = typeof value === "string" ? [value] : Object.entries(value).map(partOf);
        for (const segment of parts.flatMap((part) => part.split("/"))) {
          expect(segment).not.toMatch(/^\.{1,2}$|[\\\0]/);
        }
        if (typeof value === "string" || !("kind" in value)) continue;
        expect(reparsed(value)).toStrictEqual(parsed);
      }
    }),
    { numRuns: numRuns * 5 },
  );
});

function partOf([key, part]: readonly [string, string]): string {
  return key === "metadata" ? "" : part;
}

type Parsed = Extract<ReturnType<typeof parseReadName> | ReturnType<typeof parseWriteName>, { ok: true }>["value"];

function reparsed(value: Parsed) {
  if (value.kind === "blob") return parseReadName(printBlobName(value));
  if (value.kind === "upload") return parseWriteName(printUploadName(value));
  return (value.token === "" ? parseReadName : parseWriteName)(printLogStreamName(value));
}

test("a name names the digest function only where the hash's length does not tell it", () => {
  const sha256 = makeDigest("sha256", hash, 7);
  const blake3 = makeDigest("blake3", hash, 7);
  expect(blobSubject(sha256)).toBe(`blobs/${hash}/7`);
  expect(blobSubject(blake3)).toBe(`blobs/blake3/${hash}/7`);
  expect(printBlobName({ instance: "a/b", compressor: "zstd", digest: blake3 })).toBe(
    `a/b/compressed-blobs/zstd/blake3/${hash}/7`,
  );
  // A sender that writes it nevertheless is understood.
  expect(parseReadName(`blobs/sha256/${hash}/7`)).toMatchObject({ ok: true, value: { digest: sha256 } });
});

test("the function is inferred from the hash's length", () => {
  for (const [fn, length] of Object.entries({ md5: 32, sha1: 40, sha256: 64, sha384: 96, sha512: 128 })) {
    const parsed = parseReadName(`blobs/${"a".repeat(length)}/1`);
    expect(parsed.ok && parsed.value.kind === "blob" && digestFunction(parsed.value.digest)).toBe(fn);
  }
});

test("names of real clients are understood", () => {
  const uuid = "2b5e1f0a-8f0c-4c0b-9a43-6f2b0c1d2e3f";
  for (const name of [
    `uploads/${uuid}/blobs/${hash}/142`,
    `main/uploads/${uuid}/blobs/${hash}/142`,
    `a/b/c/uploads/${uuid}/compressed-blobs/zstd/${hash}/142`,
    `uploads/${uuid}/blobs/${hash}/142/some/file name.o`,
  ]) {
    expect(parseWriteName(name)).toMatchObject({ ok: true, value: { kind: "upload", upload: uuid } });
  }
});

test("names that are wrong somewhere are refused", () => {
  const wrong = [
    "",
    "blobs",
    "blobs/ab/1",
    `blobs/${hash}`,
    `blobs/${hash}/-1`,
    `blobs/${hash}/1e3`,
    `blobs/${hash}/01`,
    `blobs/${hash}/9007199254740993`,
    `blobs/${hash.toUpperCase()}/1`,
    `blobs/${hash}/1/more`,
    `blobs/murmur3/${hash}/1`,
    `blobs/blake3/${hash.slice(1)}/1`,
    `/blobs/${hash}/1`,
    `a//blobs/${hash}/1`,
    `../blobs/${hash}/1`,
    `actions/blobs/${hash}/1`,
    `compressed-blobs/identity/${hash}/1`,
    `compressed-blobs/lzma/${hash}/1`,
    `compressed-blobs/${hash}/1`,
    `uploads/u/blobs/${hash}/1`,
    "a/logstreams/id/token",
    `${"a/".repeat(3000)}blobs/${hash}/1`,
  ];
  for (const name of wrong) expect(parseReadName(name).ok, name).toBe(false);
  for (const name of [`blobs/${hash}/1`, `uploads/blobs/${hash}/1`, `uploads/../blobs/${hash}/1`, "a/logstreams/id"]) {
    expect(parseWriteName(name).ok, name).toBe(false);
  }
  for (const name of ["operations", "operations/", "operations/a/b", "operations/..", "a/operations/b c"]) {
    expect(parseOperationName(name).ok, name).toBe(false);
  }
});

test("a problem shows what was wrong on one line, and not all of a long name", () => {
  const parsed = parseReadName(`\n\x1b[31m${"a".repeat(3000)}`);
  expect(parsed.ok).toBe(false);
  if (parsed.ok) return;
  expect(parsed.problem.message).not.toMatch(/[\n\x1b]/);
  expect(parsed.problem.message.length).toBeLessThan(300);
});
