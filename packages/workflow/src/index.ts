/** Durable state graphs: definition, execution, decisions, history. */

export type {
  ActionOutcome,
  ActionOutput,
  ActionWork,
  CommandOutcome,
  CommandWork,
  TasksWork,
} from "./definition/action-work.ts";
export type { PayloadAt } from "./definition/barrier-paths.ts";
export { action, barrier, condition, map, parallel, subgraph } from "./definition/construct.ts";
export type { DrawMarks } from "./definition/draw.ts";
export { toDot, toMermaid } from "./definition/draw.ts";
export type { FailOptions, FailureClass, NodeError } from "./definition/failure.ts";
export { fail, NodeFailure } from "./definition/failure.ts";
export type { DynamicGraphSpec, GraphBuilder, GraphSpec } from "./definition/graph.ts";
export { buildGraph, defineGraph, dynamicGraph } from "./definition/graph.ts";
export type { StructureDifference } from "./definition/hash.ts";
export { compareStructures } from "./definition/hash.ts";
export type {
  AnyNode,
  BarrierOutcome,
  BranchNode,
  Duration,
  Edge,
  EdgeSpec,
  FlowGraph,
  FlowNode,
  LongTermStore,
  NodeContext,
  NodeOutput,
  ParentOutcome,
  PayloadOf,
  PayloadShape,
  RetryPolicy,
  RouteFacts,
  StandardSchema,
  Strategy,
} from "./definition/nodes.ts";
export { END } from "./definition/nodes.ts";
export type { Reducer } from "./definition/reducers.ts";
export { reduce } from "./definition/reducers.ts";
export type { Blob, StateKey, StateOf, StateSchema } from "./definition/state.ts";
export { state } from "./definition/state.ts";
export type { GraphStructure } from "./definition/structure.ts";
export { userStack } from "./definition/user-stack.ts";
export type { OpenBarrier } from "./machine/barriers/open.ts";
export { barriersAt, staticPath } from "./machine/barriers/places.ts";
export type { FlowDataEvent, FlowEvent } from "./machine/state/events.ts";
export { isTerminal } from "./machine/state/events.ts";
export type { AcceptedPayload } from "./machine/state/records.ts";
export type { FlowValues } from "./machine/state/values.ts";
export type { ResumeMode } from "./machine/versions/resuming.ts";
export type { CommandData, CommandRequest, CommandResult, WorkPorts } from "./runtime/attempts/work.ts";
export type { FileFlowOptions } from "./runtime/file-flow.ts";
export { inFolder } from "./runtime/file-flow.ts";
export type { Flow, ResumeOptions, StartOptions } from "./runtime/flow.ts";
export { createFlow } from "./runtime/flow.ts";
export type { ForkOptions } from "./runtime/fork.ts";
export type { RunningVisit } from "./runtime/reading/execution-times.ts";
export { ExecutionTimes } from "./runtime/reading/execution-times.ts";
export type { DecidedEntry, HistoryEntry, LookOptions, StateDifference } from "./runtime/reading/history.ts";
export { diffStates, eventsOf, history, stateAt } from "./runtime/reading/history.ts";
export type { FlowMetrics, MetricsHook, NodeMetrics } from "./runtime/reading/metrics.ts";
export { flowMetrics } from "./runtime/reading/metrics.ts";
export type { ReplayDifference } from "./runtime/reading/replay.ts";
export { replay } from "./runtime/reading/replay.ts";
export type { FlowSpan } from "./runtime/reading/spans.ts";
export { spansOf } from "./runtime/reading/spans.ts";
export type { PruneOptions, Retention, RunSummary } from "./runtime/reading/upkeep.ts";
export { listRuns, liveDigests, pruneRuns, runSummary } from "./runtime/reading/upkeep.ts";
export type { DecideOptions, Decision, DecisionTarget, RunCommand } from "./runtime/run/decision.ts";
export type { Ack } from "./runtime/run/driver.ts";
export type { EventOptions, StreamEvent } from "./runtime/run/event-stream.ts";
export type { FlowRun, RunResult } from "./runtime/run/flow-run.ts";
export type { FlowOptions, RunInboxes } from "./runtime/run/services.ts";
export { keyedId } from "./runtime/starting.ts";
export type { Lease, LeaseOptions, LeaseStore } from "./runtime/storage/leases.ts";
export { leaseLocks, memoryLeases } from "./runtime/storage/leases.ts";
export { memoryStore } from "./runtime/storage/long-term.ts";
export { memoryJournals } from "./runtime/storage/memory-journals.ts";
export type { RunLock, RunLocks } from "./runtime/storage/run-lock.ts";
export type { SnapshotPolicy } from "./runtime/storage/snapshots.ts";
