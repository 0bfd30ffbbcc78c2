/** Contract suites of core's ports: every implementation passes them, real or not. Lists of cases, no framework. */

export type { ActionCacheSubject } from "./contract/action-cache-contract.ts";
export { actionCacheContract } from "./contract/action-cache-contract.ts";
export type { ActionExecutorSubject, ExecutorScenario } from "./contract/action-executor-contract.ts";
export { actionExecutorContract } from "./contract/action-executor-contract.ts";
export type { ActionProviderSubject } from "./contract/action-provider-contract.ts";
export { actionProviderContract } from "./contract/action-provider-contract.ts";
export type { BlobStoreSubject } from "./contract/blob-store-contract.ts";
export { blobStoreContract } from "./contract/blob-store-contract.ts";
export type { ClockSubject } from "./contract/clock-contract.ts";
export { clockContract } from "./contract/clock-contract.ts";
export type { ContractCase, ContractSubject, MakeSubject } from "./contract/contract-case.ts";
export { fileSystemContract } from "./contract/file-system-contract.ts";
export type { FileSystemSubject } from "./contract/file-system-subject.ts";
export type { GitSubject } from "./contract/git-contract.ts";
export { contractRepository, GIT_SETUP, gitContract } from "./contract/git-contract.ts";
export type { JournalStoreSubject } from "./contract/journal-store-contract.ts";
export { journalStoreContract } from "./contract/journal-store-contract.ts";
export type { PieceHasherSubject } from "./contract/piece-hasher-contract.ts";
export { pieceHasherContract } from "./contract/piece-hasher-contract.ts";
export type { ProcessRunnerSubject } from "./contract/process-runner-contract.ts";
export { processRunnerContract } from "./contract/process-runner-contract.ts";
export { processContractScripts } from "./contract/process-scripts.ts";
export type { RandomSubject } from "./contract/random-contract.ts";
export { randomContract } from "./contract/random-contract.ts";
export type { TaskRunnerSubject } from "./contract/task-runner-contract.ts";
export { taskRunnerContract } from "./contract/task-runner-contract.ts";
