/** The blob without bytes, which is there without anybody having stored it. */
import type { Digest } from "@kahn/core";
import { digestFunction, digestOf, isNativeDigestFunction } from "@kahn/core";

/** Known by heart, so that BLAKE3 need not be loaded to tell. */
const EMPTY_BLAKE3 = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262/0";

/** True for the digest of nothing, of any function. */
export function isEmptyBlob(digest: Digest): boolean {
  // Not `endsWith`, which takes longer than all the rest of a look-up's questions.
  if (digest.charCodeAt(digest.length - 1) !== 48 || digest.charCodeAt(digest.length - 2) !== 47) return false;
  const fn = digestFunction(digest);
  return isNativeDigestFunction(fn) ? digest === digestOf("", fn) : digest === EMPTY_BLAKE3;
}
