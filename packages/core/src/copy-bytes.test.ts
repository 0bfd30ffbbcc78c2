import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { copyBytes } from "./copy-bytes.ts";

test("bytes are copied to their place, and nowhere else, in memory of any kind", () => {
  const make = (sizeBytes: number, isShared: boolean) =>
    isShared ? Buffer.from(new SharedArrayBuffer(sizeBytes)) : Buffer.alloc(sizeBytes);
  fc.assert(
    fc.property(fc.nat(70), fc.nat(9), fc.nat(9), fc.boolean(), fc.boolean(), (size, from, to, isFrom, isInto) => {
      const source = make(size + from + 3, isFrom);
      for (let at = 0; at < source.length; at++) source[at] = at + 1;
      const into = make(size + to + 3, isInto).fill(255);
      copyBytes(source.subarray(from, from + size), into, to);
      const expected = Buffer.alloc(into.length, 255);
      for (let at = 0; at < size; at++) expected[to + at] = from + at + 1;
      assert.deepEqual([...into], [...expected]);
    }),
  );
});
