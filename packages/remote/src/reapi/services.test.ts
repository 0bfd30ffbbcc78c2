/** The services on the store that servers have: everything else is tested on a double that shows its insides. */
import assert from "node:assert/strict";
import { digestOf, encodeDirectory } from "@kahn/core";
import { nodeClock } from "@kahn/system";
import { memoryFileSystem } from "@kahn/testing";
import { afterAll, test } from "vitest";
import { StatusCode } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import { memoryStore } from "../store/store.fixture.ts";
import type { MemoryServerStore } from "./memory-server-store.fixture.ts";
import {
  answered,
  blobOf,
  codeOf,
  METHODS,
  noise,
  readAll,
  readName,
  startReapi,
  writeAll,
  writeName,
} from "./reapi-server.fixture.ts";
import { frameOf } from "./stored-zstd.fixture.ts";
import { loadWireZstd } from "./wire/zstd.ts";

const fs = memoryFileSystem();
const store = await memoryStore({ fs });
// The double's insides are not used below.
const zstd = await loadWireZstd(nodeClock());
const server = await startReapi({ store: store as MemoryServerStore, zstd });
const { channel } = server;

afterAll(async () => {
  await server.close();
  assert.ok((await store.close()).ok);
  assert.deepEqual(server.faults, []);
});

test("blobs of every size go in and come out, plain and compressed, whole and in ranges", async () => {
  for (const [seed, size] of [0, 1, 1000, 70_000, 3_000_000].entries()) {
    for (const compressor of ["identity", "zstd"] as const) {
      const blob = blobOf(noise(size, seed + (compressor === "zstd" ? 100 : 1)));
      const wire = compressor === "zstd" ? await zstd.compress(blob.bytes) : blob.bytes;
      answered(await writeAll(server, wire, { resourceName: writeName(blob.digest, `u${size}`, compressor) }));
      const plain = await readAll(server, { resourceName: readName(blob.digest) });
      assert.ok(plain.code === 0 && plain.bytes.equals(blob.bytes), `${size} ${compressor}`);
      const from = Math.floor(size / 3);
      const packed = await readAll(server, { resourceName: readName(blob.digest, "zstd"), readOffset: from });
      const unpacked = await zstd.decompress(packed.bytes, size);
      assert.ok(unpacked.ok && blob.bytes.subarray(from).equals(unpacked.value));
    }
  }
});

test("what is no zstd, ends early or unpacks to more than was promised is refused, and nothing of it is kept", async () => {
  const text = Buffer.alloc(300_000, "some text that packs well, ");
  const packed = await zstd.compress(text);
  assert.ok(packed.length < 10_000);
  const right = blobOf(text);
  const small = blobOf("small");
  const bombs = [
    { wire: packed, digest: small },
    { wire: frameOf(Buffer.alloc(8 << 20)), digest: small },
    { wire: packed.subarray(0, -1), digest: right },
    { wire: Buffer.from("no zstd at all"), digest: right },
    { wire: Buffer.concat([packed, Buffer.from("x")]), digest: right },
  ];
  for (const { wire, digest } of bombs) {
    const resourceName = writeName(digest.digest, "bomb", "zstd");
    assert.equal(codeOf(await writeAll(server, wire, { resourceName, pieceBytes: 1000 })), StatusCode.invalidArgument);
    const requests = [{ digest: digest.message, data: wire, compressor: 1 }];
    const { responses } = answered(await channel.unary(METHODS.batchUpdate, { requests }));
    assert.equal(responses[0]?.status?.code, StatusCode.invalidArgument);
    const found = answered(await channel.unary(METHODS.findMissing, { blobDigests: [digest.message] }));
    assert.equal(found.missingBlobDigests.length, 1);
  }
  answered(await writeAll(server, packed, { resourceName: writeName(right.digest, "u", "zstd"), pieceBytes: 4 }));
  const request = { digests: [right.message], acceptableCompressors: [1] };
  const [response] = answered(await channel.unary(METHODS.batchRead, request)).responses;
  assert.ok(response!.compressor === 1 && response!.data.length < 10_000);
});

test("little that unpacks to much is never held as a whole: it goes out in small pieces, one after the other", async () => {
  const bytes = 64 << 20;
  const packed = await zstd.compress(Buffer.alloc(bytes));
  assert.ok(packed.length < 20_000);
  const stream = zstd.decompressor(bytes);
  let given = 0;
  let isBusy = false;
  const pushed = await stream.push(packed, async (piece) => {
    assert.ok(!isBusy && piece.length <= 128 << 10);
    isBusy = true;
    await Promise.resolve();
    given += piece.length;
    isBusy = false;
  });
  assert.ok(pushed.ok && stream.end().ok);
  assert.equal(given, bytes);
});

test("D1: wrong bytes are refused by every way in", async () => {
  const right = blobOf("right");
  const { responses } = answered(
    await channel.unary(METHODS.batchUpdate, { requests: [{ digest: right.message, data: Buffer.from("wrong") }] }),
  );
  assert.equal(responses[0]?.status?.code, StatusCode.invalidArgument);
  const resourceName = writeName(right.digest, "u");
  assert.equal(codeOf(await writeAll(server, Buffer.from("wrong"), { resourceName })), StatusCode.invalidArgument);
  const found = answered(await channel.unary(METHODS.findMissing, { blobDigests: [right.message] }));
  assert.deepEqual(found.missingBlobDigests, [right.message]);
});

test("an upload is resumed, and ends early when another brings the blob", async () => {
  const blob = blobOf(noise(2_000_000, 7));
  const resourceName = writeName(blob.digest, "resumed");
  const half = await writeAll(server, blob.bytes.subarray(0, 1_000_000), { resourceName, finish: false });
  assert.equal(answered(half).committedSize, 1_000_000);
  const status = answered(await channel.unary(METHODS.writeStatus, { resourceName }));
  assert.deepEqual(status, { committedSize: 1_000_000, complete: false });
  const rest = await writeAll(server, blob.bytes.subarray(1_000_000), { resourceName, offset: 1_000_000 });
  assert.equal(answered(rest).committedSize, 2_000_000);
  const other = blobOf(noise(2_000_000, 8));
  const slow = channel.call(METHODS.write);
  await slow.send({ resourceName: writeName(other.digest, "slow"), data: other.bytes.subarray(0, 600_000) });
  answered(await writeAll(server, other.bytes, { resourceName: writeName(other.digest, "quick") }));
  await slow.send({ data: other.bytes.subarray(600_000, 1_200_000), writeOffset: 600_000 });
  assert.equal(answered(await slow.answer()).committedSize, 2_000_000);
});

test("D18: results are complete or missing, byte for byte; trees, chunks and assets work", async () => {
  const file = blobOf("a file");
  const directory = blobOf(
    encodeDirectory({ files: [{ name: "a", digest: file.digest, executable: false }], directories: [], symlinks: [] }),
  );
  const large = blobOf(noise(3_000_000, 9));
  const requests = [file, directory, large].map(({ bytes, message }) => ({ digest: message, data: bytes }));
  answered(await channel.unary(METHODS.batchUpdate, { requests }));
  const actionDigest = digestMessage(digestOf("a key"));
  const actionResult = { outputFiles: [{ path: "a", digest: file.message }], executionMetadata: { worker: "w" } };
  answered(await channel.unary(METHODS.updateAction, { actionDigest, actionResult, instanceName: "x/y" }));
  const got = answered(
    await channel.unary(METHODS.getAction, { actionDigest, instanceName: "x/y", inlineOutputFiles: ["a"] }),
  );
  assert.equal(String(got.outputFiles[0]!.contents), "a file");
  assert.equal(codeOf(await channel.unary(METHODS.getAction, { actionDigest })), StatusCode.notFound);
  const incomplete = { outputFiles: [{ path: "a", digest: blobOf("never stored").message }] };
  const other = digestMessage(digestOf("another key"));
  answered(await channel.unary(METHODS.updateAction, { actionDigest: other, actionResult: incomplete }));
  assert.equal(codeOf(await channel.unary(METHODS.getAction, { actionDigest: other })), StatusCode.notFound);

  const tree = channel.read(METHODS.getTree, { rootDigest: directory.message });
  let directories = 0;
  for await (const page of tree.messages) directories += page.directories.length;
  assert.equal(directories, 1);
  const { chunkDigests } = answered(await channel.unary(METHODS.split, { blobDigest: large.message }));
  assert.deepEqual(
    answered(await channel.unary(METHODS.split, { blobDigest: large.message })).chunkDigests,
    chunkDigests,
  );
  answered(await channel.unary(METHODS.splice, { blobDigest: large.message, chunkDigests }));
  answered(await channel.unary(METHODS.pushBlob, { uris: ["x:y"], blobDigest: file.message }));
  assert.deepEqual(answered(await channel.unary(METHODS.fetchBlob, { uris: ["x:y"] })).blobDigest, file.message);
});
