import { digestOf, makeDigest } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadEngine, loadHasher } from "./hasher.ts";

test("blake3 gives the published hashes", async () => {
  const engine = await loadEngine("blake3");
  const empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
  const abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
  expect(engine.digest(Buffer.from(""))).toBe(makeDigest("blake3", empty, 0));
  expect(engine.digest(Buffer.from("abc"))).toBe(makeDigest("blake3", abc, 3));
  expect((await loadHasher("blake3"))().hex()).toBe(empty);
});

// Goal: hashers share one machine and must not see each other. Method: two are fed in turns, whole digests in between.
test("hashers that are fed in turns give the hashes they give alone", async () => {
  for (const fn of ["blake3", "sha256"] as const) {
    const engine = await loadEngine(fn);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.uint8Array({ maxLength: 200 })), { maxLength: 12 }), (steps) => {
        const hashers = [engine.start(), engine.start()];
        const fed: Uint8Array[][] = [[], []];
        for (const [which, bytes] of steps) {
          if (which === 2) engine.digest(bytes);
          else {
            hashers[which]!.update(bytes);
            fed[which]!.push(bytes);
          }
        }
        hashers.forEach((hasher, which) => {
          const whole = Buffer.concat(fed[which]!);
          expect(`${fn}:${hasher.hex()}/${whole.length}`).toBe(engine.digest(whole));
        });
      }),
      { numRuns: 40 },
    );
  }
});

test("native engines agree with core", async () => {
  for (const fn of ["sha256", "sha1", "md5"] as const) {
    expect((await loadEngine(fn)).digest(Buffer.from("x"))).toBe(digestOf("x", fn));
  }
});
