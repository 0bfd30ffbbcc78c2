/**
 * Workflows for programs: the published entry `kahn/flow`.
 *
 * Owns: what of the engine is public, and `openFlow`.
 */

import type { Flow } from "@kahn/workflow";
import { type FlowFolder, type FlowFolderOptions, openFlowFolder } from "./session/flow-folder.ts";

export type {
  Ack,
  ActionOutcome,
  ActionOutput,
  ActionWork,
  AnyNode,
  BarrierOutcome,
  Blob,
  BranchNode,
  CommandData,
  CommandOutcome,
  CommandRequest,
  CommandResult,
  CommandWork,
  DecideOptions,
  Decision,
  DecisionTarget,
  Duration,
  DynamicGraphSpec,
  Edge,
  EdgeSpec,
  EventOptions,
  FailOptions,
  FailureClass,
  FileFlowOptions,
  Flow,
  FlowDataEvent,
  FlowEvent,
  FlowGraph,
  FlowNode,
  FlowOptions,
  FlowRun,
  FlowSpan,
  FlowValues,
  ForkOptions,
  GraphBuilder,
  GraphSpec,
  GraphStructure,
  HistoryEntry,
  LongTermStore,
  LookOptions,
  NodeContext,
  NodeError,
  NodeOutput,
  OpenBarrier,
  ParentOutcome,
  PayloadAt,
  PayloadOf,
  PayloadShape,
  Reducer,
  ReplayDifference,
  ResumeMode,
  ResumeOptions,
  Retention,
  RetryPolicy,
  RouteFacts,
  RunCommand,
  RunInboxes,
  RunLocks,
  RunResult,
  RunSummary,
  SnapshotPolicy,
  StandardSchema,
  StartOptions,
  StateDifference,
  StateKey,
  StateOf,
  StateSchema,
  Strategy,
  StreamEvent,
  StructureDifference,
  TasksWork,
  WorkPorts,
} from "@kahn/workflow";
export {
  action,
  barrier,
  buildGraph,
  compareStructures,
  condition,
  createFlow,
  defineGraph,
  diffStates,
  dynamicGraph,
  END,
  eventsOf,
  fail,
  history,
  inFolder,
  isTerminal,
  listRuns,
  liveDigests,
  map,
  memoryJournals,
  memoryStore,
  NodeFailure,
  parallel,
  pruneRuns,
  reduce,
  replay,
  spansOf,
  state,
  stateAt,
  subgraph,
  toDot,
  toMermaid,
} from "@kahn/workflow";

/** What `openFlow` takes besides the folder: what else `createFlow` takes, such as `durability: "disk"` or hooks. */
export type OpenFlowOptions = FlowFolderOptions & Pick<FlowFolder, "workspace">;

/**
 * Opens a folder of runs, on the files, clock and randomness of this machine.
 *
 * @param directory absolute; made when needed. Any number of processes may have it open; each run has one owner.
 */
export function openFlow(directory: string, { workspace = directory, ...options }: OpenFlowOptions = {}): Flow {
  return openFlowFolder({ directory, workspace }, options);
}
