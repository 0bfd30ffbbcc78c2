/** The workspace's lock: one run at a time, and the next one says for whom it waits. */
import type { Problem, Result } from "@kahn/core";
import { painter } from "@kahn/report";
import { acquireLock, type Lock, ownIdentity } from "@kahn/system";
import type { WorkspaceSession } from "./workspace-session.ts";

/** Takes the lock of the session's work tree, waiting as long as it takes. */
export function lockWorkspace(session: WorkspaceSession): Promise<Result<Lock, Problem>> {
  const { host, ports, locations } = session;
  const paint = painter(host.stderr.colour);
  return acquireLock({
    path: locations.state,
    fs: ports.fs,
    clock: ports.clock,
    owner: { ...ownIdentity(), command: `kahn run` },
    onWait: (holder) => host.stderr.write(`${paint("waiting", "yellow")} for ${holder}\n`),
  });
}
