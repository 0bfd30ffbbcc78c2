/** Node implementations of core's ports: files, time, randomness, processes, git. */
export { nodeClock } from "./clock.ts";
export { type DirectRunnerOptions, directRunner } from "./direct-runner.ts";
export { type FifoPair, type FifoPairOptions, openFifoPair } from "./fifo-pair.ts";
export { nodeFileSystem } from "./file-system.ts";
export { fileSystemClockMs, timestampGranularityMs } from "./file-system-clock.ts";
export { type NodeGitOptions, nodeGit } from "./git.ts";
export { type Announcement, type Guardian, type GuardianOptions, startGuardian } from "./guardian.ts";
export { type HashThread, type HashThreadOptions, hashThread } from "./hash-thread.ts";
export { growHeapFreely } from "./heap-growth.ts";
export {
  type Inbox,
  type InboxCommand,
  type InboxHandler,
  type InboxOptions,
  type InboxProblem,
  openInbox,
} from "./inbox.ts";
export {
  acquireLock,
  type Lock,
  type LockHolder,
  type LockProblem,
  type LockRequest,
  type LockWait,
  lockHolder,
  tryLock,
} from "./lock.ts";
export type { ProcessIdentity } from "./process-identity.ts";
export { bootId, hostName, isAlive, livenessOf, ownIdentity, processStartTime } from "./process-identity.ts";
export { nodeRandom } from "./random.ts";
export { type SpawnerRunnerOptions, spawnerRunner } from "./spawner-runner.ts";
