import assert from "node:assert/strict";
import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { test } from "vitest";
import { SharedMemory } from "./shared-memory.ts";

const SCALE = testScale(process.env.KAHN_TEST_SCALE);

// Goal: what is lent belongs to one, and all of it can be lent again. Method: random sizes, lent and given back in random
// order; each part is filled with its own byte and must still have it when it is given back.
test("parts never overlap, and what was given back can be lent as a whole", () => {
  const step = fc.record({ sizeBytes: fc.integer({ min: 1, max: 400_000 }), isLent: fc.boolean(), which: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const memory = new SharedMemory(1 << 20);
      const lent: { readonly part: Buffer; readonly mark: number }[] = [];
      const takeBack = (which: number) => {
        for (const { part, mark } of lent.splice(which, 1)) {
          assert.ok(part.every((byte) => byte === mark));
          memory.takeBack(part);
        }
      };
      for (const [index, { sizeBytes, isLent, which }] of steps.entries()) {
        const part = isLent ? memory.lend(sizeBytes) : undefined;
        if (part !== undefined) lent.push({ part: part.fill(index), mark: index });
        else if (lent.length > 0) takeBack(which % lent.length);
      }
      while (lent.length > 0) takeBack(0);
      assert.equal(memory.lentBytes, 0);
      assert.equal(memory.lend(1 << 20)?.length, 1 << 20);
      assert.equal(memory.lend(1), undefined);
    }),
    { numRuns: 50 * SCALE },
  );
});

test("what is not lent cannot be given back", () => {
  const memory = new SharedMemory(1 << 20);
  const part = memory.lend(100)!;
  memory.takeBack(part);
  assert.throws(() => memory.takeBack(part), { name: "InvariantError" });
  assert.throws(() => memory.takeBack(Buffer.alloc(100)), { name: "InvariantError" });
});
