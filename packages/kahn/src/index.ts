/** The library: typed configuration, and runs of tasks from a program. */
export type {
  Digest,
  NodeEnd,
  OutputEvent,
  Problem,
  Result,
  RunCounts,
  RunEvent,
  RunId,
  RunObserver,
  RunStatus,
  TaskRunner,
  TaskRunOutcome,
} from "@kahn/core";
export type { KahnConfig, ProjectConfig, TaskConfig } from "@kahn/workspace";
export { defineConfig } from "@kahn/workspace";
export { taskRunner } from "./task-runner.ts";
export { VERSION } from "./version.ts";
