/** For tests of your own graphs: stubs, scripted decisions, crashes at every record. */

export type { CrashOptions, CrashOutcome } from "./crashes.ts";
export { crashAtEveryRecord } from "./crashes.ts";
export { decideBy } from "./scripted-decisions.ts";
export { withStubs } from "./stubs.ts";
