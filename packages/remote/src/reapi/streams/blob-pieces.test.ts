import assert from "node:assert/strict";
import { ok } from "@kahn/core";
import { test } from "vitest";
import type { BlobReader } from "../../store/server-store.ts";
import { BlobPieces, PieceBuffers } from "./blob-pieces.ts";

const PIECE_BYTES = 1 << 20;

/** A blob whose byte at each offset is the number of its piece. */
function numbered(sizeBytes: number) {
  const log: string[] = [];
  const reader: BlobReader = {
    sizeBytes,
    read: async (offset, lengthBytes, into) => {
      assert.ok(into !== undefined);
      log.push(`read ${offset}`);
      await Promise.resolve();
      const bytes = into.subarray(0, Math.min(lengthBytes, sizeBytes - offset));
      bytes.fill(offset / PIECE_BYTES);
      log.push(`filled ${offset}`);
      return ok(bytes);
    },
    close: () => void log.push("closed"),
  };
  return { reader, log };
}

test("a piece is read while the one before is in use, into a buffer of its own until that is done with", async () => {
  const { reader } = numbered(3 * PIECE_BYTES + 5);
  const pieces = new BlobPieces(reader, { from: 0, to: reader.sizeBytes, buffers: new PieceBuffers() });
  const held = [];
  for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) held.push(piece);
  await pieces.close();
  const firsts = held.map(({ bytes }) => (bytes.ok ? [bytes.value[0], bytes.value.length] : bytes));
  assert.deepEqual(firsts, [
    [0, PIECE_BYTES],
    [1, PIECE_BYTES],
    [2, PIECE_BYTES],
    [3, 5],
  ]);
});

test("a buffer that is done with serves again, one that is not does not", async () => {
  const buffers = new PieceBuffers();
  const { reader } = numbered(PIECE_BYTES);
  const read = async () => await new BlobPieces(reader, { from: 0, to: PIECE_BYTES, buffers }).next();
  const memory = ({ bytes }: { readonly bytes: Awaited<ReturnType<BlobReader["read"]>> }) => {
    assert.ok(bytes.ok);
    return bytes.value.buffer;
  };
  const [first, second] = [await read(), await read()];
  assert.ok(first !== undefined && second !== undefined);
  assert.notEqual(memory(first), memory(second));
  first.done();
  const third = await read();
  assert.ok(third !== undefined);
  assert.equal(memory(third), memory(first));
});

test("a blob is closed only once it is not being read any more", async () => {
  const { reader, log } = numbered(2 * PIECE_BYTES);
  const pieces = new BlobPieces(reader, { from: 0, to: 2 * PIECE_BYTES, buffers: new PieceBuffers() });
  await pieces.next();
  await pieces.close();
  assert.deepEqual(log.slice(-2), [`filled ${PIECE_BYTES}`, "closed"]);
});
