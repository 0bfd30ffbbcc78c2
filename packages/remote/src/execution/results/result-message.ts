/** From what a runner gave to the `ActionResult` that clients and the cache get. */
import type { HermeticResult, HermeticTimings, NodeProperties, ResourceUse } from "@kahn/exec";
import { digestMessage } from "../../names/request-digest.ts";
import type { Init } from "../../proto/codec.ts";
import { actionResultMessage, durationMessage, timestampMessage } from "../../proto/core-messages.ts";
import type * as reapi from "../../proto/generated/remote-execution.ts";
import { auxiliaryMetadata } from "./resource-usage.ts";

type Metadata = Init<reapi.ExecutedActionMetadata>;

/** What a client asked to have in its result. */
export interface ResultWishes {
  /** Adds the fields in which REAPI 2.0 looks for symlinks. */
  readonly isOlder: boolean;
  /** `Directory` messages of output directories were stored. */
  readonly wantsDirectories: boolean;
}

/** The result of a command that ended. */
export function resultMessage(
  result: HermeticResult,
  metadata: Metadata,
  { isOlder, wantsDirectories }: ResultWishes,
): Init<reapi.ActionResult> {
  const message = actionResultMessage(result);
  const files = new Map(result.outputFiles.map((file) => [file.path, file]));
  const trees = new Map(result.outputDirectories.map((directory) => [directory.path, directory]));
  const symlinks = new Map(result.outputSymlinks.map((symlink) => [symlink.path, symlink]));
  const linksTo = (kind: "file" | "directory") =>
    isOlder ? (message.outputSymlinks ?? []).filter(({ path = "" }) => symlinks.get(path)?.leadsTo === kind) : [];
  return {
    ...message,
    executionMetadata: metadata,
    outputFiles: (message.outputFiles ?? []).map((file) => ({
      ...file,
      nodeProperties: nodeProperties(files.get(file.path ?? "")?.properties),
    })),
    outputDirectories: (message.outputDirectories ?? []).map((directory) => {
      const root = wantsDirectories ? trees.get(directory.path ?? "")?.rootDirectory : undefined;
      return {
        ...directory,
        isTopologicallySorted: true,
        rootDirectoryDigest: root === undefined ? undefined : digestMessage(root),
      };
    }),
    outputSymlinks: (message.outputSymlinks ?? []).map((symlink) => ({
      ...symlink,
      nodeProperties: nodeProperties(symlinks.get(symlink.path ?? "")?.properties),
    })),
    outputFileSymlinks: linksTo("file"),
    outputDirectorySymlinks: linksTo("directory"),
  };
}

/** What a run's timings, and what it used, add to what is known of its place in the queue. */
export function runMetadata(queued: Metadata, timings: HermeticTimings, use: ResourceUse): Metadata {
  const { startedAtMs, inputsReadyAtMs, executionStartedAtMs, executionCompletedAtMs } = timings;
  const { outputsStartedAtMs, completedAtMs, executionMs } = timings;
  return {
    ...queued,
    workerStartTimestamp: timestampMessage(startedAtMs),
    workerCompletedTimestamp: timestampMessage(completedAtMs),
    inputFetchStartTimestamp: timestampMessage(startedAtMs),
    inputFetchCompletedTimestamp: time(inputsReadyAtMs),
    executionStartTimestamp: time(executionStartedAtMs),
    executionCompletedTimestamp: time(executionCompletedAtMs),
    outputUploadStartTimestamp: time(outputsStartedAtMs),
    outputUploadCompletedTimestamp: outputsStartedAtMs === undefined ? undefined : timestampMessage(completedAtMs),
    virtualExecutionDuration: executionMs === undefined ? undefined : durationMessage(executionMs),
    auxiliaryMetadata: auxiliaryMetadata(use),
  };
}

function time(timeMs: number | undefined) {
  return timeMs === undefined ? undefined : timestampMessage(timeMs);
}

function nodeProperties(properties: NodeProperties | undefined): Init<reapi.NodeProperties> | undefined {
  if (properties === undefined) return undefined;
  const { mtimeMs, unixMode } = properties;
  return {
    mtime: time(mtimeMs),
    unixMode: unixMode === undefined ? undefined : { value: unixMode },
  };
}
