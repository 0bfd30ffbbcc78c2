import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32, crc32ByTable } from "./crc32.ts";

// Goal: a journal written by one Node opens under another. Method: the published check value of CRC-32, then both
// implementations on random bytes.
test("the table and zlib give the same CRC-32", () => {
  expect(crc32ByTable(Buffer.from("123456789"))).toBe(0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(crc32ByTable(bytes)).toBe(crc32(bytes));
    }),
  );
});
