/** Random digests, instance names and identifiers. */
import type { DigestFunction } from "@kahn/core";
import { HEX_LENGTH, makeDigest } from "@kahn/core";
import fc from "fast-check";

/** Every digest function that core knows. */
export const FUNCTIONS = Object.keys(HEX_LENGTH) as readonly DigestFunction[];

/** Lower-case hex of the length of one function. */
export const hashes = (fn: DigestFunction) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: HEX_LENGTH[fn], maxLength: HEX_LENGTH[fn] });

/** Well-formed digests of every function; never of the empty blob. */
export const digests = fc
  .constantFrom(...FUNCTIONS)
  .chain((fn) =>
    fc.tuple(hashes(fn), fc.nat({ max: 999_999_999_999_999 })).map(([hash, size]) => makeDigest(fn, hash, size)),
  );

const segment = fc.oneof(
  fc.constantFrom("a", "main", "sha256", "blake3", "zstd", "logs", "Blobs", "...", "ü", " ", "x y", "a:b"),
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,8}$/).filter((text) => text !== "." && text !== ".."),
);

/** Instance names, the empty one and such with slashes. */
export const instances = fc.array(segment, { maxLength: 4 }).map((segments) => segments.join("/"));

/** Identifiers of uploads, logs and operations. */
export const tokens = fc.oneof(fc.uuid(), fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._~:-]{0,20}$/));

/** Text that is nearly a name: its words in any order, with noise. */
export const nearNames = fc
  .array(
    fc.oneof(
      fc.constantFrom("blobs", "compressed-blobs", "uploads", "operations", "logstreams", "zstd", "identity", "blake3"),
      fc.constantFrom("sha256tree", "..", ".", "", "0", "1e3", "-1", "0x10", "%2e%2e", "..\\..", "a\0b", "ac"),
      fc.constantFrom("a".repeat(64), "A".repeat(64), "a".repeat(40), "g".repeat(64)),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
    { maxLength: 9 },
  )
  .map((segments) => segments.join("/"));
