/** Ranges of bytes that clients ask for: one at a time. Source: RFC 9110, section 14. */

/** What a `Range` header comes to. */
export type ByteRange =
  | { readonly kind: "all" }
  /** From `start` on, `lengthBytes` of them, at least one. */
  | { readonly kind: "part"; readonly start: number; readonly lengthBytes: number }
  /** It starts behind the end. */
  | { readonly kind: "impossible" };

const ALL: ByteRange = { kind: "all" };
const IMPOSSIBLE: ByteRange = { kind: "impossible" };

/** @param header as it came; one that is malformed, of another unit, or of many ranges means nothing, as it may. */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange {
  if (header === undefined) return ALL;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  if (match === null) return ALL;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return ALL;
    const lengthBytes = Math.min(Number(last), sizeBytes);
    return lengthBytes === 0 ? IMPOSSIBLE : { kind: "part", start: sizeBytes - lengthBytes, lengthBytes };
  }
  const start = Number(first);
  const end = last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (last !== "" && Number(last) < start) return ALL;
  return start >= sizeBytes ? IMPOSSIBLE : { kind: "part", start, lengthBytes: end - start + 1 };
}
