/** What a server says that it can, as checks ask for it. */
import type {
  CacheCapabilities,
  ExecutionCapabilities,
  ServerCapabilities,
} from "../proto/generated/remote-execution.ts";
import type { FunctionNumber } from "./hashing.ts";
import { Fn, FUNCTIONS } from "./hashing.ts";

/** `Compressor.Value` */
export const Compressor = { identity: 0, zstd: 1, deflate: 2, brotli: 3 } as const;

/** Whether to check execution. */
export type ExecutionWish = "by-capabilities" | "always" | "never";

/** What decides which checks apply. */
export interface Features {
  readonly capabilities: ServerCapabilities;
  readonly cache: CacheCapabilities;
  /** `undefined`: execution is not checked, and `noExecution` says why. */
  readonly execution: ExecutionCapabilities | undefined;
  readonly noExecution: string | undefined;
  /** The function of the checks that are about something else. */
  readonly fn: FunctionNumber;
  /** Those that the server offers and this program computes. */
  readonly functions: readonly FunctionNumber[];
  readonly hasZstd: boolean;
  readonly hasBatchZstd: boolean;
  readonly canUpdateActions: boolean;
  /** 0: no limit is told. */
  readonly batchMaxBytes: number;
}

/** Takes the features from an answer; a text says why nothing can be checked. */
export function featuresOf(capabilities: ServerCapabilities, wish: ExecutionWish): Features | string {
  const { cacheCapabilities: cache, executionCapabilities: execution } = capabilities;
  if (cache === undefined) return "the server has no cache (cache_capabilities is not there)";
  const functions = FUNCTIONS.filter((fn) => cache.digestFunctions.includes(fn));
  const fn = functions.includes(Fn.sha256) ? Fn.sha256 : functions[0];
  if (fn === undefined) return "the server has no digest function that is known here";
  const noExecution = executionRefusal(execution, wish);
  return {
    capabilities,
    cache,
    execution: noExecution === undefined ? (execution ?? NO_CAPABILITIES) : undefined,
    noExecution,
    fn,
    functions,
    hasZstd: cache.supportedCompressors.includes(Compressor.zstd),
    hasBatchZstd: cache.supportedBatchUpdateCompressors.includes(Compressor.zstd),
    canUpdateActions: cache.actionCacheUpdateCapabilities?.updateEnabled ?? false,
    batchMaxBytes: cache.maxBatchTotalSizeBytes,
  };
}

const NO_CAPABILITIES: ExecutionCapabilities = {
  digestFunction: 0,
  digestFunctions: [],
  execEnabled: false,
  executionPriorityCapabilities: undefined,
  supportedNodeProperties: [],
};

function executionRefusal(execution: ExecutionCapabilities | undefined, wish: ExecutionWish): string | undefined {
  if (wish === "never") return "execution was not to be checked (--no-exec)";
  if (wish === "always" || execution?.execEnabled === true) return undefined;
  return "the server does not execute (execution_capabilities)";
}
