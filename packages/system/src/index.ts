/** Node implementations of core's ports: files, time, randomness, processes, git. */
export { nodeClock } from "./clock.ts";
export { nodeFileSystem } from "./file-system.ts";
export { fileSystemClockMs, timestampGranularityMs } from "./file-system-clock.ts";
export type { ProcessIdentity } from "./process-identity.ts";
export { bootId, hostName, isAlive, livenessOf, ownIdentity, processStartTime } from "./process-identity.ts";
export { nodeRandom } from "./random.ts";
