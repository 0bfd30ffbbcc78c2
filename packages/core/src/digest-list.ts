/**
 * Digests of one function side by side in memory: a question for ten thousand blobs need not make ten thousand texts.
 *
 * Invariant: what `digestAt` gives is a well-formed digest; whoever fills a list checks what it puts in.
 */
import type { Digest, DigestFunction } from "./digest.ts";
import { digestSizeBytes, HEX_LENGTH, makeDigest } from "./digest.ts";

/** Digests of one function, in order. */
export interface DigestList {
  readonly fn: DigestFunction;
  readonly count: number;
  /** Their hashes as bytes, one behind the other; they begin at a multiple of four of their buffer. */
  readonly keys: Uint8Array;
  /** Their sizes in bytes. */
  readonly sizes: Float64Array;
}

/** A list of digests, which all are of this function. */
export function digestList(fn: DigestFunction, digests: readonly Digest[]): DigestList {
  const keyBytes = HEX_LENGTH[fn] / 2;
  const keys = new Uint8Array(digests.length * keyBytes);
  const sizes = new Float64Array(digests.length);
  const hashAt = fn.length + 1;
  for (let at = 0; at < digests.length; at++) {
    const digest = digests[at]!;
    readHex(digest, hashAt, keys.subarray(at * keyBytes, (at + 1) * keyBytes));
    sizes[at] = digestSizeBytes(digest);
  }
  return { fn, count: digests.length, keys, sizes };
}

/** One digest of a list. */
export function digestAt({ fn, keys, sizes }: DigestList, at: number): Digest {
  const keyBytes = HEX_LENGTH[fn] / 2;
  const hash = Buffer.from(keys.buffer, keys.byteOffset + at * keyBytes, keyBytes).toString("hex");
  return makeDigest(fn, hash, sizes[at]!);
}

/**
 * The first of each digest in a part of a list, in order.
 *
 * @param numbers into the list.
 */
export function distinctDigests({ fn, keys, sizes }: DigestList, numbers: readonly number[]): number[] {
  const keyBytes = HEX_LENGTH[fn] / 2;
  const hashes = Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength);
  // As text, whose places in a set nobody can choose.
  const seen = new Set<string>();
  return numbers.filter((at) => {
    const key = `${hashes.toString("latin1", at * keyBytes, (at + 1) * keyBytes)}${sizes[at]}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}

const NIBBLES = new Uint8Array(128);
for (let value = 0; value < 16; value++) NIBBLES[value.toString(16).charCodeAt(0)] = value;

/** Fills `into` with the bytes of lower-case hex that begin at a place of a text, which has nothing else there. */
export function readHex(text: string, from: number, into: Uint8Array): void {
  for (let byte = 0, at = from; byte < into.length; byte++, at += 2) {
    into[byte] = (NIBBLES[text.charCodeAt(at)]! << 4) | NIBBLES[text.charCodeAt(at + 1)]!;
  }
}
