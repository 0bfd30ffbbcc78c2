/** §2.4: ByteStream.Write and QueryWriteStatus. */
import { randomUUID } from "node:crypto";
import type { Check } from "../check.ts";
import { given, must, optional, section, should } from "../check.ts";
import type { Blob } from "../checked-server.ts";
import { answerOf, Code, expectCode } from "../endpoint.ts";
import { demand, same, sameBytes, skip } from "../expectations.ts";
import type { Features } from "../features.ts";
import { zstdFrame } from "../zstd-frames.ts";

const { INVALID_ARGUMENT, NOT_FOUND, OK, OUT_OF_RANGE } = Code;
/** How soon an upload of what is there has to end; the client does not end it. */
const EARLY = { timeoutMs: 10_000 };

const needsZstd = ({ hasZstd }: Features) =>
  hasZstd ? undefined : "the server does not offer zstd (supported_compressors)";

/** The checks of writes. */
export const STREAM_WRITE_CHECKS: readonly Check[] = section("2.4", [
  must("write/message-sizes", "A blob may come in messages of any size, and is committed whole.", async (server) => {
    for (const pieceBytes of [4000, 16_384, 1 << 20, 3 << 20]) {
      const blob = server.blob(3_200_000);
      const { committedSize } = answerOf(
        await server.write({ name: server.writeName(blob), bytes: blob.bytes, pieceBytes }),
      );
      same(committedSize, blob.bytes.length, "committed_size");
      await server.demandStored(blob);
    }
  }),
  must("write/finish-apart", "finish_write may come in a message without data.", async (server) => {
    const blob = server.blob();
    const call = server.endpoint.start("write");
    call.send({ resourceName: server.writeName(blob), data: blob.bytes });
    call.send({ writeOffset: blob.bytes.length, finishWrite: true });
    call.end();
    same(answerOf(await call.outcome).committedSize, blob.bytes.length, "committed_size");
    await server.demandStored(blob);
  }),
  must("write/trailing-metadata", "What follows the size in the name means nothing.", async (server) => {
    const blob = server.blob();
    const name = `${server.writeName(blob)}/some/path.o`;
    same(answerOf(await server.write({ name, bytes: blob.bytes })).committedSize, blob.bytes.length, "committed_size");
    await server.demandStored(blob);
  }),
  must("write/name-changes", "The name may be repeated, but not change: INVALID_ARGUMENT.", async (server) => {
    const send = async (blob: Blob, first: string, second: string) => {
      const call = server.endpoint.start("write");
      call.send({ resourceName: first, data: blob.bytes.subarray(0, 50) });
      call.send({ resourceName: second, data: blob.bytes.subarray(50), writeOffset: 50, finishWrite: true });
      call.end();
      return await call.outcome;
    };
    const [blob, other] = [server.blob(), server.blob()];
    const name = server.writeName(blob);
    expectCode(await send(blob, name, name), OK);
    expectCode(await send(other, server.writeName(other), server.writeName(server.blob())), INVALID_ARGUMENT);
    await server.demandAbsent(other);
  }),
  must(
    "write/present",
    "An upload of a blob that is there ends at once, committed in its whole size.",
    async (server) => {
      const blob = server.blob(100_000);
      await server.put(blob);
      const call = server.endpoint.start("write", EARLY);
      call.send({ resourceName: server.writeName(blob), data: blob.bytes.subarray(0, 10) });
      same(answerOf(await call.outcome).committedSize, blob.bytes.length, "committed_size");
    },
  ),
  given(
    needsZstd,
    must(
      "write/present-compressed",
      "A compressed upload of a blob that is there ends at once, committed_size being -1.",
      async (server) => {
        const blob = server.blob(100_000);
        await server.put(blob);
        const call = server.endpoint.start("write", EARLY);
        const data = zstdFrame(blob.bytes).subarray(0, 10);
        call.send({ resourceName: server.writeName(blob, { compressor: "zstd" }), data });
        same(answerOf(await call.outcome).committedSize, -1, "committed_size");
      },
    ),
  ),
  must(
    "write/arrives-meanwhile",
    "An upload ends early when the blob arrives by another way meanwhile.",
    async (server) => {
      const blob = server.blob(200_000);
      const call = server.endpoint.start("write", EARLY);
      call.send({ resourceName: server.writeName(blob), data: blob.bytes.subarray(0, 1000) });
      await server.put(blob);
      call.send({ data: blob.bytes.subarray(1000, 2000), writeOffset: 1000 });
      same(answerOf(await call.outcome).committedSize, blob.bytes.length, "committed_size");
    },
  ),
  must(
    "write/verified",
    "Bytes that are not the digest's are INVALID_ARGUMENT, and nothing is stored.",
    async (server) => {
      const blob = server.blob(100_000);
      const name = () => server.writeName(blob);
      expectCode(await server.write({ name: name(), bytes: server.blob(100_000).bytes }), INVALID_ARGUMENT);
      expectCode(await server.write({ name: name(), bytes: blob.bytes.subarray(1) }), INVALID_ARGUMENT);
      await server.demandAbsent(blob);
    },
  ),
  must(
    "write/too-much",
    "More bytes than the name tells are OUT_OF_RANGE or INVALID_ARGUMENT, and nothing is stored.",
    async (server) => {
      const blob = server.blob(100_000);
      const bytes = Buffer.concat([blob.bytes, Buffer.from("more")]);
      expectCode(await server.write({ name: server.writeName(blob), bytes }), OUT_OF_RANGE, INVALID_ARGUMENT);
      await server.demandAbsent(blob);
    },
  ),
  given(
    ({ cache }) => (cache.maxCasBlobSizeBytes > 0 ? undefined : "the server tells no largest size"),
    must("write/over-max-size", "A blob above max_cas_blob_size_bytes is INVALID_ARGUMENT.", async (server) => {
      const sizeBytes = server.features.cache.maxCasBlobSizeBytes + 1;
      const named = { digest: { hash: server.blob().digest.hash, sizeBytes }, fn: server.features.fn };
      const outcome = await server.write({ name: server.writeName(named), bytes: Buffer.alloc(1000), finish: false });
      expectCode(outcome, INVALID_ARGUMENT);
    }),
  ),
  given(
    needsZstd,
    must("write/zstd", "A compressed upload is stored, and its compressed bytes are committed.", async (server) => {
      const blob = server.blob(2_000_000);
      const bytes = zstdFrame(blob.bytes);
      const outcome = await server.write({ name: server.writeName(blob, { compressor: "zstd" }), bytes });
      const { committedSize } = answerOf(outcome);
      demand(
        committedSize === bytes.length || committedSize === -1,
        `committed_size is ${committedSize}, expected ${bytes.length} or -1`,
      );
      sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the blob");
    }),
  ),
  given(
    needsZstd,
    must(
      "write/zstd-damaged",
      "Compressed bytes that are none, or of another blob, are INVALID_ARGUMENT.",
      async (server) => {
        const blob = server.blob(100_000);
        const frame = zstdFrame(blob.bytes);
        const damaged = [
          blob.bytes,
          frame.subarray(0, 50_000),
          zstdFrame(server.blob(100_000).bytes),
          zstdFrame(server.blob(200_000).bytes),
        ];
        for (const bytes of damaged) {
          const outcome = await server.write({ name: server.writeName(blob, { compressor: "zstd" }), bytes });
          expectCode(outcome, INVALID_ARGUMENT, OUT_OF_RANGE);
        }
        await server.demandAbsent(blob);
      },
    ),
  ),
  must(
    "write/first-offset",
    "An upload that begins where nothing was committed is INVALID_ARGUMENT.",
    async (server) => {
      const blob = server.blob(1000);
      const name = server.writeName(blob);
      expectCode(await server.write({ name, bytes: blob.bytes.subarray(500), offset: 500 }), INVALID_ARGUMENT);
      expectCode(await server.write({ name, bytes: blob.bytes, offset: -1 }), INVALID_ARGUMENT);
      await server.demandAbsent(blob);
    },
  ),
  must("write/gap", "A message that does not follow the one before is INVALID_ARGUMENT.", async (server) => {
    for (const writeOffset of [400, 600]) {
      const blob = server.blob(1000);
      const call = server.endpoint.start("write");
      call.send({ resourceName: server.writeName(blob), data: blob.bytes.subarray(0, 500) });
      call.send({ data: blob.bytes.subarray(writeOffset), writeOffset, finishWrite: true });
      call.end();
      expectCode(await call.outcome, INVALID_ARGUMENT);
      await server.demandAbsent(blob);
    }
  }),
  must("write-status/present", "QueryWriteStatus of a blob that is there: its size, complete.", async (server) => {
    const blob = server.blob(5000);
    await server.put(blob);
    const status = answerOf(await server.endpoint.call("writeStatus", { resourceName: server.writeName(blob) }));
    same(status.committedSize, 5000, "committed_size");
    same(status.complete, true, "complete");
  }),
  must(
    "write-status/unknown",
    "QueryWriteStatus of an upload that never was: NOT_FOUND, or 0 bytes and not complete.",
    async (server) => {
      const outcome = await server.endpoint.call("writeStatus", { resourceName: server.writeName(server.blob()) });
      expectCode(outcome, OK, NOT_FOUND);
      if (outcome.code !== OK) return;
      same(answerOf(outcome).committedSize, 0, "committed_size");
      same(answerOf(outcome).complete, false, "complete");
    },
  ),
  should("write/resume", "An upload that broke off goes on where QueryWriteStatus says.", async (server) => {
    const blob = server.blob(600_000);
    const name = server.writeName(blob, { upload: randomUUID() });
    await server.write({ name, bytes: blob.bytes.subarray(0, 300_000), finish: false });
    const status = await server.endpoint.call("writeStatus", { resourceName: name });
    if (status.code === NOT_FOUND || answerOf(status).committedSize === 0)
      skip("the server keeps nothing of an upload that broke off");
    const { committedSize, complete } = answerOf(status);
    same(complete, false, "complete");
    demand(committedSize <= 300_000, `committed_size is ${committedSize}`);
    const rest = await server.write({ name, bytes: blob.bytes.subarray(committedSize), offset: committedSize });
    same(answerOf(rest).committedSize, blob.bytes.length, "committed_size at the end");
    sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the blob");
  }),
  should("write/resume-verified", "What goes on wrongly after a break is INVALID_ARGUMENT.", async (server) => {
    const blob = server.blob(400_000);
    const name = server.writeName(blob);
    await server.write({ name, bytes: blob.bytes.subarray(0, 200_000), finish: false });
    const outcome = await server.write({ name, bytes: blob.bytes.subarray(150_000), offset: 200_001 });
    expectCode(outcome, INVALID_ARGUMENT, OUT_OF_RANGE);
    await server.demandAbsent(blob);
  }),
  given(
    needsZstd,
    optional(
      "write/resume-compressed",
      "A compressed upload goes on with a new stream of the bytes of the blob that are left.",
      async (server) => {
        const blob = server.blob(600_000);
        const bytes = zstdFrame(blob.bytes);
        const name = server.writeName(blob, { compressor: "zstd" });
        await server.write({ name, bytes: bytes.subarray(0, 300_000), finish: false });
        const status = await server.endpoint.call("writeStatus", { resourceName: name });
        if (status.code === NOT_FOUND || answerOf(status).committedSize === 0)
          skip("the server keeps nothing of an upload that broke off");
        const { committedSize } = answerOf(status);
        // The first offset of a call counts bytes of the blob, and what follows is compressed by itself.
        const rest = zstdFrame(blob.bytes.subarray(committedSize));
        expectCode(await server.write({ name, bytes: rest, offset: committedSize }), OK);
        sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the blob");
      },
    ),
  ),
  should("write/concurrent", "Many uploads of one blob at once all succeed.", async (server) => {
    const blob = server.blob(200_000);
    const writes = Array.from({ length: 8 }, () => server.write({ name: server.writeName(blob), bytes: blob.bytes }));
    for (const outcome of await Promise.all(writes))
      same(answerOf(outcome).committedSize, blob.bytes.length, "committed_size");
    sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the blob");
  }),
]);
