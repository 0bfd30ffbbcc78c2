/**
 * Digest functions of REAPI: their numbers in messages, their names in paths, and how one is inferred.
 *
 * Source: `DigestFunction.Value` and the comments of `digest_function` fields in remote_execution.proto.
 * Note:   MD5 is known so that a message with it is understood; whether a server takes it is its configuration.
 */
import type { Digest, DigestFunction, Problem, Result } from "@kahn/core";
import { err, HEX_LENGTH, isDigestFunction, makeDigest, ok, problem } from "@kahn/core";

/** A request names a digest function that is not known here, or none fits its hashes. INVALID_ARGUMENT. */
export type DigestFunctionProblem = Problem<"digest-function-unknown">;

/** `DigestFunction.Value` of each function; 0 stands for "infer it". */
const NUMBERS: Readonly<Record<DigestFunction, number>> = {
  sha256: 1,
  sha1: 2,
  md5: 3,
  sha384: 5,
  sha512: 6,
  blake3: 9,
};

const BY_NUMBER = new Map(Object.entries(NUMBERS).map(([fn, number]) => [number, fn as DigestFunction]));

/** The functions that a hash's length stands for; the others share a length with one of these and must be named. */
const INFERRED: ReadonlyMap<number, DigestFunction> = new Map(
  (["md5", "sha1", "sha256", "sha384", "sha512"] as const).map((fn) => [HEX_LENGTH[fn], fn]),
);

/** Names in REAPI of functions that are not computed here; so that a path with one is not misread. */
const FOREIGN: ReadonlySet<string> = new Set(["vso", "murmur3", "sha256tree", "gitsha1"]);

const EMPTY: Readonly<Record<DigestFunction, string>> = {
  sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  sha1: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
  md5: "d41d8cd98f00b204e9800998ecf8427e",
  sha384: "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
  sha512:
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
  blake3: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
};

/** The `DigestFunction.Value` of a function. */
export function digestFunctionNumber(fn: DigestFunction): number {
  return NUMBERS[fn];
}

/**
 * The function of a request: the one it names, or the one that its hash's length stands for.
 *
 * @param number the request's `digest_function`; 0 when it named none.
 * @param hash any hash of the request, to infer from; a request has one function only.
 */
export function requestFunction(number: number, hash: string): Result<DigestFunction, DigestFunctionProblem> {
  const fn = number === 0 ? INFERRED.get(hash.length) : BY_NUMBER.get(number);
  if (fn !== undefined) return ok(fn);
  return number === 0
    ? unknownFunction(`no digest function has hashes of ${hash.length} hex digits`)
    : unknownFunction(`digest function ${number} is not known here`);
}

/** The function that a segment of a resource name names; `undefined` if the segment is something else. */
export function segmentFunction(segment: string): Result<DigestFunction, DigestFunctionProblem> | undefined {
  if (isDigestFunction(segment)) return ok(segment);
  return FOREIGN.has(segment) ? unknownFunction(`digest function ${segment} is not known here`) : undefined;
}

/** True when a resource name must name the function, because its hash's length stands for another. */
export function needsSegment(fn: DigestFunction): boolean {
  return INFERRED.get(HEX_LENGTH[fn]) !== fn;
}

/** The digest of the empty blob, which every server always has. */
export function emptyDigest(fn: DigestFunction): Digest {
  return makeDigest(fn, EMPTY[fn], 0);
}

/** The hash of the empty blob. */
export function emptyHash(fn: DigestFunction): string {
  return EMPTY[fn];
}

function unknownFunction(message: string): { readonly ok: false; readonly problem: DigestFunctionProblem } {
  const next = `Use one of ${Object.keys(NUMBERS).join(", ")}, as far as the server's capabilities list it.`;
  return err(problem("digest-function-unknown", message, { next }));
}
