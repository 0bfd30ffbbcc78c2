/** Node implementations of core's ports: files, time, randomness, processes, git. */
export { nodeClock } from "./clock.ts";
export { nodeFileSystem } from "./file-system.ts";
export { fileSystemClockMs, timestampGranularityMs } from "./file-system-clock.ts";
export { nodeRandom } from "./random.ts";
