/** Fakes, faults and simulations for tests of anything that stands on core's ports. Contract suites: `./contract`. */
export type { CountingFileSystem } from "./counting-file-system.ts";
export { countingFileSystem } from "./counting-file-system.ts";
export type { Fault, FaultAction, FaultKind, FaultyFileSystem } from "./faulty-file-system.ts";
export { CrashError, faulty, randomFault } from "./faulty-file-system.ts";
export type { FileTree } from "./file-tree.ts";
export { readTree, writeTree } from "./file-tree.ts";
export type { FileSystemCall, FileSystemOperation } from "./internal/intercepted-file-system.ts";
export type { MemoryFileSystem } from "./memory-file-system.ts";
export { memoryFileSystem } from "./memory-file-system.ts";
export type { MemoryFileSystemOptions } from "./memory-file-system-options.ts";
export type { Recorder, RunEventOf } from "./recorder.ts";
export { recorder } from "./recorder.ts";
export type { SeededRandom } from "./seeded-random.ts";
export { seededRandom } from "./seeded-random.ts";
export type { VirtualClock } from "./virtual-clock.ts";
export { settled, virtualClock } from "./virtual-clock.ts";
