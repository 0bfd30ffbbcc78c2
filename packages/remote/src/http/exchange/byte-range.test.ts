import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRange } from "./byte-range.ts";

test("what is no single range of bytes means the whole", () => {
  for (const header of [
    undefined,
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=0-1,3-4",
    "items=0-1",
    "bytes=5-4",
  ]) {
    expect(parseRange(header, 10)).toEqual({ kind: "all" });
  }
  for (const header of ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=999999999999999-"]) {
    expect(parseRange(header, 10)).toEqual({ kind: "impossible" });
  }
});

// Goal: a range names the bytes that RFC 9110 says. Method: beside slices of a list.
test("a range names the bytes that the same slice of a list has", () => {
  const bytes = Array.from({ length: 20 }, (_, index) => index);
  fc.assert(
    fc.property(fc.nat(30), fc.option(fc.nat(30)), fc.boolean(), (first, last, isSuffix) => {
      const header = isSuffix ? `bytes=-${first}` : `bytes=${first}-${last ?? ""}`;
      const wanted = isSuffix ? (first === 0 ? [] : bytes.slice(-first)) : bytes.slice(first, (last ?? 19) + 1);
      const range = parseRange(header, bytes.length);
      if (range.kind === "part") expect(bytes.slice(range.start, range.start + range.lengthBytes)).toEqual(wanted);
      else if (range.kind === "all") expect(!isSuffix && last !== null && last < first).toBe(true);
      else expect(wanted).toEqual([]);
    }),
  );
});
