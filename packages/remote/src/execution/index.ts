/** Remote execution: operations, queue, merging, workers. */
export type { ActionRequest, ActionRunner, RunOutcome, WorkerOffer } from "./actions/action-runner.ts";
export { DEFAULT_PLATFORM_POLICY, type PlatformPolicy, type PropertyRule } from "./actions/platform.ts";
export {
  DEFAULT_EXECUTION_LIMITS,
  type ExecutionLimits,
  type ExecutionOptions,
  type ExecutionServices,
  executionServices,
} from "./execution-services.ts";
export type { ExecutionStatus } from "./pool/execution-pool.ts";
export type { WorkerLoad } from "./queue/worker-slots.ts";
