/** Contract suites of core's ports: every implementation passes them, real or not. Lists of cases, no framework. */
export type { ClockSubject } from "./contract/clock-contract.ts";
export { clockContract } from "./contract/clock-contract.ts";
export type { ContractCase, ContractSubject, MakeSubject } from "./contract/contract-case.ts";
export { fileSystemContract } from "./contract/file-system-contract.ts";
export type { FileSystemSubject } from "./contract/file-system-subject.ts";
export type { GitSubject } from "./contract/git-contract.ts";
export { contractRepository, GIT_SETUP, gitContract } from "./contract/git-contract.ts";
export type { JournalStoreSubject } from "./contract/journal-store-contract.ts";
export { journalStoreContract } from "./contract/journal-store-contract.ts";
export type { ProcessRunnerSubject } from "./contract/process-runner-contract.ts";
export { processRunnerContract } from "./contract/process-runner-contract.ts";
export { processContractScripts } from "./contract/process-scripts.ts";
export type { RandomSubject } from "./contract/random-contract.ts";
export { randomContract } from "./contract/random-contract.ts";
