/** §2.4: ByteStream.Read. */
import type { Check } from "../check.ts";
import { given, must, section, should } from "../check.ts";
import { Code, expectCode } from "../endpoint.ts";
import { demand, same, sameBytes, skip } from "../expectations.ts";
import type { Features } from "../features.ts";
import { Compressor } from "../features.ts";
import { unpackedZstd, zstdFrame } from "../zstd-frames.ts";

const { INVALID_ARGUMENT, NOT_FOUND, OK, OUT_OF_RANGE, UNIMPLEMENTED } = Code;
const SIZE = 3_000_000;

const needsZstd = ({ hasZstd }: Features) =>
  hasZstd ? undefined : "the server does not offer zstd (supported_compressors)";

/** The checks of reads. */
export const STREAM_READ_CHECKS: readonly Check[] = section("2.4", [
  must("read/whole", "A blob comes back byte for byte, in messages that a default client takes.", async (server) => {
    const blob = server.blob(9_000_000);
    await server.put(blob);
    const read = await server.read(server.readName(blob));
    expectCode(read, OK);
    sameBytes(read.bytes, blob.bytes, "the blob");
  }),
  must("read/absent", "A blob that is not there is NOT_FOUND.", async (server) => {
    expectCode(await server.read(server.readName(server.blob())), NOT_FOUND);
  }),
  must(
    "read/offset",
    "read_offset is where the bytes begin; at the end of the blob there are none.",
    async (server) => {
      const blob = server.blob(SIZE);
      await server.put(blob);
      for (const offset of [1, 65_536, 1_048_577, SIZE - 1, SIZE]) {
        const read = await server.read(server.readName(blob), { offset });
        expectCode(read, OK);
        sameBytes(read.bytes, blob.bytes.subarray(offset), `from ${offset} on`);
      }
    },
  ),
  must("read/offset-beyond", "read_offset beyond the end is OUT_OF_RANGE.", async (server) => {
    const blob = server.blob();
    await server.put(blob);
    expectCode(await server.read(server.readName(blob), { offset: blob.bytes.length + 1 }), OUT_OF_RANGE);
  }),
  must(
    "read/offset-negative",
    "A negative read_offset is INVALID_ARGUMENT (or OUT_OF_RANGE, as ByteStream has it).",
    async (server) => {
      const blob = server.blob();
      await server.put(blob);
      expectCode(await server.read(server.readName(blob), { offset: -1 }), INVALID_ARGUMENT, OUT_OF_RANGE);
    },
  ),
  must("read/limit", "read_limit is how many bytes come at most; that there are more is no error.", async (server) => {
    const blob = server.blob(SIZE);
    await server.put(blob);
    for (const { offset, limit } of [
      { offset: 0, limit: 10 },
      { offset: 5, limit: 1_500_000 },
      { offset: 0, limit: SIZE },
      { offset: 2_999_990, limit: 100 },
    ]) {
      const read = await server.read(server.readName(blob), { offset, limit });
      expectCode(read, OK);
      sameBytes(read.bytes, blob.bytes.subarray(offset, offset + limit), `${limit} bytes from ${offset} on`);
    }
  }),
  must("read/limit-negative", "A negative read_limit is OUT_OF_RANGE or INVALID_ARGUMENT.", async (server) => {
    const blob = server.blob();
    await server.put(blob);
    expectCode(await server.read(server.readName(blob), { limit: -1 }), OUT_OF_RANGE, INVALID_ARGUMENT);
  }),
  given(
    needsZstd,
    must("read/zstd", "Any blob can be read compressed by what is offered, however it was written.", async (server) => {
      for (const size of [0, 1, 100, SIZE]) {
        const blob = server.blob(size);
        await server.put(blob);
        const read = await server.read(server.readName(blob, { compressor: "zstd" }));
        expectCode(read, OK);
        sameBytes(unpackedZstd(read.bytes, size), blob.bytes, `${size} bytes, unpacked`);
      }
    }),
  ),
  given(
    needsZstd,
    must("read/zstd-offset", "Of a compressed read, read_offset counts bytes of the blob.", async (server) => {
      const blob = server.blob("something that can be compressed; ".repeat(60_000));
      await server.put(blob);
      for (const offset of [1, 999, 1_048_576, 1_100_001, blob.bytes.length]) {
        const read = await server.read(server.readName(blob, { compressor: "zstd" }), { offset });
        expectCode(read, OK);
        const rest = blob.bytes.subarray(offset);
        sameBytes(unpackedZstd(read.bytes, rest.length), rest, `from ${offset} on, unpacked`);
      }
    }),
  ),
  given(
    needsZstd,
    must("read/zstd-limit", "Of a compressed read, read_limit is INVALID_ARGUMENT.", async (server) => {
      const blob = server.blob();
      await server.put(blob);
      const read = await server.read(server.readName(blob, { compressor: "zstd" }), { limit: 10 });
      expectCode(read, INVALID_ARGUMENT);
    }),
  ),
  given(
    needsZstd,
    must("read/written-compressed", "What was written compressed is read plainly.", async (server) => {
      const blob = server.blob(500_000);
      const name = server.writeName(blob, { compressor: "zstd" });
      expectCode(await server.write({ name, bytes: zstdFrame(blob.bytes) }), OK);
      sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the blob");
    }),
  ),
  should("read/compressor-not-offered", "A compressor that is not offered is INVALID_ARGUMENT.", async (server) => {
    const { supportedCompressors: offered } = server.features.cache;
    const compressor = (["brotli", "deflate"] as const).find((each) => !offered.includes(Compressor[each]));
    if (compressor === undefined) skip("the server offers every compressor");
    const blob = server.blob();
    await server.put(blob);
    expectCode(await server.read(server.readName(blob, { compressor })), INVALID_ARGUMENT, UNIMPLEMENTED);
  }),
  should("read/concurrent", "Many reads of one blob at once are all whole.", async (server) => {
    const blob = server.blob(200_000);
    await server.put(blob);
    const reads = await Promise.all(Array.from({ length: 32 }, () => server.read(server.readName(blob))));
    for (const read of reads) sameBytes(read.bytes, blob.bytes, "one of the reads");
  }),
  should("read/broken-off", "A read that the client breaks off does no harm.", async (server) => {
    const blob = server.blob(SIZE);
    await server.put(blob);
    const call = server.endpoint.start("read");
    call.send({ resourceName: server.readName(blob) });
    call.end();
    demand((await call.next()) !== undefined, "nothing came");
    call.cancel();
    same((await call.outcome).code, Code.CANCELLED, "the code of the client");
    sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the blob, read again");
  }),
]);
