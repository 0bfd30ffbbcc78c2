/**
 * Two named pipes between us and a process that somebody else starts: what a persistent worker reads and writes.
 *
 * Owns:  our ends of both.
 * Never: makes or removes the pipes: `mkfifo` does, and whoever owns their folder.
 * Note:  not pipes of `spawn`: those are sockets in Node, and a shell whose standard input is a socket takes itself for
 *        a remote one and reads start-up files. Both ends are opened for reading and writing, so that no opening waits
 *        for the other side; the end of the process is therefore learned from whoever started it, not from here.
 *        The pipes are looked at by a timer, and only while an answer is awaited: Node has no way to be told by the
 *        kernel that gives the descriptor back (a `Socket` on it closes it behind the back of `fs`, which in a worker
 *        thread ends with a foreign file being closed).
 */
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import type { Clock, Timer } from "@kahn/core";
import { errnoOf, guarded } from "./internal/refusal.ts";

/** What to open. */
export interface FifoPairOptions {
  readonly clock: Clock;
  /** Absolute paths of pipes that are there. */
  readonly toProcess: string;
  readonly fromProcess: string;
  readonly onBytes: (bytes: Uint8Array) => void;
}

/** Our ends. */
export interface FifoPair {
  /** Sends bytes; what the pipe does not take at once is kept, and sent while one listens. */
  write(bytes: Uint8Array): void;
  /** Whether bytes are awaited. Without, none is heard, and the process writes until its pipe is full. */
  listen(on: boolean): void;
  /** Lets go of both: the process then reads the end of its input. Nothing is heard any more. */
  close(): void;
}

/** Opens both pipes. @throws FileSystemError when one is not there. */
export function openFifoPair(options: FifoPairOptions): FifoPair {
  return new OpenFifos(options);
}

const POLL_MIN_MS = 1;
const POLL_MAX_MS = 8;
const READ_BYTES = 65_536;

class OpenFifos implements FifoPair {
  readonly #options: FifoPairOptions;
  readonly #output: number;
  readonly #input: number;
  readonly #unsent: Uint8Array[] = [];
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  #timer: Timer | undefined;
  #listens = false;
  #isClosed = false;

  constructor(options: FifoPairOptions) {
    this.#options = options;
    this.#output = openEnd(options.toProcess);
    try {
      this.#input = openEnd(options.fromProcess);
    } catch (error) {
      closeSync(this.#output);
      throw error;
    }
  }

  write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#unsent.push(bytes);
    this.#send();
  }

  listen(on: boolean): void {
    if (this.#listens === on || this.#isClosed) return;
    this.#listens = on;
    this.#timer?.cancel();
    if (on) this.#wait(POLL_MIN_MS);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    closeSync(this.#output);
    closeSync(this.#input);
  }

  #wait(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#poll(delayMs));
  }

  #poll(waitedMs: number): void {
    const moved = [this.#send(), this.#receive()].includes(true);
    if (this.#listens && !this.#isClosed) this.#wait(moved ? POLL_MIN_MS : Math.min(2 * waitedMs, POLL_MAX_MS));
  }

  /** True when something went out. */
  #send(): boolean {
    let sent = false;
    for (let bytes = this.#unsent[0]; bytes !== undefined; bytes = this.#unsent[0]) {
      const count = attempt(() => writeSync(this.#output, bytes));
      if (count === 0) break;
      sent = true;
      if (count === bytes.byteLength) this.#unsent.shift();
      else this.#unsent[0] = bytes.subarray(count);
    }
    return sent;
  }

  /** True when something came in. */
  #receive(): boolean {
    let received = false;
    // A listener may close in the middle.
    while (!this.#isClosed) {
      const count = attempt(() => readSync(this.#input, this.#buffer));
      if (count === 0) break;
      received = true;
      this.#options.onBytes(new Uint8Array(this.#buffer.subarray(0, count)));
    }
    return received;
  }
}

function openEnd(path: string): number {
  return guarded("open", path, () => openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
}

/** The count of bytes moved; 0 when the pipe is full, or empty. */
function attempt(move: () => number): number {
  try {
    return move();
  } catch (error) {
    if (errnoOf(error) === "EAGAIN") return 0;
    throw error;
  }
}
