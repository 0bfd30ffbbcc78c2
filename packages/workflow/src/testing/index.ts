/** For tests of your own graphs: stubs, scripted decisions, runs from any step, crashes at every record. */

export type { CrashOptions, CrashOutcome } from "./crashes.ts";
export { crashAtEveryRecord } from "./crashes.ts";
export type { FromStep } from "./from-step.ts";
export { runFrom, startingAt } from "./from-step.ts";
export { decideBy } from "./scripted-decisions.ts";
export { withStubs } from "./stubs.ts";
