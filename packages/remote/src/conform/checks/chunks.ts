/** §2.3: SplitBlob and SpliceBlob. */
import type { Check } from "../check.ts";
import { given, must, section, should } from "../check.ts";
import type { CheckedServer } from "../checked-server.ts";
import { answerOf, Code, expectCode } from "../endpoint.ts";
import { demand, same, sameBytes, skip } from "../expectations.ts";
import type { Features } from "../features.ts";

const { ALREADY_EXISTS, INVALID_ARGUMENT, NOT_FOUND, OK } = Code;
/** `ChunkingFunction.Value` */
const FAST_CDC = 1;

const needsSplit = ({ cache }: Features) =>
  cache.splitBlobSupport ? undefined : "the server does not offer SplitBlob";
const needsSplice = ({ cache }: Features) =>
  cache.spliceBlobSupport ? undefined : "the server does not offer SpliceBlob";

/** A blob of three chunks, of which nothing is stored. */
function threeChunks(server: CheckedServer) {
  const chunks = [server.blob(5000), server.blob(6000), server.blob(7000)];
  const blob = server.blob(Buffer.concat(chunks.map(({ bytes }) => bytes)));
  return { chunks, blob, chunkDigests: chunks.map(({ digest }) => digest) };
}

/** The checks of chunks. */
export const CHUNK_CHECKS: readonly Check[] = section("2.3", [
  given(
    needsSplit,
    must(
      "split/concatenation",
      "The chunks of a blob are stored, and are the blob when put together.",
      async (server) => {
        const blob = server.blob(3 << 20);
        await server.put(blob);
        const request = { ...server.scope, blobDigest: blob.digest };
        const { chunkDigests } = answerOf(await server.endpoint.call("split", request));
        const parts: Buffer[] = [];
        for (const digest of chunkDigests) {
          const chunk = await server.read(server.readName({ digest, fn: blob.fn }));
          expectCode(chunk, OK);
          parts.push(chunk.bytes);
        }
        sameBytes(Buffer.concat(parts), blob.bytes, "the chunks together");
      },
    ),
  ),
  given(
    (features) =>
      needsSplit(features) ?? (features.cache.fastCdc2020Params ? undefined : "the server does not offer FastCDC"),
    must(
      "split/fast-cdc-bounds",
      "Chunks of FastCDC are between a quarter of the average and four times it.",
      async (server) => {
        const average = server.features.cache.fastCdc2020Params!.avgChunkSizeBytes;
        if (average > 1 << 20) skip("the chunks are too large to try");
        const blob = server.blob(6 * average);
        await server.put(blob);
        const request = { ...server.scope, blobDigest: blob.digest, chunkingFunction: FAST_CDC };
        const { chunkDigests, chunkingFunction } = answerOf(await server.endpoint.call("split", request));
        same(chunkingFunction, FAST_CDC, "chunking_function");
        chunkDigests.forEach(({ sizeBytes }, index) => {
          demand(sizeBytes <= average * 4, `a chunk has ${sizeBytes} bytes`);
          demand(index === chunkDigests.length - 1 || sizeBytes >= average / 4, `a chunk has only ${sizeBytes} bytes`);
        });
      },
    ),
  ),
  given(
    needsSplit,
    must("split/absent", "A blob that is not there is NOT_FOUND.", async (server) => {
      const request = { ...server.scope, blobDigest: server.blob().digest };
      expectCode(await server.endpoint.call("split", request), NOT_FOUND);
    }),
  ),
  given(
    needsSplice,
    must("splice/put-together", "Chunks that are there become the blob.", async (server) => {
      const { chunks, blob, chunkDigests } = threeChunks(server);
      await server.put(...chunks);
      const answer = answerOf(
        await server.endpoint.call("splice", { ...server.scope, blobDigest: blob.digest, chunkDigests }),
      );
      same(answer.blobDigest?.hash ?? "", blob.digest.hash, "blob_digest");
      sameBytes((await server.read(server.readName(blob))).bytes, blob.bytes, "the blob");
    }),
  ),
  given(
    needsSplice,
    must(
      "splice/verified",
      "Chunks that are not the blob's are INVALID_ARGUMENT, and nothing is stored.",
      async (server) => {
        const { chunks, blob, chunkDigests } = threeChunks(server);
        await server.put(...chunks);
        const request = { ...server.scope, blobDigest: blob.digest, chunkDigests: [...chunkDigests].reverse() };
        expectCode(await server.endpoint.call("splice", request), INVALID_ARGUMENT);
        await server.demandAbsent(blob);
      },
    ),
  ),
  given(
    needsSplice,
    must("splice/chunk-absent", "A chunk that is not there is NOT_FOUND.", async (server) => {
      const { chunks, blob, chunkDigests } = threeChunks(server);
      await server.put(...chunks.slice(1));
      expectCode(
        await server.endpoint.call("splice", { ...server.scope, blobDigest: blob.digest, chunkDigests }),
        NOT_FOUND,
      );
      await server.demandAbsent(blob);
    }),
  ),
  given(
    needsSplice,
    must("splice/present", "A blob that is there is no error.", async (server) => {
      const { chunks, blob, chunkDigests } = threeChunks(server);
      await server.put(blob, ...chunks);
      const outcome = await server.endpoint.call("splice", { ...server.scope, blobDigest: blob.digest, chunkDigests });
      expectCode(outcome, OK, ALREADY_EXISTS);
    }),
  ),
  given(
    needsSplice,
    should("splice/no-chunks", "A blob of no chunks is INVALID_ARGUMENT.", async (server) => {
      const request = { ...server.scope, blobDigest: server.blob().digest, chunkDigests: [] };
      expectCode(await server.endpoint.call("splice", request), INVALID_ARGUMENT);
    }),
  ),
  given(
    ({ cache }) => (cache.splitBlobSupport && cache.spliceBlobSupport ? "the server offers both" : undefined),
    should(
      "split/not-offered",
      "SplitBlob and SpliceBlob are UNIMPLEMENTED where they are not offered.",
      async (server) => {
        const blobDigest = server.blob().digest;
        const { splitBlobSupport, spliceBlobSupport } = server.features.cache;
        if (!splitBlobSupport)
          expectCode(await server.endpoint.call("split", { ...server.scope, blobDigest }), Code.UNIMPLEMENTED);
        const request = { ...server.scope, blobDigest, chunkDigests: [blobDigest] };
        if (!spliceBlobSupport) expectCode(await server.endpoint.call("splice", request), Code.UNIMPLEMENTED);
      },
    ),
  ),
]);
