/**
 * What lives on behalf of one workspace, as the kernel tells it and not as Kahn does.
 *
 * Owns:  finding and, when a test has failed, ending processes.
 * Never: counts the dead: a zombie waits only for its parent.
 * Note:  Linux only. Every process that Kahn starts is given the HOME that Kahn was given, which is a folder of the
 *        test's own; a guardian is given next to nothing, but is named after a run.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Why these tests cannot run here, if they cannot. */
export const UNSUPPORTED =
  process.platform === "linux" ? undefined : "needs /proc to see which processes live, so Linux";

/** A process that lives. */
export interface LiveProcess {
  readonly pid: number;
  readonly isGuardian: boolean;
  /** Its command line, for messages. */
  readonly command: string;
}

/** What a process must have to be one of a workspace's. */
export interface ProcessMarks {
  /** A folder that holds the workspace and the HOME of its processes. */
  readonly base: string;
  /** Ids of runs whose guardians count too. */
  readonly runs: readonly string[];
}

/** All processes of a workspace that live now. */
export function livingOf(marks: ProcessMarks): LiveProcess[] {
  const living: LiveProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid || isDead(pid)) continue;
    const words = read(pid, "cmdline").split("\0");
    const isGuardian = words.includes("kahn-guardian") && marks.runs.some((run) => words.includes(run));
    if (isGuardian || bears(pid, marks.base)) living.push({ pid, isGuardian, command: words.join(" ").slice(0, 200) });
  }
  return living;
}

/** Ends everything that `livingOf` finds, until it finds nothing. */
export function sweep(marks: ProcessMarks): LiveProcess[] {
  const swept = new Map<number, LiveProcess>();
  for (let found = livingOf(marks); found.length > 0; found = livingOf(marks)) {
    for (const each of found) {
      swept.set(each.pid, each);
      try {
        process.kill(each.pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  }
  return [...swept.values()];
}

function bears(pid: number, base: string): boolean {
  if (read(pid, "environ").includes(`HOME=${base}/`)) return true;
  try {
    return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${base}/`);
  } catch (error) {
    return notThere(error);
  }
}

function isDead(pid: number): boolean {
  const stat = read(pid, "stat");
  // The name, in parentheses, may hold anything but the last ") ".
  return stat === "" || /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch (error) {
    notThere(error);
    return "";
  }
}

/** It ended meanwhile, or is somebody else's: not one of ours. */
function notThere(error: unknown): false {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return false;
  throw error;
}
