/** From a workspace's files to its task graph. */

export { configJsonSchema } from "./config/config-json-schema.ts";
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
export { initConfig } from "./config/init-config.ts";
export type { ModuleImporterOptions } from "./config/module-importer.ts";
export { createModuleImporter } from "./config/module-importer.ts";
export type { ImportModule } from "./config/read-config.ts";
export { suggest } from "./config/suggestion.ts";
export { formatTaskReference, parseTaskReference } from "./config/task-reference.ts";
export type { PackageChange } from "./external/lock-file-changes.ts";
export { lockFileChanges, packageChangeText } from "./external/lock-file-changes.ts";
export type { AffectedProjects, PlannedTask, TaskRequest } from "./graph/index.ts";
export { affectedProjects, planTasks, withoutStandIns } from "./graph/index.ts";
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
export type { SelectOptions } from "./projects/select-projects.ts";
export { packagesOf, selectProjects } from "./projects/select-projects.ts";
export type { HostEnvironment, WorkspaceProviderOptions, WorkspaceRequest } from "./provider/index.ts";
export { ALWAYS_PASSED, mentionedVariables, quoteForShell, workspaceProvider } from "./provider/index.ts";
export type { FileStatesOptions, WorkTreeStates } from "./states/index.ts";
export { openFileStates } from "./states/index.ts";
