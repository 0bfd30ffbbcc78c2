/** The ports of this machine that need no workspace. */
import type { FileSystem, Git } from "@kahn/core";
import { nodeClock, nodeFileSystem, nodeGit, nodeRandom } from "@kahn/system";
import type { SessionHost } from "../cli/host.ts";

/** The ports of this process that need no workspace. */
export interface SystemPorts {
  readonly fs: FileSystem;
  readonly clock: ReturnType<typeof nodeClock>;
  readonly random: ReturnType<typeof nodeRandom>;
  readonly git: Git;
}

/** The ports of this machine. */
export function systemPorts(host: SessionHost): SystemPorts {
  return { fs: nodeFileSystem(), clock: nodeClock(), random: nodeRandom(), git: nodeGit({ env: host.env }) };
}
