/**
 * Which process is that? A pid alone is reused; with its start time, its boot and its host it names one process for
 * ever.
 *
 * Owns:  the reading of process tables (`/proc`, or `ps` where there is none).
 * Never: sends a signal that does anything.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { errnoOf, isAbsent } from "./internal/refusal.ts";

/** Names one process among all processes of all times. JSON-serialisable. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; see `processStartTime`. */
  readonly startedAt: string;
  readonly bootId: string;
  readonly host: string;
}

/** What a process table says of one process. */
export interface ProcessStat {
  /** `Z` and `X` are dead and only waited for. */
  readonly state: string;
  readonly groupId: number;
  readonly startedAt: string;
}

/** Reads one entry of `/proc`; `undefined` when there is no such process (or no `/proc`). */
export function readProcessStat(pid: number | string): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (isAbsent(error) || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
  // The second field is the name in parentheses and may itself contain `) `; the last `)` ends it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0]!, groupId: Number(fields[2]), startedAt: fields[19]! };
}

/**
 * When a process started, as an opaque text that compares equal for the same process only (clock ticks since boot on
 * Linux, a date elsewhere); `undefined` when there is no such process.
 */
export function processStartTime(pid: number): string | undefined {
  if (process.platform === "linux") return readProcessStat(pid)?.startedAt;
  return runQuietly("ps", ["-o", "lstart=", "-p", String(pid)]);
}

/**
 * True when the process lives. One that is dead and only waited for (a zombie) does not.
 *
 * @param startedAt what `processStartTime` gave; with it a later process of the same pid is not mistaken for it.
 */
export function isAlive(pid: number, startedAt?: string): boolean {
  // 0 and negative numbers would ask about groups.
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and is somebody else's.
    if (errnoOf(error) === "ESRCH") return false;
    if (errnoOf(error) !== "EPERM") throw error;
  }
  if (process.platform === "linux") {
    const stat = readProcessStat(pid);
    if (stat === undefined || stat.state === "Z" || stat.state === "X") return false;
    return startedAt === undefined || stat.startedAt === startedAt;
  }
  return startedAt === undefined || processStartTime(pid) === startedAt;
}

/**
 * Changes with every boot of this machine; on Linux also names the pid namespace, because a container's pids mean
 * nothing outside. `"unknown"` where the system does not tell.
 */
export function bootId(): string {
  if (process.platform !== "linux") return runQuietly("sysctl", ["-n", "kern.bootsessionuuid"]) ?? "unknown";
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid")}`;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return "unknown";
  }
}

/** The name of this machine, for messages and to tell whether a recorded pid can be asked about here. */
export function hostName(): string {
  return hostname();
}

/** The identity of the calling process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startedAt: processStartTime(process.pid) ?? "", bootId: bootId(), host: hostName() };
}

/**
 * Whether a recorded process still lives: `unknown` when it ran on another machine (or in another container), whose
 * process table cannot be read here.
 */
export function livenessOf(identity: ProcessIdentity): "alive" | "dead" | "unknown" {
  if (identity.host !== hostName()) return "unknown";
  if (identity.bootId !== bootId()) {
    // Same machine: another boot is over, another pid namespace is only out of sight.
    return identity.bootId.split("/")[0] === bootId().split("/")[0] ? "unknown" : "dead";
  }
  return isAlive(identity.pid, identity.startedAt === "" ? undefined : identity.startedAt) ? "alive" : "dead";
}

/** The trimmed output of a small program; `undefined` when it failed or said nothing. */
function runQuietly(program: string, args: readonly string[]): string | undefined {
  try {
    const text = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return text === "" ? undefined : text;
  } catch (error) {
    // An exit status other than 0 carries no errno; a missing program does. Both mean: not told.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
