/**
 * Locks between processes that the kernel lets go of, however their owner ends.
 *
 * A lock is a listening Unix socket. It is held as long as any process has it open: its owner, and whoever inherited
 * its descriptor (`fd`), such as the guardian, which holds the lock of a run that died until everything the run had
 * started has ended. Waiters are connected to the socket and wake when the kernel closes it; nobody polls.
 *
 * Design space:
 * - `flock`: the natural thing, and Node has none; a `flock(1)` child costs a process per lock and macOS has none.
 * - A file with a pid: a dead owner's file cannot be told from a living one's without races, and pids are reused.
 * - An abstract socket (`\0name`): atomic and gone with its owner, but Linux only and one per *network namespace*: two
 *   containers, or a container and its host, on one checkout would both own the lock.
 * - A socket file where the guarded thing is: seen by every process that sees the thing, on both systems. What it
 *   lacks is that the file outlives its owner and must be replaced without a race; that is done here.
 *
 * A contender makes a folder with a listening socket and its record, and publishes it by renaming it to `lock.N`, N
 * one more than the highest there is, which fails if there is such a folder. Then it looks at all other numbers: if
 * anybody listens there, or its own socket file has been swept away, it withdraws. So of two that hold sockets at the same time the one that looked last has seen
 * the other, and two owners cannot be, whatever the interleaving. (Normally all contenders aim at the same number and
 * the rename decides; both withdrawing takes a contender that slept through two changes of owner, and they try again.)
 * The owner removes what dead ones left. On release the folder stays: whoever inherited the socket still holds it.
 *
 * Limits: machines that share a file system over the network do not see each other's sockets, so the lock is one per
 * machine. Where a file system cannot hold sockets (a Windows drive in WSL, some shared folders of virtual machines),
 * the sockets live in `/tmp/kahn-locks`, by device and inode of the guarded thing: one lock per machine and per
 * container.
 *
 * Measured: 1 ms uncontended on ext4 under load (0.5 on tmpfs), most of it the three files; 4 ms the first time in a
 * process, most of it Node's own loading.
 */
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock, Problem, Result } from "@kahn/core";
import { err, ok, problem } from "@kahn/core";
import { type Contender, Contest, findLiving } from "./internal/lock-contest.ts";
import { type LockHolder, type LockRoom, readRecord } from "./internal/lock-room.ts";
import { errnoOf, isAbsent } from "./internal/refusal.ts";

export type { LockHolder } from "./internal/lock-room.ts";

/** What to lock, and who asks. */
export interface LockRequest {
  /** The file or folder to guard; must exist. The lock's files are put inside a folder and beside a file. */
  readonly path: string;
  /** For the messages of those who wait. */
  readonly owner: { readonly label: string; readonly command: string };
  readonly clock: Clock;
}

/** What to lock, and how to wait for it. */
export interface LockWait extends LockRequest {
  /** Ends the waiting with `lock-wait-cancelled`. */
  readonly signal?: AbortSignal;
  /**
   * Called when waiting begins and whenever the one waited for changes. `livenessOf(holder)` tells whether that
   * process itself still lives, or the lock is kept by what it left behind. `undefined`: it left no record.
   */
  readonly onWait?: (holder: LockHolder | undefined) => void;
}

/** How often a lock that this very process seems to have is tried, and how long after each other. */
const OWN_ATTEMPTS_MAX = 4;
const OWN_PAUSE_MS = 15;

/** A lock that is held. Keeps neither the event loop nor the process alive. */
export interface Lock {
  /** The listening socket: a child that inherits it (a number in `stdio`) holds the lock as long as it is open there. */
  readonly fd: number;
  /** What others are told about us. */
  readonly holder: LockHolder;
  /** Lets go, unless a child still has the socket. May be repeated. */
  release(): void;
}

/** What can go wrong with a lock. */
export type LockProblem = Problem<"lock-held" | "lock-wait-cancelled" | "lock-target-missing" | "lock-io">;

/** Takes the lock, after whoever holds it. */
export async function acquireLock(request: LockWait): Promise<Result<Lock, LockProblem>> {
  return guarded(request.path, async (rooms) => {
    const contest = new Contest(request, rooms);
    let waitedFor: string | undefined;
    for (;;) {
      if (request.signal?.aborted === true) {
        contest.leave();
        return err(cancelled(request.path));
      }
      const outcome = await contest.attempt();
      if (outcome.kind === "won") return ok(lockOf(outcome.contender));
      if (waitedFor !== outcome.living.folder) request.onWait?.(readRecord(outcome.living.folder));
      waitedFor = outcome.living.folder;
      await contest.wait(outcome.living, request.signal);
    }
  });
}

/** Takes the lock if nobody has it; otherwise `lock-held`, which names the holder. */
export async function tryLock(request: LockRequest): Promise<Result<Lock, LockProblem>> {
  return guarded(request.path, async (rooms) => {
    const contest = new Contest(request, rooms);
    for (let attempt = 1; ; attempt++) {
      const outcome = await contest.attempt();
      if (outcome.kind === "won") return ok(lockOf(outcome.contender));
      const holder = readRecord(outcome.living.folder);
      outcome.living.leave();
      if (holder?.pid !== process.pid || attempt === OWN_ATTEMPTS_MAX) {
        contest.leave();
        return err(held(request.path, holder));
      }
      // Perhaps just released: from fork to exec a child has the sockets of all threads of its parent. Real time counts.
      await new Promise<void>((resolve) => void setTimeout(resolve, OWN_PAUSE_MS));
    }
  });
}

/** Who holds the lock: `undefined` when nobody does, `"unknown"` when the holder left no record. */
export async function lockHolder(path: string): Promise<Result<LockHolder | "unknown" | undefined, LockProblem>> {
  return guarded(path, async (rooms) => {
    for (const room of rooms) {
      const living = await findLiving(room);
      if (living === undefined) continue;
      living.leave();
      return ok(readRecord(living.folder) ?? ("unknown" as const));
    }
    return ok(undefined);
  });
}

function lockOf({ socket, holder }: Contender): Lock {
  return { fd: socket.fd, holder, release: () => socket.close() };
}

/** Calls with the places where the lock's files can be, best first; the system's refusals become `lock-io`. */
async function guarded<T>(
  path: string,
  use: (rooms: readonly LockRoom[]) => Promise<Result<T, LockProblem>>,
): Promise<Result<T, LockProblem>> {
  try {
    return await use(roomsFor(path));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    if (isAbsent(error)) {
      return err(problem("lock-target-missing", `There is no ${path} to lock.`, { next: "Create it first." }));
    }
    return err(
      problem("lock-io", `The lock of ${path} cannot be used: ${(error as Error).message}.`, {
        where: { file: path },
        next: "Check that you may write there, and that the device has room.",
      }),
    );
  }
}

function roomsFor(path: string): readonly LockRoom[] {
  const real = realpathSync.native(path);
  const stat = statSync(real, { bigint: true });
  return [
    stat.isDirectory() ? { prefix: `${real}/lock`, home: real } : { prefix: `${real}.lock`, home: dirname(real) },
    { prefix: `/tmp/kahn-locks/${stat.dev}-${stat.ino}`, home: "/tmp" },
  ];
}

function cancelled(path: string): LockProblem {
  return problem("lock-wait-cancelled", `Waiting for the lock of ${path} was cancelled.`);
}

function held(path: string, holder: LockHolder | undefined): LockProblem {
  const who = holder === undefined ? "another process" : `${holder.label} (process ${holder.pid} on ${holder.host})`;
  return problem("lock-held", `${path} is in use by ${who}.`, {
    facts: holder === undefined ? [] : [["command", holder.command]],
    next: "Wait until it has ended, or end it.",
  });
}
