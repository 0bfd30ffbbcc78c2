/** Remote execution: operations, queue, merging, workers. */
export type { ActionRequest, ActionRunner, RunOutcome, WorkerOffer } from "./action-runner.ts";
export type { ExecutionStatus } from "./execution-pool.ts";
export {
  DEFAULT_EXECUTION_LIMITS,
  type ExecutionLimits,
  type ExecutionOptions,
  type ExecutionServices,
  executionServices,
} from "./execution-services.ts";
export { DEFAULT_PLATFORM_POLICY, type PlatformPolicy, type PropertyRule } from "./platform.ts";
export type { WorkerLoad } from "./worker-slots.ts";
