/** §2.2: what a server says of itself, and that it is true. */
import type { Check } from "../check.ts";
import { given, must, optional, section, should } from "../check.ts";
import { answerOf, Code, expectCode, expectStatus } from "../endpoint.ts";
import { demand, same, sameBytes, skip } from "../expectations.ts";
import { Compressor } from "../features.ts";

/** Framing and messages around a batch of one blob. */
const BATCH_OVERHEAD_BYTES = 1 << 10;
/** What gRPC takes in one message by default. */
const DEFAULT_MESSAGE_BYTES = 4 << 20;

interface Version {
  readonly major: number;
  readonly minor: number;
}

const isUpTo = (a: Version, b: Version) => a.major < b.major || (a.major === b.major && a.minor <= b.minor);
const text = ({ major, minor }: Version) => `${major}.${minor}`;

/** Ranges of a priority that are ranges. */
function demandRanges(
  priorities:
    | { readonly priorities: readonly { readonly minPriority: number; readonly maxPriority: number }[] }
    | undefined,
  what: string,
): void {
  for (const { minPriority, maxPriority } of priorities?.priorities ?? []) {
    demand(minPriority <= maxPriority, `${what} has a range from ${minPriority} to ${maxPriority}`);
  }
}

/** The checks of §2.2. */
export const CAPABILITY_CHECKS: readonly Check[] = section("2.2", [
  must(
    "capabilities/api-versions",
    "Low and high API version are there, in order, and of major version 2.",
    async ({ features }) => {
      const { lowApiVersion: low, highApiVersion: high } = features.capabilities;
      demand(low !== undefined && high !== undefined, "low_api_version or high_api_version is not there");
      demand(isUpTo(low, high), `low_api_version ${text(low)} is above high_api_version ${text(high)}`);
      demand(low.major <= 2 && high.major >= 2, `version 2 is not between ${text(low)} and ${text(high)}`);
    },
  ),
  should("capabilities/oldest-clients", "Clients of 2.0 are served: low_api_version is 2.0.", async ({ features }) => {
    const low = features.capabilities.lowApiVersion;
    demand(
      low !== undefined && isUpTo(low, { major: 2, minor: 0 }),
      `low_api_version is ${low && text(low)}; some clients refuse more than 2.0`,
    );
  }),
  optional("capabilities/newest-api", "high_api_version is 2.3 or newer.", async ({ features }) => {
    const high = features.capabilities.highApiVersion;
    demand(high !== undefined && isUpTo({ major: 2, minor: 3 }, high), `high_api_version is ${high && text(high)}`);
  }),
  must(
    "capabilities/digest-functions",
    "Digest functions are listed, each once, UNKNOWN not among them.",
    async ({ features }) => {
      const { digestFunctions } = features.cache;
      demand(!digestFunctions.includes(0), "UNKNOWN is among digest_functions");
      same(new Set(digestFunctions).size, digestFunctions.length, "the number of different digest_functions");
    },
  ),
  must(
    "capabilities/update-enabled",
    "update_enabled says whether this caller may update action results.",
    async (server) => {
      const [command, root] = [server.blob("command"), server.blob(0)];
      const action = server.blob(`action ${server.unique()}`);
      await server.put(command, root, action);
      const request = {
        ...server.scope,
        actionDigest: action.digest,
        actionResult: { exitCode: 0, stdoutRaw: Buffer.from("x") },
      };
      const outcome = await server.endpoint.call("updateAction", request);
      if (server.features.canUpdateActions)
        expectCode(outcome, Code.OK, Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION);
      else demand(outcome.code !== Code.OK, "update_enabled is false, and yet UpdateActionResult succeeded");
    },
  ),
  must(
    "capabilities/batch-limit",
    "A batch of just max_batch_total_size_bytes is taken, and may be read.",
    async (server) => {
      const max = server.features.batchMaxBytes;
      if (max === 0 || max > 64 << 20) skip("the server tells no limit, or one that is too large to try");
      const blob = server.blob(max - BATCH_OVERHEAD_BYTES);
      expectStatus(await server.batchUpdate(blob.digest, blob.bytes), "a full batch", Code.OK);
      const { data, status } = await server.batchRead(blob);
      expectStatus(status, "a full batch that is read", Code.OK);
      sameBytes(data, blob.bytes, "the blob of the batch");
    },
  ),
  should(
    "capabilities/batch-limit-fits",
    "A full batch fits into a message of 4 MiB, which is what gRPC takes by default.",
    async ({ features }) => {
      const max = features.batchMaxBytes;
      demand(max > 0 && max < DEFAULT_MESSAGE_BYTES, `max_batch_total_size_bytes is ${max}`);
    },
  ),
  optional("capabilities/large-messages", "A request larger than 4 MiB is taken.", async (server) => {
    const digest = server.blob().digest;
    const blobDigests = Array<typeof digest>(75_000).fill(digest);
    answerOf(await server.endpoint.call("findMissing", { ...server.scope, blobDigests }));
  }),
  must("capabilities/priorities", "Ranges of priorities go from low to high.", async ({ features }) => {
    demandRanges(features.cache.cachePriorityCapabilities, "cache_priority_capabilities");
    demandRanges(
      features.capabilities.executionCapabilities?.executionPriorityCapabilities,
      "execution_priority_capabilities",
    );
  }),
  should("capabilities/symlink-strategy", "The strategy for absolute symlinks is told.", async ({ features }) => {
    demand(features.cache.symlinkAbsolutePathStrategy !== 0, "symlink_absolute_path_strategy is UNKNOWN");
  }),
  must(
    "capabilities/compressors",
    "Compressors of batches are among those of the protocol, each once.",
    async ({ features }) => {
      for (const list of [features.cache.supportedCompressors, features.cache.supportedBatchUpdateCompressors]) {
        same(new Set(list).size, list.length, "the number of different compressors");
        for (const each of list) demand(Object.values<number>(Compressor).includes(each), `compressor ${each} is none`);
      }
    },
  ),
  should("capabilities/zstd", "zstd is offered, for streams and for batches.", async ({ features }) => {
    demand(features.hasZstd && features.hasBatchZstd, "ZSTD is not among the supported compressors");
  }),
  should(
    "capabilities/max-blob-size",
    "The largest blob is told, and is larger than a batch.",
    async ({ features }) => {
      const { maxCasBlobSizeBytes } = features.cache;
      demand(maxCasBlobSizeBytes > 0, "max_cas_blob_size_bytes is not told");
      demand(maxCasBlobSizeBytes >= features.batchMaxBytes, `max_cas_blob_size_bytes is only ${maxCasBlobSizeBytes}`);
    },
  ),
  given(
    ({ cache }) => (cache.fastCdc2020Params === undefined ? "the server does not offer FastCDC" : undefined),
    must("capabilities/fast-cdc", "Parameters of FastCDC 2020 are in their bounds.", async ({ features }) => {
      const { avgChunkSizeBytes } = features.cache.fastCdc2020Params!;
      demand(
        avgChunkSizeBytes >= 1 << 10 && avgChunkSizeBytes <= 1 << 20,
        `avg_chunk_size_bytes is ${avgChunkSizeBytes}`,
      );
    }),
  ),
  given(
    ({ cache }) => (cache.fastCdc2020Params === undefined ? "the server does not offer FastCDC" : undefined),
    should(
      "capabilities/fast-cdc-common",
      "FastCDC has the parameters that clients share: 512 KiB on average, seed 0.",
      async ({ features }) => {
        const { avgChunkSizeBytes, seed } = features.cache.fastCdc2020Params!;
        same(avgChunkSizeBytes, 512 << 10, "avg_chunk_size_bytes");
        same(seed, 0, "seed");
      },
    ),
  ),
  given(
    ({ noExecution }) => noExecution,
    must(
      "capabilities/execution",
      "Execution names its digest function, both ways, among those of the cache.",
      async ({ features }) => {
        const { digestFunction, digestFunctions } = features.execution!;
        demand(digestFunction !== 0, "execution_capabilities.digest_function is UNKNOWN");
        for (const fn of [digestFunction, ...digestFunctions]) {
          demand(
            features.cache.digestFunctions.includes(fn),
            `digest function ${fn} of execution is not one of the cache`,
          );
        }
        if (digestFunctions.length > 0)
          demand(digestFunctions.includes(digestFunction), "digest_function is not among digest_functions");
      },
    ),
  ),
  given(
    ({ noExecution }) => noExecution,
    should("capabilities/execution-functions", "Execution lists all its digest functions.", async ({ features }) => {
      demand(features.execution!.digestFunctions.length > 0, "execution_capabilities.digest_functions is empty");
    }),
  ),
  given(
    ({ capabilities }) =>
      capabilities.executionCapabilities?.execEnabled === true ? "the server executes" : undefined,
    must("capabilities/no-execution", "A server that says it does not execute refuses Execute.", async (server) => {
      const request = { ...server.scope, actionDigest: server.blob().digest };
      const outcome = await server.endpoint.call("execute", request);
      expectCode(
        outcome,
        Code.UNIMPLEMENTED,
        Code.PERMISSION_DENIED,
        Code.UNAUTHENTICATED,
        Code.FAILED_PRECONDITION,
        Code.INVALID_ARGUMENT,
      );
    }),
  ),
  given(
    ({ noExecution }) => noExecution,
    optional("capabilities/node-properties", "Node properties are listed once each.", async ({ features }) => {
      const names = features.execution!.supportedNodeProperties;
      same(new Set(names).size, names.length, "the number of different node properties");
    }),
  ),
]);
