/**
 * Folders of flows: the one place where a flow of this machine is put together.
 *
 * Owns:      the wiring of ports, for the library's `openFlow` and for the commands alike.
 */
import { nodeClock, nodeFileSystem, nodeRandom } from "@kahn/system";
import { createFlow, type Flow, type FlowOptions, inFolder } from "@kahn/workflow";

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
}

/** Opens a folder of runs on the files, clock and randomness of this machine. */
export function openFlowFolder(folder: FlowFolder, options: FlowFolderOptions = {}): Flow {
  const ports = { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom() };
  return createFlow({ ...inFolder({ ...ports, ...folder }), ...options });
}
