/**
 * Hands out what is written to a file, as it is written.
 *
 * A followed process writes straight into its log file and we read behind it. Against a pipe this costs less, cannot
 * be held open by a grandchild, loses nothing when Kahn dies, and never slows or breaks the writer (Node's pipes are
 * sockets, on which `echo x >/dev/stderr` fails). The price is a delay of one tick.
 *
 * Owns:      the ticker that all tails of a runner share.
 * Invariant: after `finish` the listener has received every byte that the file then held, in order.
 */
import { closeSync, fstatSync } from "node:fs";
import type { Clock, Timer } from "@kahn/core";
import { fill } from "./read.ts";

const TICK_MS = 25;
/** Read per file and tick, so that one talkative process does not hold up everything else. */
const CHUNK_BYTES = 256 * 1024;

/** One file being followed. */
export interface OutputTail {
  /** Hands out the rest and closes the descriptor. */
  finish(): void;
}

interface Followed {
  readonly fd: number;
  readonly onBytes: (bytes: Uint8Array) => void;
  offset: number;
}

/** Follows any number of files. */
export class OutputTails {
  readonly #clock: Clock;
  readonly #followed = new Set<Followed>();
  #scratch: Buffer | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Follows a file from its beginning; takes over the descriptor, which must be readable. */
  follow(fd: number, onBytes: (bytes: Uint8Array) => void): OutputTail {
    const followed: Followed = { fd, onBytes, offset: 0 };
    this.#followed.add(followed);
    this.#timer ??= this.#clock.setTimer(TICK_MS, () => this.#tick());
    return { finish: () => this.#finish(followed) };
  }

  #tick(): void {
    for (const followed of this.#followed) this.#advance(followed, CHUNK_BYTES);
    this.#timer = this.#followed.size === 0 ? undefined : this.#clock.setTimer(TICK_MS, () => this.#tick());
  }

  #finish(followed: Followed): void {
    if (!this.#followed.delete(followed)) return;
    if (this.#followed.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    try {
      // To the size of this moment: a process that has left its group may still write, and must not keep us here.
      this.#advance(followed, Number.POSITIVE_INFINITY);
    } finally {
      closeSync(followed.fd);
    }
  }

  /** Hands out what is new, at most `limitBytes`. */
  #advance(followed: Followed, limitBytes: number): void {
    const sizeBytes = fstatSync(followed.fd).size;
    // The process has cut its own log (`echo x >/dev/stdout` does that): go on with what it holds now.
    if (sizeBytes < followed.offset) followed.offset = 0;
    const end = Math.min(sizeBytes, followed.offset + limitBytes);
    const scratch = (this.#scratch ??= Buffer.allocUnsafeSlow(CHUNK_BYTES));
    while (followed.offset < end) {
      const filled = fill(
        followed.fd,
        scratch.subarray(0, Math.min(CHUNK_BYTES, end - followed.offset)),
        followed.offset,
      );
      if (filled === 0) return;
      followed.offset += filled;
      // A copy: the listener may keep it.
      followed.onBytes(new Uint8Array(scratch.subarray(0, filled)));
    }
  }
}
