/** The kernel: which node may do what next. */
export type { KernelCounts, NodeDescription, NodeState } from "./inspect.ts";
export { counts, describeNode, nodeState, waitReasons } from "./inspect.ts";
export type { KernelState } from "./internal/state.ts";
export { createKernel } from "./internal/state.ts";
export { step } from "./kernel.ts";
export type {
  DeltaProblem,
  FailurePolicy,
  KernelEffect,
  KernelEvent,
  KernelOptions,
  NodeSpec,
  WaitingNode,
  WaitReason,
} from "./kernel-types.ts";
