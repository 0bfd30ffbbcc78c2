/** From a workspace's files to its task graph. */

export type {
  CacheConfig,
  KahnConfig,
  MutexConfig,
  ProjectConfig,
  ReadyConfig,
  TaskConfig,
} from "./config/config-types.ts";
export { defineConfig } from "./config/config-types.ts";
export { normalizeGlob } from "./config/glob-form.ts";
export type { ImportModule } from "./config/read-config.ts";
export { closestName, suggest } from "./config/suggestion.ts";
export { formatTaskReference, parseTaskReference } from "./config/task-reference.ts";
export type {
  PackageManager,
  Project,
  TaskCommand,
  TaskDefinition,
  TaskReference,
  WorkspaceModel,
  WorkspaceSettings,
} from "./model.ts";
export type { LoadOptions } from "./projects/load-workspace.ts";
export { loadWorkspace, projectAt } from "./projects/load-workspace.ts";
