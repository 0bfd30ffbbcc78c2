/** Large uploads whose hashes are made beside this thread: nothing is believed too early, and all memory comes back. */
import type { PieceHashers } from "@kahn/core";
import { digestOf } from "@kahn/core";
import { testScale } from "@kahn/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lateHashers } from "./late-hashers.fixture.ts";
import type { BlobWriter, ServerStore } from "./server-store.ts";
import { codeOf, isBlob, noise, realPlace, value } from "./store.fixture.ts";

const SCALE = testScale(process.env.KAHN_TEST_SCALE);
const KIB = 1024;

/** Uploads as a call does it: bytes are copied if that is all, and each message may be overwritten when it was taken. */
async function send(writer: BlobWriter, bytes: Uint8Array, messageBytes: number): Promise<void> {
  const message = Buffer.alloc(messageBytes);
  for (let at = 0; at < bytes.byteLength; at += messageBytes) {
    const part = message.subarray(0, Math.min(messageBytes, bytes.byteLength - at));
    part.set(bytes.subarray(at, at + part.length));
    if (writer.gather?.(part) !== true) value(await writer.write(part));
    message.fill("over");
  }
}

async function begin(store: ServerStore, bytes: Uint8Array): Promise<BlobWriter> {
  const begun = value(await store.blobs.create(digestOf(bytes)));
  if (begun === "present") throw new Error("it is there already");
  return begun;
}

/** A store in a directory of its own, for one test. */
async function withStore(hashers: PieceHashers, work: (store: ServerStore) => Promise<void>): Promise<void> {
  const place = realPlace({ hashers, durability: "none" });
  const store = await place.open();
  try {
    await work(store);
    value(await store.close());
  } finally {
    place.cleanup();
  }
}

// Goal: what is stored is what was sent, and memory is lent to nobody else while the file or the hash reads it. Method:
// several uploads at once in messages of any size, with little memory to lend, or with a hash that gets lost; memory is
// spoilt as soon as it comes back.
test.each([{}, { isLossy: true }, { lentMax: 3 }, { lentMax: 0 }])(
  "uploads at once are stored as they were sent, and all that was lent comes back: %o",
  { timeout: 120_000 },
  async (how) => {
    const { hashers, lent, idle } = lateHashers(how);
    let serial = 0;
    await withStore(hashers, async (store) => {
      const upload = fc.record({
        sizeBytes: fc.oneof(
          fc.integer({ min: 65 * KIB, max: 300 * KIB }),
          fc.integer({ min: 256 * KIB, max: 3000 * KIB }),
        ),
        messageBytes: fc.oneof(
          fc.integer({ min: 5000, max: 70 * KIB }),
          fc.integer({ min: 100 * KIB, max: 1200 * KIB }),
        ),
        isReceived: fc.boolean(),
      });
      const property = fc.asyncProperty(fc.array(upload, { minLength: 1, maxLength: 4 }), async (uploads) => {
        const one = async ({ sizeBytes, messageBytes, isReceived }: (typeof uploads)[number]) => {
          const bytes = noise(sizeBytes, ++serial);
          const digest = digestOf(bytes);
          if (isReceived) {
            const receiver = value(await store.blobs.receive("sha256"));
            for (let at = 0; at < sizeBytes; at += messageBytes) {
              value(await receiver.write(bytes.subarray(at, at + messageBytes)));
            }
            expect(value(await receiver.commit())).toBe(digest);
          } else {
            const writer = await begin(store, bytes);
            await send(writer, bytes, messageBytes);
            value(await writer.commit());
          }
          expect(isBlob(value(await store.blobs.read(digest)), digest)).toBe(true);
        };
        await Promise.all(uploads.map(one));
        await idle();
        expect(lent.size).toBe(0);
      });
      await fc.assert(property, { numRuns: 6 * SCALE });
    });
  },
);

test.each([{}, { isLossy: true }])(
  "bytes that are others than the digest's are refused, and leave nothing: %o",
  async (how) => {
    const { hashers, lent, idle } = lateHashers(how);
    await withStore(hashers, async (store) => {
      const bytes = noise(1500 * KIB, 1);
      const writer = await begin(store, bytes);
      const wrong = Uint8Array.from(bytes);
      wrong[1_400_000]! ^= 1;
      await send(writer, wrong, 100_000);
      expect(codeOf(await writer.commit())).toBe("blob-mismatch");
      const receiver = value(await store.blobs.receive("sha256"));
      value(await receiver.write(wrong));
      expect(codeOf(await receiver.commit(digestOf(bytes).slice(7, 71)))).toBe("blob-mismatch");
      await idle();
      expect(lent.size).toBe(0);
      expect(store.status()).toMatchObject({ usedBytes: 0, blobs: 0 });
      expect(value(await store.blobs.findMissing([digestOf(bytes), digestOf(wrong)]))).toHaveLength(2);
    });
  },
);

test("an upload that rests holds no memory, and goes on from there", async () => {
  const { hashers, lent, idle } = lateHashers();
  await withStore(hashers, async (store) => {
    const bytes = noise(2000 * KIB, 50);
    const writer = await begin(store, bytes);
    let from = 0;
    for (const to of [100_000, 100_001, 900_000, 900_000, 2000 * KIB]) {
      await send(writer, bytes.subarray(from, to), 70_000);
      value((await writer.rest?.())!);
      await idle();
      expect(lent.size).toBe(0);
      expect(writer.committedBytes).toBe(to);
      from = to;
    }
    value(await writer.commit());
    expect(isBlob(value(await store.blobs.read(digestOf(bytes))), digestOf(bytes))).toBe(true);
  });
});

test("an upload that is given up at any moment gives memory and room back, once neither file nor hash reads it", async () => {
  const { hashers, lent, idle } = lateHashers();
  await withStore(hashers, async (store) => {
    for (const [number, stops] of [0, 1, 2, 3, 5, 8, 13, 21, 34].entries()) {
      const bytes = noise(2000 * KIB, 100 + number);
      const digest = digestOf(bytes);
      const writer = await begin(store, bytes);
      const usedBytes = store.status().usedBytes;
      const committed = send(writer, bytes, 90_000).then(
        () => writer.commit(),
        () => undefined,
      );
      for (let turn = 0; turn < stops; turn++) await new Promise((resolve) => setImmediate(resolve));
      writer.abort();
      const isStored = (await committed)?.ok === true;
      await idle();
      expect(lent.size).toBe(0);
      expect(value(await store.blobs.findMissing([digest]))).toEqual(isStored ? [] : [digest]);
      expect(isBlob(value(await store.blobs.read(digest)), digest)).toBe(isStored);
      if (!isStored) expect(store.status().usedBytes).toBe(usedBytes);
    }
  });
});
