/**
 * Names of runs and tasks.
 *
 * Owns:      making and reading run ids (ULID) and task ids (`package#task`).
 * Invariant: run ids sort by time as text.
 * Source:    the ULID specification (48-bit time, 80-bit randomness, Crockford base 32).
 */
import type { Clock } from "./ports/clock.ts";
import type { Random } from "./ports/random.ts";

declare const runIdBrand: unique symbol;
declare const taskIdBrand: unique symbol;

/** One execution of a graph: a ULID, 26 characters. */
export type RunId = string & { readonly [runIdBrand]: "RunId" };

/** A task of a project: `package#task`; tasks of the workspace root are `//#task`. */
export type TaskId = string & { readonly [taskIdBrand]: "TaskId" };

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Reads a run id; `undefined` if the text is not one. */
export function parseRunId(text: string): RunId | undefined {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text) ? (text as RunId) : undefined;
}

/** Makes a run id of this clock's wall time and 80 random bits. */
export function newRunId(clock: Clock, random: Random): RunId {
  let time = clock.nowMs();
  let head = "";
  for (let index = 0; index < 10; index++) {
    head = ALPHABET[time % 32]! + head;
    time = Math.floor(time / 32);
  }
  let tail = "";
  for (const byte of random.bytes(16)) tail += ALPHABET[byte & 31]!;
  return (head + tail) as RunId;
}

/** When a run id was made, in milliseconds since the epoch. */
export function runIdTimeMs(id: RunId): number {
  let time = 0;
  for (const digit of id.slice(0, 10)) time = time * 32 + ALPHABET.indexOf(digit);
  return time;
}

/** Joins a project's name and a task's name. */
export function taskId(project: string, task: string): TaskId {
  return `${project}#${task}` as TaskId;
}

/** Splits a task id at its last `#` (package names hold none; a script name may hold a colon, never a `#`). */
export function splitTaskId(id: TaskId): { readonly project: string; readonly task: string } {
  const at = id.lastIndexOf("#");
  return { project: id.slice(0, at), task: id.slice(at + 1) };
}
