/** The workspace's lock: one run at a time, and the next one says for whom it waits. */
import type { Result } from "@kahn/core";
import { painter } from "@kahn/report";
import { acquireLock, type Lock, type LockHolder, type LockProblem, livenessOf } from "@kahn/system";
import type { WorkspaceSession } from "./workspace-session.ts";

/** How the lock is waited for. */
export interface LockWaiting {
  /** For those who wait for us. */
  readonly label: string;
  /** Gives the waiting up; left out: a signal of the host does. */
  readonly signal?: AbortSignal;
  /** Told for whom; left out: standard error is. */
  readonly onWait?: (text: string) => void;
}

/** Takes the lock of the session's work tree, waiting as long as it takes. */
export async function lockWorkspace(
  session: WorkspaceSession,
  { label, signal, onWait }: LockWaiting,
): Promise<Result<Lock, LockProblem>> {
  const { host, ports, locations } = session;
  const paint = painter(host.stderr.colour);
  const tell = onWait ?? ((text) => host.stderr.write(`${paint("waiting", "yellow")} ${text}\n`));
  const interrupt = new AbortController();
  const stop = signal === undefined ? host.onSignal(() => interrupt.abort()) : () => {};
  try {
    return await acquireLock({
      path: locations.state,
      clock: ports.clock,
      owner: { label, command: label },
      signal: signal ?? interrupt.signal,
      onWait: (holder) => tell(waitText(holder)),
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
