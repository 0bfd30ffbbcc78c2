/** The contract of `PieceHashers`. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { PieceHasher, PieceHashers } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** Hashers under test. */
export interface PieceHasherSubject extends ContractSubject {
  readonly hashers: PieceHashers;
}

const SIZES = [0, 1, 63, 64, 65, 4096, 100_000, 1_000_000];

/** Bytes that differ from those of other seeds, in memory that is lent where there is some. */
function piece({ hashers }: PieceHasherSubject, sizeBytes: number, seed: number): Buffer {
  const bytes = hashers.lend(sizeBytes) ?? Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = (at * 31 + seed * 17) & 255;
  return bytes;
}

function isLent(memory: Buffer): boolean {
  return memory.buffer instanceof SharedArrayBuffer;
}

/** Gives all pieces, and spoils each as soon as that is allowed. */
async function feed(subject: PieceHasherSubject, hasher: PieceHasher, pieces: readonly Buffer[]): Promise<void> {
  const spoilt = pieces.map(async (each) => {
    await hasher.update(each);
    each.fill(255);
    if (isLent(each)) subject.hashers.takeBack(each);
  });
  await Promise.all(spoilt);
}

function hexOf(fn: string, pieces: readonly Buffer[]): string {
  const hash = createHash(fn);
  for (const each of pieces) hash.update(each);
  return hash.digest("hex");
}

/** The cases for hashers. */
export function pieceHasherContract(make: MakeSubject<PieceHasherSubject>): readonly ContractCase[] {
  return contractCases<PieceHasherSubject>(make, {
    "pieces of any size, in memory of any kind, give the hash of their bytes in order, by every function": async (
      subject,
    ) => {
      for (const fn of ["sha256", "sha1", "sha384", "sha512", "md5"] as const) {
        const pieces = SIZES.map((sizeBytes, seed) =>
          seed % 2 === 0 ? piece(subject, sizeBytes, seed) : Buffer.alloc(sizeBytes, seed),
        );
        const expected = hexOf(fn, pieces);
        const hasher = subject.hashers.start(fn);
        await feed(subject, hasher, pieces);
        assert.equal(await hasher.hex(), expected);
      }
    },
    "nothing has the hash of nothing": async ({ hashers }) => {
      assert.equal(await hashers.start("sha256").hex(), hexOf("sha256", []));
    },
    "hashes under construction at the same time do not mix": async (subject) => {
      const all = Array.from({ length: 20 }, (_, number) => ({
        hasher: subject.hashers.start("sha256"),
        pieces: [1, 2, 3].map((part) => piece(subject, 10_000 + number, number * 3 + part)),
      }));
      const expected = all.map(({ pieces }) => hexOf("sha256", pieces));
      await Promise.all(all.map(({ hasher, pieces }) => feed(subject, hasher, pieces)));
      assert.deepEqual(await Promise.all(all.map(({ hasher }) => hasher.hex())), expected);
    },
    "the hash may be asked for before the last pieces are taken": async (subject) => {
      const pieces = [1, 2, 3].map((seed) => piece(subject, 500_000, seed));
      const expected = hexOf("sha256", pieces);
      const hasher = subject.hashers.start("sha256");
      for (const each of pieces) void hasher.update(each);
      assert.equal(await hasher.hex(), expected);
    },
    "a hash that is given up keeps its promises, and others go on": async (subject) => {
      const [given, going] = [subject.hashers.start("sha256"), subject.hashers.start("sha256")];
      const promised = [given.update(piece(subject, 300_000, 1)), given.update(Buffer.alloc(300_000))];
      const pieces = [piece(subject, 1000, 2)];
      const expected = hexOf("sha256", pieces);
      const fed = feed(subject, going, pieces);
      given.abandon();
      await Promise.all([...promised, fed]);
      assert.equal(await going.hex(), expected);
    },
    "no byte is lent twice at a time": ({ hashers }) => {
      const lent: Buffer[] = [];
      for (let next = hashers.lend(100_000); next !== undefined && lent.length < 2000; next = hashers.lend(100_000)) {
        lent.push(next.fill(lent.length & 255));
      }
      for (const [number, memory] of lent.entries()) assert.ok(memory.every((byte) => byte === (number & 255)));
      for (const memory of lent) hashers.takeBack(memory);
      const again = hashers.lend(100_000);
      assert.equal(again === undefined, lent.length === 0);
    },
  });
}
