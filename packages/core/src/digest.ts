/**
 * Content digests: the identity of every blob, directory and action.
 *
 * Owns:       parsing, validation and comparison of digests, and hashing of bytes in memory.
 * Never:      reads files, opens sockets, or knows where a blob is stored.
 * Invariant:  a value of type `Digest` is always well formed; only this module can make one, so no other code
 *             checks again.
 * Source:     REAPI v2, `message Digest` and `DigestFunction`; the message has no function field, so the function
 *             is carried beside it.
 */
import { createHash, hash } from "node:crypto";
import type { Problem } from "./problem.ts";
import { problem } from "./problem.ts";
import type { Result } from "./result.ts";
import { err, InvariantError, ok } from "./result.ts";

declare const digestBrand: unique symbol;

/** A well-formed digest: function, lower-case hex hash and size in bytes: `sha256:e3b0…b855/0`. */
export type Digest = string & { readonly [digestBrand]: "Digest" };

/** The digest functions of REAPI that Kahn knows, with the number of hex digits of each. */
export const HEX_LENGTH = { sha256: 64, sha1: 40, sha384: 96, sha512: 128, blake3: 64, md5: 32 } as const;

/** The name of a digest function. */
export type DigestFunction = keyof typeof HEX_LENGTH;

/** True for a name of `HEX_LENGTH`. */
export function isDigestFunction(name: string): name is DigestFunction {
  return Object.hasOwn(HEX_LENGTH, name);
}

/**
 * Makes a digest of parts that a hash function gave.
 *
 * @throws InvariantError when the hash is not lower-case hex of the function's length, or the size is not a whole number.
 */
export function makeDigest(fn: DigestFunction, hash: string, sizeBytes: number): Digest {
  const digest = digestOfParts(fn, hash, sizeBytes);
  if (digest === undefined) throw new InvariantError(`not a digest: ${fn}:${hash}/${sizeBytes}`);
  return digest;
}

/** What `parseDigest` accepts as well: at most 15 decimal digits. */
const SIZE_BYTES_MAX = 999_999_999_999_999;

/** Makes a digest of parts that somebody sent; `undefined` when they make none. */
export function digestOfParts(fn: DigestFunction, hash: string, sizeBytes: number): Digest | undefined {
  const isHash = hash.length === HEX_LENGTH[fn] && isLowerHex(hash);
  const isSize = Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes <= SIZE_BYTES_MAX;
  return isHash && isSize ? (`${fn}:${hash}/${sizeBytes}` as Digest) : undefined;
}

/** 1 at the codes of lower-case hex digits. */
const HEX_CODES = new Uint8Array(128);
for (const digit of "0123456789abcdef") HEX_CODES[digit.charCodeAt(0)] = 1;

/** Half the time of a regular expression: servers are asked for tens of thousands of digests at once. */
function isLowerHex(text: string): boolean {
  let all = 1;
  // A code beyond the table gives undefined, and undefined counts as 0.
  for (let at = 0; at < text.length; at++) all &= HEX_CODES[text.charCodeAt(at)]!;
  return all === 1;
}

/**
 * Parses the `function:hash/sizeBytes` form used in logs.
 *
 * @param text for example `"sha256:e3b0…b855/0"`; the hash has as many hex digits as its function gives.
 * @returns the digest, or a `digest-malformed` problem; never throws.
 */
export function parseDigest(text: string): Result<Digest, Problem<"digest-malformed">> {
  // Not `Number(size)`: "0x10", " 7" and "1e3" would all be accepted.
  const match = /^([a-z0-9]+):([0-9a-f]+)\/(0|[1-9][0-9]{0,14})$/.exec(text);
  const fn = match?.[1] ?? "";
  if (match === null || !isDigestFunction(fn) || match[2]!.length !== HEX_LENGTH[fn]) {
    return err(
      problem("digest-malformed", `"${text}" is not a digest`, {
        next: "Write it as function:hash/size, for example sha256:<64 hex digits>/<bytes>.",
      }),
    );
  }
  return ok(text as Digest);
}

/** The function that made a digest. */
export function digestFunction(digest: Digest): DigestFunction {
  return digest.slice(0, digest.indexOf(":")) as DigestFunction;
}

/** The lower-case hex hash of a digest. */
export function digestHash(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1, digest.lastIndexOf("/"));
}

/** The size in bytes of what was digested. */
export function digestSizeBytes(digest: Digest): number {
  return Number(digest.slice(digest.lastIndexOf("/") + 1));
}

/** The functions that Node's own crypto computes; `blake3` needs an engine that `cas` loads. */
export type NativeDigestFunction = Exclude<DigestFunction, "blake3">;

/** True for a function that `digestOf` and `nativeHasher` take. */
export function isNativeDigestFunction(fn: DigestFunction): fn is NativeDigestFunction {
  return fn !== "blake3";
}

/** Digest of bytes in memory (default SHA-256); text is taken as UTF-8. */
export function digestOf(bytes: Uint8Array | string, fn: NativeDigestFunction = "sha256"): Digest {
  const sizeBytes = typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.byteLength;
  return `${fn}:${hash(fn, bytes, "hex")}/${sizeBytes}` as Digest;
}

/** A hash under construction. One use: `update` any number of times, then `hex` once. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  hex(): string;
}

/** Starts a hash with one of Node's own functions. */
export function nativeHasher(fn: NativeDigestFunction): Hasher {
  const hash = createHash(fn);
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
}
