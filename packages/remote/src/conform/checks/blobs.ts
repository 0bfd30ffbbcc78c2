/** §2.3: FindMissingBlobs, and blobs in batches. */
import type { Check } from "../check.ts";
import { given, must, optional, section, should } from "../check.ts";
import { answerOf, Code, expectCode, expectStatus } from "../endpoint.ts";
import { demand, same, sameBytes, sameSet, skip } from "../expectations.ts";
import type { Features } from "../features.ts";
import { Compressor } from "../features.ts";
import { unpackedZstd, zstdFrame } from "../zstd-frames.ts";

const { INVALID_ARGUMENT, NOT_FOUND, OK } = Code;

const needsBatchZstd = ({ hasBatchZstd }: Features) =>
  hasBatchZstd ? undefined : "the server takes no zstd in batches (supported_batch_update_compressors)";
const needsZstd = ({ hasZstd }: Features) =>
  hasZstd ? undefined : "the server does not offer zstd (supported_compressors)";
const needsLimit = ({ batchMaxBytes }: Features) =>
  batchMaxBytes > 0 && batchMaxBytes <= 3 << 20
    ? undefined
    : batchMaxBytes === 0
      ? "the server tells no limit"
      : undefined;

/** The checks of §2.3 about single blobs. */
export const BLOB_CHECKS: readonly Check[] = section("2.3", [
  must("find-missing/exact", "Just the blobs that are not there are missing.", async (server) => {
    const present = [server.blob(), server.blob(1), server.blob(5000)];
    const absent = [server.blob(), server.blob(1000)];
    await server.put(...present);
    const mixed = [absent[0]!, present[0]!, present[1]!, absent[1]!, present[2]!].map(({ digest }) => digest);
    sameSet(
      await server.missing(mixed),
      absent.map(({ digest }) => digest.hash),
      "what is missing",
    );
  }),
  should("find-missing/duplicates", "A digest that is asked for twice is answered once.", async (server) => {
    const { digest } = server.blob();
    sameSet(await server.missing([digest, digest, digest]), [digest.hash], "what is missing");
  }),
  optional("find-missing/many", "10,000 digests may be asked for in one call.", async (server) => {
    const stored = server.blob();
    await server.put(stored);
    const digests = Array.from({ length: 9_999 }, () => server.blob(8).digest);
    same((await server.missing([...digests, stored.digest])).length, digests.length, "the number of missing blobs");
  }),
  given(
    () => "cannot be seen from outside without filling the server",
    should("find-missing/touch", "Asking for a blob prolongs its life.", async () => {
      demand(false, "not reached");
    }),
  ),
  must("batch-update/independent", "Each blob of a batch succeeds or fails by itself.", async (server) => {
    const [good, other, lie] = [server.blob(), server.blob(), server.blob()];
    const requests = [
      { digest: good.digest, data: good.bytes },
      { digest: lie.digest, data: Buffer.from("another") },
      { digest: other.digest, data: other.bytes },
    ];
    const { responses } = answerOf(await server.endpoint.call("batchUpdate", { ...server.scope, requests }));
    sameSet(
      responses.map(({ digest }) => digest?.hash ?? ""),
      requests.map(({ digest }) => digest.hash),
      "digests of the answer",
    );
    const statusOf = (hash: string) => responses.find(({ digest }) => digest?.hash === hash)?.status;
    expectStatus(statusOf(good.digest.hash), "a good blob", OK);
    expectStatus(statusOf(other.digest.hash), "another good blob", OK);
    expectStatus(statusOf(lie.digest.hash), "a blob with wrong bytes", INVALID_ARGUMENT);
    sameSet(await server.missing([good.digest, lie.digest, other.digest]), [lie.digest.hash], "what is missing");
  }),
  must(
    "batch-update/verified",
    "Bytes that are not the digest's are INVALID_ARGUMENT, and nothing is stored.",
    async (server) => {
      const blob = server.blob(100);
      for (const data of [
        server.blob(100).bytes,
        blob.bytes.subarray(1),
        Buffer.concat([blob.bytes, Buffer.of(0)]),
        Buffer.alloc(0),
      ]) {
        expectStatus(await server.batchUpdate(blob.digest, data), "a blob with wrong bytes", INVALID_ARGUMENT);
        await server.demandAbsent(blob);
      }
      const larger = { ...blob, digest: { ...blob.digest, sizeBytes: 101 } };
      expectStatus(await server.batchUpdate(larger.digest, blob.bytes), "a blob with a wrong size", INVALID_ARGUMENT);
      await server.demandAbsent(larger);
    },
  ),
  must(
    "batch-update/present",
    "A blob that is there already may be stored again, also twice in one batch.",
    async (server) => {
      const blob = server.blob();
      const request = { digest: blob.digest, data: blob.bytes };
      const requests = [request, request];
      for (const _ of [1, 2]) {
        const { responses } = answerOf(await server.endpoint.call("batchUpdate", { ...server.scope, requests }));
        for (const { status } of responses) expectStatus(status, "a blob that is there", OK);
      }
      await server.demandStored(blob);
    },
  ),
  given(
    needsBatchZstd,
    must("batch-update/zstd", "Blobs of a batch may be compressed, each by itself.", async (server) => {
      const [packed, plain] = [server.blob(50_000), server.blob(100)];
      const requests = [
        { digest: packed.digest, data: zstdFrame(packed.bytes), compressor: Compressor.zstd },
        { digest: plain.digest, data: plain.bytes, compressor: Compressor.identity },
      ];
      const { responses } = answerOf(await server.endpoint.call("batchUpdate", { ...server.scope, requests }));
      for (const { status } of responses) expectStatus(status, "a blob of the batch", OK);
      sameBytes((await server.batchRead(packed)).data, packed.bytes, "the blob that was sent compressed");
    }),
  ),
  given(
    needsBatchZstd,
    must(
      "batch-update/zstd-damaged",
      "Compressed data that is none, or of another blob, is INVALID_ARGUMENT.",
      async (server) => {
        const blob = server.blob(1000);
        for (const data of [
          blob.bytes,
          zstdFrame(server.blob(1000).bytes),
          zstdFrame(blob.bytes).subarray(0, 500),
          Buffer.alloc(0),
        ]) {
          expectStatus(await server.batchUpdate(blob.digest, data, Compressor.zstd), "damaged data", INVALID_ARGUMENT);
        }
        await server.demandAbsent(blob);
      },
    ),
  ),
  must(
    "batch-update/compressor-not-offered",
    "A compressor that is not offered is INVALID_ARGUMENT for its blob alone.",
    async (server) => {
      const { supportedBatchUpdateCompressors: offered } = server.features.cache;
      const compressor = [Compressor.brotli, Compressor.deflate, Compressor.zstd].find(
        (each) => !offered.includes(each),
      );
      if (compressor === undefined) skip("the server offers every compressor");
      const blob = server.blob();
      expectStatus(await server.batchUpdate(blob.digest, blob.bytes, compressor), "a blob by it", INVALID_ARGUMENT);
      await server.demandAbsent(blob);
    },
  ),
  given(
    needsLimit,
    must("batch-update/over-limit", "A batch over the limit is INVALID_ARGUMENT as a whole.", async (server) => {
      const half = Math.ceil(server.features.batchMaxBytes / 2) + 1;
      const blobs = [server.blob(half), server.blob(half)];
      const requests = blobs.map(({ digest, bytes }) => ({ digest, data: bytes }));
      expectCode(await server.endpoint.call("batchUpdate", { ...server.scope, requests }), INVALID_ARGUMENT);
    }),
  ),
  must("batch-read/round-trip", "Blobs come back byte for byte, each with its digest.", async (server) => {
    const blobs = [server.blob(), server.blob(1), server.blob(30_000)];
    await server.put(...blobs);
    const digests = blobs.map(({ digest }) => digest);
    const { responses } = answerOf(await server.endpoint.call("batchRead", { ...server.scope, digests }));
    for (const { digest, bytes } of blobs) {
      const response = responses.find((each) => each.digest?.hash === digest.hash);
      expectStatus(response?.status, "a blob of the batch", OK);
      sameBytes(response?.data ?? Buffer.of(), bytes, "a blob of the batch");
      same(response?.compressor ?? 0, Compressor.identity, "the compressor");
    }
  }),
  must("batch-read/not-found", "A blob that is not there is NOT_FOUND by itself.", async (server) => {
    const [present, absent] = [server.blob(), server.blob()];
    await server.put(present);
    const digests = [absent.digest, present.digest];
    const { responses } = answerOf(await server.endpoint.call("batchRead", { ...server.scope, digests }));
    const statusOf = (hash: string) => responses.find(({ digest }) => digest?.hash === hash)?.status;
    expectStatus(statusOf(absent.digest.hash), "a blob that is not there", NOT_FOUND);
    expectStatus(statusOf(present.digest.hash), "a blob that is there", OK);
  }),
  given(
    needsZstd,
    must(
      "batch-read/compressors",
      "Data is compressed only by what the client accepts, and comes out as the blob.",
      async (server) => {
        const blob = server.blob("compresses well ".repeat(2000));
        await server.put(blob);
        sameBytes((await server.batchRead(blob, [])).data, blob.bytes, "the blob, of which nothing was said");
        const { data, compressor } = await server.batchRead(blob, [Compressor.zstd]);
        demand(
          compressor === Compressor.zstd || compressor === Compressor.identity,
          `compressor ${compressor} was not accepted`,
        );
        const bytes = compressor === Compressor.zstd ? unpackedZstd(data, blob.bytes.length) : data;
        sameBytes(bytes, blob.bytes, "the blob, for which zstd was accepted");
      },
    ),
  ),
  given(
    needsLimit,
    must("batch-read/over-limit", "Blobs that are together over the limit are INVALID_ARGUMENT.", async (server) => {
      const sizeBytes = Math.ceil(server.features.batchMaxBytes / 2) + 1;
      const blobs = [server.blob(sizeBytes), server.blob(sizeBytes)];
      await server.put(...blobs);
      const digests = blobs.map(({ digest }) => digest);
      expectCode(await server.endpoint.call("batchRead", { ...server.scope, digests }), INVALID_ARGUMENT);
    }),
  ),
]);
