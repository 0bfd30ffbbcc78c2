/** The bridge to LangGraph.js, `kahn/flow/langgraph`: a checkpoint saver, imports, and its node functions as nodes. */
export type { ImportedWrite, Pruned, PruneOptions } from "./checkpoint-store.ts";
export type { FromLangGraphOptions, LangGraphNode, LangGraphNodeConfig } from "./from-langgraph.ts";
export { fromLangGraph } from "./from-langgraph.ts";
export type {
  ChannelVersion,
  Checkpoint,
  CheckpointMetadata,
  CheckpointTuple,
  DeltaHistory,
  ListOptions,
  Peer,
  PendingWrite,
  SaverConfig,
  Serializer,
} from "./peer.ts";
export type { KahnSaver, KahnSaverOptions } from "./saver.ts";
export { openKahnSaver } from "./saver.ts";
export type { SqliteDatabase } from "./sqlite-database.ts";
export type { ImportedThreads, ImportProblem, ImportTarget } from "./sqlite-import.ts";
export { importLangGraphSqlite } from "./sqlite-import.ts";
export type { FileSaverStorageOptions, SaverStorage, SaverValues } from "./threads/storage.ts";
export { fileSaverStorage, saverStorage } from "./threads/storage.ts";
