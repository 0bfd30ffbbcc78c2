/** The workspace's lock: one run at a time, and the next one says for whom it waits. */
import type { Result } from "@kahn/core";
import { painter } from "@kahn/report";
import { acquireLock, type Lock, type LockHolder, type LockProblem, livenessOf } from "@kahn/system";
import type { WorkspaceSession } from "./workspace-session.ts";

/** Takes the lock of the session's work tree, waiting as long as it takes; a signal ends the waiting. */
export async function lockWorkspace(session: WorkspaceSession, label: string): Promise<Result<Lock, LockProblem>> {
  const { host, ports, locations } = session;
  const paint = painter(host.stderr.colour);
  const interrupt = new AbortController();
  const stop = host.onSignal(() => interrupt.abort());
  try {
    return await acquireLock({
      path: locations.state,
      clock: ports.clock,
      owner: { label, command: label },
      signal: interrupt.signal,
      onWait: (holder) => host.stderr.write(`${paint("waiting", "yellow")} ${waitText(holder)}\n`),
    });
  } finally {
    stop();
  }
}

function waitText(holder: LockHolder | undefined): string {
  if (holder === undefined) return "for another process in this workspace";
  if (livenessOf(holder) !== "alive")
    return `until what \`${holder.label}\` (process ${holder.pid}, gone) left behind has ended`;
  return `for \`${holder.label}\`, process ${holder.pid}, since ${new Date(holder.acquiredAtMs).toLocaleTimeString()}`;
}
