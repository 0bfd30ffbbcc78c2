import type { Digest } from "@kahn/core";
import { array, assert, constantFrom, integer, property, record } from "fast-check";
import { expect, test } from "vitest";
import type { HotFill } from "./hot-blobs.ts";
import { HotBlobs } from "./hot-blobs.ts";

const MAX_BYTES = 100;

function digest(name: string, sizeBytes: number): Digest {
  return `sha256:${name}/${sizeBytes}` as Digest;
}

// Goal: the bound holds whatever happens, and nobody gets bytes that are not the blob's. Method: random calls; the name of
// a blob says its size, its bytes are its name.
test("what is kept and what is read in never takes more than the bound, and is what was kept", () => {
  const step = record({ what: constantFrom("ask", "fill", "keep", "end", "get"), blob: integer({ min: 0, max: 11 }) });
  assert(
    property(array(step, { maxLength: 200 }), (steps) => {
      const hot = new HotBlobs(MAX_BYTES);
      const fills = new Map<number, HotFill>();
      const kept = new Set<number>();
      for (const { what, blob } of steps) {
        const sizeBytes = 5 + blob * 5;
        const named = digest(`b${blob}`, sizeBytes);
        const fill = fills.get(blob);
        if (what === "ask") hot.isWanted(named);
        else if (what === "fill" && sizeBytes <= MAX_BYTES / 2) {
          const begun = hot.fill(named);
          expect(begun !== undefined && fill !== undefined).toBe(false);
          if (begun !== undefined) fills.set(blob, begun);
          begun?.bytes.fill(blob);
        } else if (what === "keep" && fill !== undefined) {
          fill.keep();
          fills.delete(blob);
          kept.add(blob);
        } else if (what === "end" && fill !== undefined) {
          fill.end();
          fills.delete(blob);
        } else if (what === "get") {
          const bytes = hot.get(named);
          if (bytes !== undefined) expect(kept.has(blob) && bytes.every((byte) => byte === blob)).toBe(true);
        }
        expect(hot.heldBytes).toBeLessThanOrEqual(MAX_BYTES);
      }
      for (const fill of fills.values()) fill.end();
      expect(hot.heldBytes).toBe(
        [...kept].reduce((sum, blob) => sum + (hot.get(digest(`b${blob}`, 5 + blob * 5))?.length ?? 0), 0),
      );
    }),
  );
});

test("who gives memory up twice gives up nobody else's", () => {
  const hot = new HotBlobs(MAX_BYTES);
  const first = hot.fill(digest("a", 40));
  first?.end();
  const second = hot.fill(digest("a", 40));
  first?.end();
  expect([hot.heldBytes, hot.fill(digest("a", 40))]).toEqual([40, undefined]);
  first?.keep();
  expect(hot.heldBytes).toBe(80);
  second?.end();
  expect(hot.heldBytes).toBe(40);
});

test("a blob is wanted when it is asked for again, and never one that takes more than half", () => {
  const hot = new HotBlobs(MAX_BYTES);
  expect([hot.isWanted(digest("a", 50)), hot.isWanted(digest("a", 50))]).toEqual([false, true]);
  expect([hot.isWanted(digest("b", 51)), hot.isWanted(digest("b", 51))]).toEqual([false, false]);
});

test("what was longest not read goes first", () => {
  const hot = new HotBlobs(MAX_BYTES);
  for (const name of ["a", "b"]) hot.keep(digest(name, 40), new Uint8Array(40));
  hot.get(digest("a", 40));
  hot.keep(digest("c", 40), new Uint8Array(40));
  expect(["a", "b", "c"].map((name) => hot.get(digest(name, 40))?.length)).toEqual([40, undefined, 40]);
});
