/**
 * Marked processes: those that a process group does not hold, because they made a group or a session of their own.
 *
 * Method:    a mark is a number that stands in the hard limit of file locks (`RLIMIT_LOCKS`). Linux hands limits on to
 *            whatever a process starts, keeps this one without ever looking at it, and shows it in `/proc/PID/limits`;
 *            only root can raise it again. So it stays through double forks, new sessions, another working directory
 *            and closed descriptors, and is no variable that a command would see. Where a shell cannot set it, a
 *            process is still known by the folder that it stands in.
 * Invariant: a process is killed only while it is stopped and was seen, stopped, to be one of those meant; all are
 *            stopped before any is killed, so that none starts another one meanwhile.
 * Limit:     root can lift the limit, and anybody can lower his own and go elsewhere: who means to hide is held by a
 *            sandbox only.
 */
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import type { ProcessMark, Strays } from "@kahn/core";
import { readProcessStat } from "../process-identity.ts";
import { deliver } from "./process-set.ts";
import { errnoOf } from "./refusal.ts";

/** A mark is nine digits that stand for a runner, and six that count. */
const COUNT_END = 1_000_000;
const RUNNER_MIN = 100_000_000;

/**
 * What was read of a process is believed for so long: its number becomes somebody else's only after all others were
 * used, which takes longer.
 */
const KNOWN_MS = 5000;
/** Processes that start others faster than they can be looked at would keep us busy for ever. */
const ROUNDS_MAX = 100;

/** The marks of one runner, and the processes that bear them. */
export class MarkedProcesses {
  readonly #nowMs: () => number;
  readonly #runner = randomInt(RUNNER_MIN, 10 * RUNNER_MIN);
  #last = -1;
  /** Marks by process id; 0 for none. */
  #known = new Map<number, number>();
  #knownSinceMs = 0;

  /** @param nowMs a clock that does not jump. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** A mark that no process bears, unless it has outlived a million others; `undefined` where there is no /proc. */
  newMark(): ProcessMark | undefined {
    if (process.platform !== "linux") return undefined;
    this.#last = (this.#last + 1) % COUNT_END;
    const number = this.#runner * COUNT_END + this.#last;
    // Dash and busybox know the one letter, bash the other.
    return { number, shell: `{ ulimit -w ${number} || ulimit -x ${number}; } 2>/dev/null` };
  }

  /**
   * Ends what belongs to one process and has left its group. Cheap where there is nothing (0.2 ms): processes that were
   * there some seconds ago are not looked at again, unless `isThorough`.
   *
   * @returns those that were killed: they are gone in a moment.
   */
  end(strays: Strays, { isThorough }: { readonly isThorough: boolean }): readonly number[] {
    if (process.platform !== "linux") return [];
    const meant = meaning(strays, (mark) => isMark(mark) && mark === strays.mark);
    return isThorough || this.#sees(meant) ? endMeant(meant) : [];
  }

  /** Whether there is one. */
  #sees(meant: Meant): boolean {
    if (this.#nowMs() - this.#knownSinceMs > KNOWN_MS) {
      this.#known.clear();
      this.#knownSinceMs = this.#nowMs();
    }
    const known = new Map<number, number>();
    let isSeen = false;
    for (const pid of processIds()) {
      const before = this.#known.get(pid);
      const mark = before ?? markOf(pid);
      known.set(pid, mark);
      if (meant.hasMark(mark) || (before === undefined && standsBelow(pid, meant.folder))) isSeen = true;
    }
    this.#known = known;
    return isSeen;
  }
}

/** Ends all that bears a mark of the runner which made this one, or stands below the folder. */
export function endAllMarked(strays: Strays): readonly number[] {
  if (process.platform !== "linux") return [];
  const runner = markingRunner(strays.mark);
  return endMeant(meaning(strays, (mark) => isMark(mark) && markingRunner(mark) === runner));
}

/** The first nine digits of a mark: those of the runner that made it. */
export function markingRunner(mark: number): number {
  return Math.floor(mark / COUNT_END);
}

/** True while one of them has not ended. */
export function areLive(pids: readonly number[]): boolean {
  return pids.some(isLive);
}

/** Which processes are meant. */
interface Meant {
  readonly hasMark: (mark: number) => boolean;
  /** Without symlinks; `undefined` when it is not there. */
  readonly folder: string | undefined;
}

function meaning({ folder }: Strays, hasMark: Meant["hasMark"]): Meant {
  try {
    return { hasMark, folder: realpathSync(folder) };
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return { hasMark, folder: undefined };
  }
}

function endMeant(meant: Meant): readonly number[] {
  const killed = new Set<number>();
  const stopped = new Set<number>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const fresh = processIds().filter((pid) => !killed.has(pid) && !stopped.has(pid) && isStopped(pid, meant));
    for (const pid of fresh) stopped.add(pid);
    if (fresh.length > 0) continue;
    if (stopped.size === 0) break;
    for (const pid of stopped) {
      deliver(pid, "SIGKILL");
      killed.add(pid);
    }
    stopped.clear();
  }
  for (const pid of stopped) deliver(pid, "SIGKILL");
  return [...killed, ...stopped];
}

/** Stops it if it is one of those meant. */
function isStopped(pid: number, meant: Meant): boolean {
  if (!isMeant(pid, meant) || !isLive(pid) || !deliver(pid, "SIGSTOP")) return false;
  if (isMeant(pid, meant)) return true;
  // It ended in between, and the number is somebody else's.
  deliver(pid, "SIGCONT");
  return false;
}

function isMeant(pid: number, { hasMark, folder }: Meant): boolean {
  return hasMark(markOf(pid)) || standsBelow(pid, folder);
}

function isLive(pid: number): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && stat.state !== "Z" && stat.state !== "X";
}

function processIds(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
}

/** False above all for 0, which everybody has. */
function isMark(number: number): boolean {
  return Number.isSafeInteger(number) && number >= RUNNER_MIN * COUNT_END;
}

const LIMIT = "Max file locks";

/** 0 for none. */
function markOf(pid: number): number {
  const text = read(() => readFileSync(`/proc/${pid}/limits`, "latin1")) ?? "";
  const from = text.indexOf(LIMIT);
  // Soft limit, hard limit; most often both say "unlimited".
  const hard = from < 0 ? undefined : text.slice(from + LIMIT.length, from + 80).split(/ +/)[2];
  const mark = Number(hard);
  return Number.isSafeInteger(mark) ? mark : 0;
}

function standsBelow(pid: number, folder: string | undefined): boolean {
  if (folder === undefined) return false;
  const place = read(() => readlinkSync(`/proc/${pid}/cwd`));
  return place !== undefined && (place === folder || place.startsWith(`${folder}/`));
}

/** What /proc tells of a process; `undefined` when it is gone, or another user's. */
function read(call: () => string): string | undefined {
  try {
    return call();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
