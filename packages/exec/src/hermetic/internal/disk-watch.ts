/**
 * How much of the disk a running command has taken.
 *
 * Method:    a look at the free space each second costs microseconds. The folder is walked only when so much space has gone
 *            that the bound could be near, or after a while, for others may have given space back; and a walk that was
 *            long makes the next one wait. Others get their turns during a walk.
 * Invariant: nothing but sizes is read, below the folder alone, whatever the command does with it meanwhile.
 * Limit:     files that have no name any more are not seen, and what is outside of the folder is not looked for.
 */
import {
  type Clock,
  type FileStat,
  type FileSystem,
  FileSystemError,
  type Problem,
  problem,
  sleep,
  type Timer,
} from "@kahn/core";
import { HeldFolder } from "./held-folder.ts";

const LOOK_MS = 1000;
/** Between two walks while nothing seems to happen. */
const WALK_MS = 20_000;
/** A walk may take this part of the time. */
const WALK_SHARE = 50;
/** Entries between two turns: some 2 ms. */
const TURN_ENTRIES = 512;
/** What an entry takes without any content. */
const ENTRY_BYTES = 512;

/** What to watch. */
export interface DiskWatchOptions {
  readonly fs: FileSystem;
  readonly clock: Clock;
  /** Absolute. */
  readonly folder: string;
  /** What is in it at the most before anything was written: see `plantedBytes`. Asked for at each look. */
  readonly inputBytes: () => number;
  /** What may come to that. */
  readonly maxBytes: number;
  /** Called once; nothing is watched afterwards. */
  readonly exceeded: () => void;
}

/** What files of these sizes take, as the watch counts it: never less than it finds. */
export function plantedBytes(sizes: Iterable<number>): number {
  let sum = 0;
  for (const sizeBytes of sizes) sum += ENTRY_BYTES + Math.ceil(sizeBytes / 4096) * 4096;
  return sum;
}

/** The problem of whoever took more. @param label of what ran */
export function diskLimit({ label }: { readonly label: string }, maxBytes: number): Problem<"action-disk-limit"> {
  return problem("action-disk-limit", `${label} took more than ${maxBytes} bytes of the disk beside its inputs`, {
    next: "Have it write less, or raise the limit (execution.maxDisk of a server).",
  });
}

/** Watches from now on until it is stopped. */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  #timer: Timer | undefined;
  #isStopped = false;
  /** At the last walk. */
  #usedBytes: number;
  #freeBytes: number;
  #walkedAtMs: number;
  #walkMs = 0;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#usedBytes = options.inputBytes();
    this.#freeBytes = this.#free();
    this.#walkedAtMs = options.clock.monotonicMs();
    this.#wait(LOOK_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #wait(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { clock, inputBytes, maxBytes, exceeded } = this.#options;
    const free = this.#free();
    const isNear = this.#freeBytes - free >= (inputBytes() + maxBytes - this.#usedBytes) / 2;
    const startedMs = clock.monotonicMs();
    const isTime = startedMs - this.#walkedAtMs >= Math.max(WALK_MS, this.#walkMs * WALK_SHARE);
    if (isNear || isTime) {
      this.#usedBytes = await this.#walk();
      this.#freeBytes = free;
      this.#walkedAtMs = clock.monotonicMs();
      this.#walkMs = this.#walkedAtMs - startedMs;
    }
    if (this.#isStopped) return;
    if (this.#usedBytes > inputBytes() + maxBytes) {
      this.stop();
      exceeded();
    } else this.#wait(Math.max(LOOK_MS, isNear ? this.#walkMs * 10 : 0));
  }

  #free(): number {
    return orElse(() => this.#options.fs.freeBytes(this.#options.folder), 0);
  }

  async #walk(): Promise<number> {
    const { fs, folder } = this.#options;
    const held = new HeldFolder(fs, folder);
    const tally: Tally = { bytes: 0, sinceTurn: 0, seen: new Set() };
    const open = [""];
    try {
      for (let place = open.pop(); place !== undefined && !this.#isStopped; place = open.pop()) {
        for (const below of await this.#count(held, place, tally)) open.push(below);
      }
    } finally {
      held.close();
    }
    return tally.bytes;
  }

  /** Adds what is in one directory. @returns the places of those in it. */
  async #count(held: HeldFolder, place: string, tally: Tally): Promise<readonly string[]> {
    const { fs, clock } = this.#options;
    const names = inPlace(held, place, (path) => fs.readDirectory(path)?.map(({ name }) => name) ?? []);
    const below: string[] = [];
    for (let from = 0; from < names.length && !this.#isStopped; from += TURN_ENTRIES) {
      const some = names.slice(from, from + TURN_ENTRIES);
      const stats = inPlace(held, place, (path) => fs.statMany(some.map((name) => `${path}/${name}`)));
      for (const stat of stats) tally.bytes += stat === undefined ? 0 : bytesOf(stat, tally.seen);
      const directories = some.filter((_, index) => stats[index]?.kind === "directory");
      below.push(...directories.map((name) => (place === "" ? name : `${place}/${name}`)));
      tally.sinceTurn += some.length;
      if (tally.sinceTurn >= TURN_ENTRIES) await sleep(clock, 0);
      tally.sinceTurn %= TURN_ENTRIES;
    }
    return below;
  }
}

/** What a walk has found so far. */
interface Tally {
  bytes: number;
  sinceTurn: number;
  /** Files with several names. */
  readonly seen: Set<string>;
}

/** A file with several names counts once. */
function bytesOf(
  { nlink, dev, ino, kind, sizeBytes, allocatedBytes = sizeBytes }: FileStat,
  seen: Set<string>,
): number {
  if (kind === "file" && nlink > 1) {
    const key = `${dev} ${ino}`;
    if (seen.has(key)) return ENTRY_BYTES;
    seen.add(key);
  }
  return ENTRY_BYTES + (kind === "file" || kind === "directory" ? allocatedBytes : 0);
}

/** Nothing of a directory that has gone, or that nobody may read. Rights are left as they are: the command has set them. */
function inPlace<T>(held: HeldFolder, place: string, read: (path: string) => readonly T[]): readonly T[] {
  return orElse(() => held.within(place, (path) => orElse(() => read(path), [])) ?? [], []);
}

function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    return otherwise;
  }
}
