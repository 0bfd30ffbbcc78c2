/**
 * Workflows for programs: the published entry `kahn/flow`.
 *
 * Owns: the wiring of this machine's ports; everything else is the engine's own.
 */

import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { createFlow, type Flow, type FlowOptions, inFolder } from "@kahn/workflow";

export type {
  Ack,
  ActionOutcome,
  ActionWork,
  AnyNode,
  BarrierOutcome,
  Blob,
  BranchNode,
  CommandRequest,
  CommandResult,
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

/**
 * Opens a folder of runs, on the files, clock and randomness of this machine.
 *
 * @param directory absolute; made when needed. Any number of processes may have it open; each run has one owner.
 * @param options whatever else `createFlow` takes, such as `durability: "disk"`, hooks or a concurrency.
 */
export function openFlow(
  directory: string,
  options: Partial<Omit<FlowOptions, "journals" | "values" | "locks" | "inboxes">> = {},
): Flow {
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom() };
  return createFlow({ ...inFolder({ ...ports, directory }), ...options });
}
