/** For tests: random graphs, a simulator, and a checker of recorded logs. */
export type { LogExpectation } from "./check-log.ts";
export { checkLog } from "./check-log.ts";
export type { KernelLog, KernelLogEntry, Violation } from "./kernel-log.ts";
export type { Scenario } from "./scenario.ts";
export { randomScenario } from "./scenario.ts";
export type { ScriptNode, ScriptOptions } from "./script.ts";
export { KernelScript } from "./script.ts";
export type { SeededRandom } from "./seeded.ts";
export { seededRandom } from "./seeded.ts";
export type { KernelUnderTest } from "./simulate.ts";
export { simulate } from "./simulate.ts";
