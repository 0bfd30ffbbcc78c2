import type { Digest } from "@kahn/core";
import { digestHash, digestList, digestOf, digestSizeBytes } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BlobIndex, OWN_FILE } from "./blob-index.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);

// Goal: the table is a map. Method: any sequence of puts and removals, over few keys so that they meet, beside a Map.
test("an index answers as a map of hashes does, whatever is put in and taken out", () => {
  const digests = Array.from({ length: 40 }, (_, index) => digestOf(`blob ${index}`));
  const change = fc.record({ which: fc.nat(39), isPut: fc.boolean(), home: fc.nat(3), usedMs: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), fc.integer(), (changes, seed) => {
      const index = new BlobIndex("sha256", seed);
      const model = new Map<number, { home: number; usedMs: number }>();
      for (const { which, isPut, home, usedMs } of changes) {
        const digest = digests[which]!;
        const known = model.get(which);
        if (isPut) {
          index.put({ hash: digestHash(digest), sizeBytes: digestSizeBytes(digest), usedMs, home });
          model.set(which, { home, usedMs: Math.max(usedMs, known?.usedMs ?? 0) });
        } else if (known !== undefined) {
          index.remove(index.find(digest));
          model.delete(which);
        }
      }
      expect(index.count).toBe(model.size);
      const all = index.findAll(digestList("sha256", digests));
      expect([...all]).toEqual(digests.map((digest) => index.find(digest)));
      digests.forEach((digest, which) => {
        const entry = index.find(digest);
        const known = model.get(which);
        expect(entry >= 0).toBe(known !== undefined);
        if (known === undefined) return;
        expect([index.home(entry), index.usedMs(entry), index.digest(entry)]).toEqual([
          known.home,
          known.usedMs,
          digest,
        ]);
      });
    }),
    { numRuns: 100 * SCALE },
  );
});

test("an index that has grown many times finds everything, and nothing else", () => {
  const index = new BlobIndex("sha256", 7);
  const digest = (number: number) => digestOf(`${number}`);
  for (let number = 0; number < 5000; number++) {
    const each = digest(number);
    index.put({ hash: digestHash(each), sizeBytes: digestSizeBytes(each), usedMs: number, home: OWN_FILE });
  }
  for (let number = 0; number < 5000; number++) expect(index.usedMs(index.find(digest(number)))).toBe(number);
  for (let number = 5000; number < 6000; number++) expect(index.find(digest(number))).toBe(-1);
  const all = Array.from({ length: 6000 }, (_, number) => digest(number));
  expect([...index.findAll(digestList("sha256", all))]).toEqual(all.map((each) => index.find(each)));
});

test("D14: a blob with the right hash and another size is not there", () => {
  const index = new BlobIndex("sha256", 7);
  const digest = digestOf("four");
  index.put({ hash: digestHash(digest), sizeBytes: 4, usedMs: 1, home: OWN_FILE });
  expect(index.find(digest)).toBe(0);
  const sized = ["0", "3", "4", "5"].map((size) => `${digest.slice(0, -1)}${size}` as Digest);
  expect([...index.findAll(digestList("sha256", sized))]).toEqual([-1, -1, 0, -1]);
  for (const size of ["0", "3", "5", "40", "44"]) {
    expect(index.find(digest.replace(/\d+$/, size) as typeof digest)).toBe(-1);
  }
});

test("a hash given as bytes is the hash given as text, at any place of its buffer", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 60 }),
      fc.nat(9),
      (hashes, at) => {
        const [byText, byBytes] = [new BlobIndex("sha256", 7), new BlobIndex("sha256", 7)];
        for (const [usedMs, hash] of hashes.entries()) {
          const text = Buffer.from(hash).toString("hex");
          const bytes = Buffer.concat([Buffer.alloc(at, 1), hash]);
          const place = { sizeBytes: usedMs + 1, usedMs, home: 1 + (usedMs % 3) };
          const entry = byText.put({ hash: text, ...place });
          expect(byBytes.putKey({ bytes, at }, place)).toBe(entry);
          expect(byText.findKey({ bytes, at })).toBe(entry);
          expect(byBytes.findHash(text)).toBe(entry);
          expect(byBytes.digest(entry)).toBe(byText.digest(entry));
        }
        expect(byBytes.count).toBe(byText.count);
      },
    ),
  );
});
