/** Fakes, faults and simulations for tests of anything that stands on core's ports. Contract suites: `./contract`. */
export type { FileTree } from "./file-tree.ts";
export { readTree, writeTree } from "./file-tree.ts";
export type { MemoryFileSystem, MemoryFileSystemOptions } from "./memory-file-system.ts";
export { memoryFileSystem } from "./memory-file-system.ts";
export type { SeededRandom } from "./seeded-random.ts";
export { seededRandom } from "./seeded-random.ts";
export type { VirtualClock } from "./virtual-clock.ts";
export { settled, virtualClock } from "./virtual-clock.ts";
