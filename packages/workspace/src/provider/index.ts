/** From a plan to actions that can be hashed and run. */
export type { HostEnvironment } from "./environment.ts";
export { ALWAYS_PASSED } from "./environment.ts";
export { mentionedVariables, quoteForShell } from "./script-line.ts";
export type { WorkspaceProviderOptions, WorkspaceRequest } from "./workspace-provider.ts";
export { workspaceProvider } from "./workspace-provider.ts";
