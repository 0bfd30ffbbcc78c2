/** Runs graphs of actions: resolve → lookup → restore | execute → collect → store. */
export { type ActionKey, type ActionMessages, actionKey, actionMessages } from "./action-key.ts";
export { type AdoptedOutputs, adoptOutputs } from "./adopt-outputs.ts";
export { closureOf, type FinishedNode } from "./closure.ts";
export { EventLog, type EventLogOptions } from "./event-log.ts";
export { type ExplainOptions, explainGraph, type NodeForecast } from "./explain-graph.ts";
export type {
  HermeticCommand,
  HermeticDirectory,
  HermeticFile,
  HermeticObserver,
  HermeticOutcome,
  HermeticPhase,
  HermeticRequest,
  HermeticResult,
  HermeticRunner,
  HermeticRunnerOptions,
  HermeticSymlink,
  HermeticTimings,
  InvalidActionCode,
  NodeProperties,
  ResourceUse,
  RunLog,
  SandboxLevel,
  SandboxPolicy,
  SandboxVerdict,
} from "./hermetic/hermetic-action.ts";
export { hermeticRunner } from "./hermetic/hermetic-runner.ts";
export type {
  PersistentRequest,
  PersistentRunner,
  PersistentRunnerOptions,
  WorkerCounts,
} from "./hermetic/persistent/persistent-action.ts";
export { persistentRunner } from "./hermetic/persistent/persistent-runner.ts";
export type { OpenWorkerPipes, WorkerPipes } from "./hermetic/persistent/persistent-worker.ts";
export {
  jsonWorkerProtocol,
  notResponse,
  type ProtocolProblem,
  RESPONSE_MAX_BYTES,
  type WorkDecoder,
  type WorkerProtocol,
  type WorkInput,
  type WorkRequest,
  type WorkResponse,
} from "./hermetic/persistent/worker-protocol.ts";
export { compareResults, type ResultDifference, runTwice, type TwiceOutcome } from "./hermetic/run-twice.ts";
export { SANDBOX_EXEC_ROOT, SYSTEM_PATHS } from "./hermetic/sandbox.ts";
export { openStagedShell, type ShellOutcome, type ShellPlace, type ShellRequest } from "./hermetic/staged-shell.ts";
export {
  compareKeyRecords,
  type DescribeExternal,
  KEY_SCHEMA,
  type KeyRecord,
  keyRecordOf,
  looksSecret,
  shownValue,
} from "./key-record.ts";
export { type LocalExecutorOptions, localExecutor } from "./local-executor.ts";
export { lastTaskRecord, type MissQuestion, missReasons } from "./miss-reasons.ts";
export { collectOutputs, flattenResult, type OutputEntry, outputsDigest } from "./output-tree.ts";
export { type MemoEntry, openResultMemo, type ResultMemo } from "./result-memo.ts";
export { runGraph } from "./run-graph.ts";
export { type HistoryEntry, openRunHistory, type PastResult, type RunHistory } from "./run-history.ts";
export type { GraphRun, RunGraphOptions, RunOutcome } from "./run-options.ts";
export { getTaskRecord, putTaskRecord, type RecordStore, type TaskRecord } from "./task-record.ts";
