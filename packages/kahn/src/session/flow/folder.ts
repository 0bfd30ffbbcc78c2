/**
 * Folders of flows: the one place where a flow of this machine is put together.
 *
 * Owns:      the wiring of ports, for the library's `openFlow` and for the commands alike.
 */
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { createFlow, type Flow, type FlowOptions, inFolder } from "@kahn/workflow";
import type { FlowActions } from "./actions.ts";

/** What a flow in a folder may be given besides; the rest is files. */
export type FlowFolderOptions = Partial<Omit<FlowOptions, "journals" | "values" | "locks" | "inboxes">>;

/** Where the folder is, and who opens it. */
export interface FlowFolder {
  /** Absolute; made when needed. */
  readonly directory: string;
  /** For those who wait for a run's lock, such as `kahn flow run release.ts`. */
  readonly command?: string;
  /** How long a command waits for the process that executes its run, in milliseconds. */
  readonly answerMs?: number;
  /** A folder in the workspace whose tasks and commands actions run, absolute; default: the folder of the runs. */
  readonly workspace?: string;
}

/** Opens a folder of runs on the files, clock and randomness of this machine. */
export function openFlowFolder(folder: FlowFolder, options: FlowFolderOptions = {}): Flow {
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom() };
  const actions = actionsWhenNeeded(folder.workspace ?? folder.directory);
  return createFlow({ ...inFolder({ ...ports, ...folder }), ...actions, ...options });
}

/** Most flows have no actions; what those need is loaded with the first. */
function actionsWhenNeeded(directory: string): FlowActions {
  let loading: Promise<FlowActions> | undefined;
  const load = () => {
    loading ??= import("./actions.ts").then((module) => module.flowActions(directory));
    return loading;
  };
  return {
    workspaceRoot: directory,
    tasks: { run: async (tasks, options) => (await load()).tasks.run(tasks, options) },
    runCommand: async (request) => (await load()).runCommand(request),
  };
}
