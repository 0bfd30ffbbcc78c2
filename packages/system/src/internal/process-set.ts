/**
 * The processes that end together: a group, or one interactive process and its kin.
 *
 * Owns:  the two questions "does any of them live?" and "send all of them a signal".
 * Never: counts the dead: a zombie answers to signals until it is waited for, and where nothing waits for orphans
 *        (a container without an init) that is for ever.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { readProcessStat } from "../process-identity.ts";
import { TOKEN_VARIABLE } from "./guardian-script.ts";
import { errnoOf } from "./refusal.ts";

/** Processes that end together. */
export interface ProcessSet {
  /** True while one of them lives. */
  hasLive(): boolean;
  /** Sends all of them a signal; no effect on those that are gone. */
  signal(name: NodeJS.Signals): void;
}

/** All processes of a group. `groupId` must be a number that the caller knows to be its own still. */
export function processGroup(groupId: number): ProcessSet {
  // The last live member seen: asking about one is cheaper than reading the whole table again.
  let witness = groupId;
  return {
    hasLive: () => {
      if (!deliver(-groupId, 0)) return false;
      if (process.platform !== "linux") return psShowsLive(groupId);
      if (livesInGroup(witness, groupId)) return true;
      // Twice, since a process may start another one and end while the list is read.
      const found = findMember(groupId) ?? findMember(groupId);
      if (found !== undefined) witness = found;
      return found !== undefined;
    },
    signal: (name) => void deliver(-groupId, name),
  };
}

/**
 * A process in the group of Kahn itself, and, on Linux, those of its descendants that have stayed in that group.
 *
 * @param isLeaderGone true once `pid` was waited for and may be somebody else's.
 */
export function processKin(pid: number, token: string, isLeaderGone: () => boolean): ProcessSet {
  const ownGroup = readProcessStat("self")?.groupId;
  const mark = `${TOKEN_VARIABLE}=${token}`;
  const kin = () =>
    ownGroup === undefined
      ? []
      : processIds().filter((each) => each !== pid && livesInGroup(each, ownGroup) && environmentHolds(each, mark));
  return {
    hasLive: () => !isLeaderGone() || kin().length > 0,
    signal: (name) => {
      if (!isLeaderGone()) deliver(pid, name);
      for (const each of kin()) deliver(each, name);
    },
  };
}

/** Sends a signal to a process, or to the group of a negative number. False when there is nobody (left) to receive it. */
export function deliver(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    // EPERM: somebody is there. (macOS also answers so for a group of zombies.)
    if (errnoOf(error) === "EPERM") return true;
    if (errnoOf(error) === "ESRCH") return false;
    throw error;
  }
}

function processIds(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function findMember(groupId: number): number | undefined {
  return processIds().find((pid) => livesInGroup(pid, groupId));
}

function livesInGroup(pid: number, groupId: number): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && stat.groupId === groupId && stat.state !== "Z" && stat.state !== "X";
}

function environmentHolds(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(mark);
  } catch (error) {
    // Gone meanwhile, or another user's: not one of ours.
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

/** What `ps` says, where there is no /proc; `true` when it cannot be asked, because somebody did take the signal. */
function psShowsLive(groupId: number): boolean {
  let table: string;
  try {
    table = execFileSync("ps", ["-A", "-o", "pgid=,stat="], { encoding: "latin1" });
  } catch (error) {
    if (error instanceof Error) return true;
    throw error;
  }
  return table.split("\n").some((line) => {
    const [group, state] = line.trim().split(/\s+/);
    return Number(group) === groupId && state?.startsWith("Z") === false;
  });
}
