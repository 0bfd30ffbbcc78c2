/** For tests of graphs and stores: stubs, scripted decisions, runs from any step, crashes, what ports must do. */

export type { CrashOptions, CrashOutcome } from "./crashes.ts";
export { crashAtEveryRecord } from "./crashes.ts";
export type { FromStep } from "./from-step.ts";
export { runFrom, startingAt } from "./from-step.ts";
export type { FlowPortsCase } from "./ports-contract.ts";
export { flowPortsContract } from "./ports-contract.ts";
export type { FlowPorts, FlowPortsSubject } from "./ports-subject.ts";
export { decideBy } from "./scripted-decisions.ts";
export { withStubs } from "./stubs.ts";
