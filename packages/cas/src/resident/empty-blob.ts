/** The blob without bytes, which is there without anybody having stored it. */
import type { Digest } from "@kahn/core";
import { digestFunction, digestOf, isNativeDigestFunction } from "@kahn/core";

/** Known by heart, so that BLAKE3 need not be loaded to tell. */
const EMPTY_BLAKE3 = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262/0";

/** True for the digest of nothing, of any function. */
export function isEmptyBlob(digest: Digest): boolean {
  if (!digest.endsWith("/0")) return false;
  const fn = digestFunction(digest);
  return isNativeDigestFunction(fn) ? digest === digestOf("", fn) : digest === EMPTY_BLAKE3;
}
