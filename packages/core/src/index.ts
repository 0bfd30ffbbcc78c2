/** Values, ports and pure algorithms: the vocabulary of every other package. */
export { closestName } from "./closest-name.ts";
export type { ConfigSection } from "./config-section.ts";
export { copyBytes } from "./copy-bytes.ts";
export type { Digest, DigestFunction, Hasher, NativeDigestFunction } from "./digest.ts";
export {
  digestFunction,
  digestHash,
  digestOf,
  digestOfParts,
  digestSizeBytes,
  HEX_LENGTH,
  isDigestFunction,
  isNativeDigestFunction,
  makeDigest,
  nativeHasher,
  parseDigest,
} from "./digest.ts";
export type { DigestList } from "./digest-list.ts";
export { digestAt, digestList, distinctDigests, readHex } from "./digest-list.ts";
export type {
  EventEnvelope,
  MissReason,
  NodeEnd,
  OutputEvent,
  PlannedNodeRecord,
  ResultSource,
  RunCounts,
  RunEvent,
  RunEventBody,
  RunObserver,
  RunStatus,
} from "./event.ts";
export type { Graph, LabelGraph } from "./graph.ts";
export {
  criticalPaths,
  findCycles,
  graphFromLists,
  labelGraph,
  reachableFlags,
  reachableFrom,
  reverseGraph,
  topologicalOrder,
} from "./graph.ts";
export type { RunId, TaskId } from "./ids.ts";
export { newRunId, parseRunId, runIdTimeMs, splitTaskId, taskId } from "./ids.ts";
export type { Json } from "./json.ts";
export { canonicalJson } from "./json.ts";
export type { ActionCache, CacheLookup, CacheMissReason } from "./ports/action-cache.ts";
export type {
  ActionExecutor,
  ExecuteObserver,
  ExecuteOutcome,
  ExecuteRequest,
  Execution,
  RanAt,
} from "./ports/action-executor.ts";
export type {
  ActionProvider,
  InputEntry,
  KeyParts,
  LocalExecution,
  OutputSpec,
  PlannedNode,
  ReadyProbe,
  ResolvedAction,
} from "./ports/action-provider.ts";
export type {
  BlobStore,
  IngestRequest,
  MaterializeOutcome,
  MaterializeRequest,
  StoreProblem,
} from "./ports/blob-store.ts";
export type { Clock, Timer } from "./ports/clock.ts";
export { sleep } from "./ports/clock.ts";
export type { FileStates, KnownFile } from "./ports/file-states.ts";
export type {
  CopyRequest,
  DirectoryEntry,
  FileHandle,
  FileStat,
  FileSystem,
  HashOutcome,
  HeldDirectory,
  ReadHandle,
} from "./ports/file-system.ts";
export { FileSystemError } from "./ports/file-system.ts";
export type { Git } from "./ports/git.ts";
export type {
  Durability,
  Journal,
  JournalProblem,
  JournalRecord,
  JournalStore,
  TornTail,
} from "./ports/journal-store.ts";
export type { PieceHasher, PieceHashers } from "./ports/piece-hasher.ts";
export { hashedHere } from "./ports/piece-hasher.ts";
export type {
  OutputSink,
  ProcessExit,
  ProcessMark,
  ProcessRunner,
  ProcessSpec,
  RunningProcess,
  Strays,
} from "./ports/process-runner.ts";
export type { Random } from "./ports/random.ts";
export { randomBelow, randomHex } from "./ports/random.ts";
export type { TaskRunner, TaskRunOutcome } from "./ports/task-runner.ts";
export type { Problem, ProblemDetail, SourcePlace } from "./problem.ts";
export { ProblemError, problem, warning } from "./problem.ts";
export { parseDurationMs, parseSizeBytes } from "./quantity.ts";
export type { MalformedProblem } from "./reapi/decode.ts";
export {
  decodeAction,
  decodeActionResult,
  decodeCommand,
  decodeDigest,
  decodeDirectory,
  decodePlatform,
  decodeTree,
} from "./reapi/decode.ts";
export {
  encodeAction,
  encodeActionResult,
  encodeCommand,
  encodeDigest,
  encodeDirectory,
  encodePlatform,
  encodeTree,
} from "./reapi/encode.ts";
export type { FlatTree, FlattenOptions, TreeProblem } from "./reapi/flatten.ts";
export { flattenTree } from "./reapi/flatten.ts";
export type { MessageBlob, MessageSource } from "./reapi/message-blobs.ts";
export { DIRECTORY_MAX_BYTES, readMessage, TREE_MAX_BYTES } from "./reapi/message-blobs.ts";
export type {
  Action,
  ActionResult,
  Command,
  Directory,
  DirectoryNode,
  ExecutedActionMetadata,
  FileNode,
  OutputDirectory,
  OutputFile,
  OutputSymlink,
  Property,
  SymlinkNode,
  Tree,
} from "./reapi/messages.ts";
export type { EncodedTree, InputRoot, TreeEntry, TreeOptions } from "./reapi/tree.ts";
export { buildInputRoot, treeOf } from "./reapi/tree.ts";
export type { MutexClaim, ResourceClaim, ResourceLimits } from "./resources.ts";
export { ONE_SLOT } from "./resources.ts";
export type { Result } from "./result.ts";
export { err, InvariantError, invariant, ok, unreachable } from "./result.ts";
export { compareUtf8, sortedBy } from "./text-order.ts";
