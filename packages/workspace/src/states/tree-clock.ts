/** The clock of the file system that holds the work tree, asked as seldom as soundness allows. */
import type { Clock, FileSystem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import { fileSystemClockMs, timestampGranularityMs } from "@kahn/system";
import type { FileTime } from "./trust.ts";

/**
 * A stamp read at most this long ago still serves: an older one only leaves files that changed since then to be hashed
 * once more. Asking costs as much as hashing ten files.
 */
const STAMP_LIFE_MS = 50;

/** For file systems that stamp whole seconds, or even ones. */
const WHOLE_SECONDS_MS = 2000;

/** Asks by touching a file in a directory of ours. */
export class TreeClock {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #directory: string;
  #granularityMs: number;
  #stamp: { readonly time: FileTime; readonly readAtMs: number } | undefined;

  /** @param granularityMs as measured by an earlier run; 0 measures it at the first question. */
  constructor(ports: { readonly fs: FileSystem; readonly clock: Clock }, directory: string, granularityMs: number) {
    this.#fs = ports.fs;
    this.#clock = ports.clock;
    this.#directory = directory;
    this.#granularityMs = granularityMs;
  }

  /** 0 when it was never measured. */
  get granularityMs(): number {
    return this.#granularityMs;
  }

  /** A time that is not after now. */
  now(): FileTime {
    const readAtMs = this.#clock.monotonicMs();
    if (this.#stamp !== undefined && readAtMs - this.#stamp.readAtMs < STAMP_LIFE_MS) return this.#stamp.time;
    const time = this.#ask();
    this.#stamp = { time, readAtMs };
    return time;
  }

  #ask(): FileTime {
    try {
      this.#fs.makeDirectory(this.#directory);
      if (this.#granularityMs === 0) this.#granularityMs = timestampGranularityMs(this.#fs, this.#directory);
      const nowMs = fileSystemClockMs(this.#fs, this.#directory);
      // A stamp without a fraction may be chance, or a file system that keeps one only where a program sets it.
      const granularityMs = nowMs % 1000 === 0 ? Math.max(this.#granularityMs, WHOLE_SECONDS_MS) : this.#granularityMs;
      return { nowMs, granularityMs, dev: this.#fs.lstat(this.#directory)?.dev ?? -1 };
    } catch (error) {
      // A state directory that cannot be written: every file is hashed anew in every run, which is slow and right.
      if (error instanceof FileSystemError) return { nowMs: Number.NEGATIVE_INFINITY, granularityMs: 0, dev: -1 };
      throw error;
    }
  }
}
