/**
 * The directory entries of a lock: numbered folders, each holding a listening socket and its owner's record.
 *
 * Owns:      names, numbers, publishing and sweeping.
 * Never:     decides who owns the lock.
 * Invariant: a numbered folder appears whole, in one rename, with its socket already listening and its record
 *            written; a rename onto a folder that has something in it fails, so a number has one publisher. Only the
 *            owner of the lock removes folders, and only those whose socket nobody listens on any more.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import type { ProcessIdentity } from "../process-identity.ts";
import { errnoOf, isAbsent } from "./refusal.ts";

/** Who holds a lock, as it says itself. JSON-serialisable. */
export interface LockHolder extends ProcessIdentity {
  /** What it does, for messages. */
  readonly label: string;
  /** Its command line. */
  readonly command: string;
  /** When it took the lock: wall time, milliseconds since the epoch. */
  readonly acquiredAtMs: number;
}

/** Where the folders of one lock are: their paths begin with `prefix`. */
export interface LockRoom {
  readonly prefix: string;
  /** A directory that exists; what is missing below it may be made. */
  readonly home: string;
}

const RECORD = "owner.json";

/** Path of a numbered folder. */
export function numberedFolder(room: LockRoom, number: number): string {
  return `${room.prefix}.${number}`;
}

/** The socket in a folder. */
export function socketIn(folder: string): string {
  return `${folder}/s`;
}

/** Numbers there are, highest first. */
export function lockNumbers(room: LockRoom): number[] {
  const base = `${baseOf(room)}.`;
  const numbers: number[] = [];
  for (const name of names(room)) {
    if (name.startsWith(base) && /^[1-9]\d{0,14}$/.test(name.slice(base.length))) {
      numbers.push(Number(name.slice(base.length)));
    }
  }
  return numbers.sort((a, b) => b - a);
}

/** A fresh folder under a name of its own, to be published when it is complete. */
export function makeFolder(room: LockRoom): string {
  if (dirname(room.prefix) !== room.home) makeShared(dirname(room.prefix));
  const folder = `${room.prefix}-new-${randomBytes(8).toString("hex")}`;
  mkdirSync(folder);
  return folder;
}

/** A folder in which every user may make entries, and nobody may remove another's. */
function makeShared(folder: string): void {
  // Only the one who made it can, and has to, change its mode.
  if (mkdirSync(folder, { recursive: true }) !== undefined) chmodSync(folder, 0o1777);
}

/** Writes the owner's record into a folder that is not yet published. */
export function writeRecord(folder: string, holder: LockHolder): void {
  writeFileSync(`${folder}/${RECORD}`, `${JSON.stringify(holder)}\n`);
}

/** Gives a complete folder its number; `taken` when somebody was faster, `swept` when an owner removed the folder. */
export function publish(room: LockRoom, folder: string, number: number): "published" | "taken" | "swept" {
  try {
    renameSync(folder, numberedFolder(room, number));
    return "published";
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOTEMPTY" || code === "EEXIST") return "taken";
    if (isAbsent(error)) return "swept";
    throw error;
  }
}

/** Names a socket file among all that ever were; `undefined` when there is none. */
export function socketIdentity(folder: string): string | undefined {
  const stat = statSync(socketIn(folder), { bigint: true, throwIfNoEntry: false });
  return stat && `${stat.dev}-${stat.ino}-${stat.ctimeNs}`;
}

/** The record in a folder; `undefined` when there is none, or none that can be read. */
export function readRecord(folder: string): LockHolder | undefined {
  try {
    const record = JSON.parse(readFileSync(`${folder}/${RECORD}`, "utf8")) as LockHolder;
    return typeof record.pid === "number" && typeof record.host === "string" ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}

/** Folders that were never published: of contenders that are at work, or died. */
export function unpublishedFolders(room: LockRoom): string[] {
  const base = `${baseOf(room)}-new-`;
  return names(room)
    .filter((name) => name.startsWith(base))
    .map((name) => `${dirname(room.prefix)}/${name}`);
}

/** Removes a folder; what cannot be removed, or is not there, is left. */
export function sweepFolder(folder: string): void {
  try {
    // Not in one recursive call from a name that may be taken anew meanwhile: a folder with a new socket must stay.
    rmSync(socketIn(folder), { force: true });
    rmSync(`${folder}/${RECORD}`, { force: true });
    rmdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

function baseOf(room: LockRoom): string {
  return room.prefix.slice(dirname(room.prefix).length + 1);
}

function names(room: LockRoom): string[] {
  try {
    return readdirSync(dirname(room.prefix));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
