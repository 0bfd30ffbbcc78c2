/**
 * Logs that are read while they are written: the standard output of a running action.
 *
 * Owns:      the logs of this process, in memory: they are for watching, and what is to stay becomes a blob.
 * Method:    bytes are copied together into chunks of 64 KiB but for the last, whatever the writer's pieces are: a log
 *            takes at most twice the memory of its bytes, and an offset is a place in the list of chunks.
 * Invariant: bytes are only appended; a reader gets all of them from its offset on, in order, until the log is final.
 *            Only who knows the token writes. Bytes and number of logs are bounded: finished logs make room for new
 *            ones, oldest first. Who reads a log when it is forgotten gets the rest of it all the same.
 */
import type { Clock, Random, Timer } from "@kahn/core";
import { randomHex } from "@kahn/core";
import { StatusCode, StatusError } from "../../grpc/index.ts";
import type { LogStreamName } from "../../names/resource-name.ts";
import { printLogStreamName } from "../../names/resource-name.ts";

/** What logs need. */
export interface LogStreamsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Bytes of one log, and of all together; default: 256 MiB. */
  readonly logMaxBytes: number;
  readonly totalMaxBytes?: number;
  /** How long a log is kept after its last byte. */
  readonly keptMs: number;
  /** How long one is kept whose bytes are also elsewhere, for who has just heard of it. Default: a minute. */
  readonly retiredKeptMs?: number;
  readonly logsMax: number;
}

const TOTAL_MAX_BYTES = 256 << 20;
const RETIRED_KEPT_MS = 60_000;
/** All chunks but the last are full, so that an offset tells its chunk. */
const CHUNK_BYTES = 64 << 10;
const FIRST_BYTES = 256;

/** One log. */
export class LogStream {
  /** For readers. */
  readonly name: string;
  /** For the writer alone. */
  readonly writeName: string;
  readonly token: string;
  readonly #hold: (bytes: number, more: number) => boolean;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isFinal = false;
  readonly #waiting = new Set<() => void>();
  /** For `LogStreams`: monotonic time when it is forgotten. */
  dueMs: number;

  /** @param options `hold` is asked before a log of so many bytes gets so many more. */
  constructor(
    name: LogStreamName,
    options: { readonly hold: (bytes: number, more: number) => boolean; readonly dueMs: number },
  ) {
    this.name = printLogStreamName({ ...name, token: "" });
    this.writeName = printLogStreamName(name);
    this.token = name.token;
    this.#hold = options.hold;
    this.dueMs = options.dueMs;
  }

  /** Bytes that are there. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** True when nothing more will come. */
  get isFinal(): boolean {
    return this.#isFinal;
  }

  /**
   * Appends bytes, which are copied.
   *
   * @returns false when the log is final, or it or all logs would get too long; nothing is appended then.
   */
  append(bytes: Uint8Array): boolean {
    if (this.#isFinal) return false;
    if (bytes.length === 0) return true;
    if (!this.#hold(this.#bytes, bytes.length)) return false;
    for (let at = 0; at < bytes.length; ) at += this.#fill(bytes.subarray(at));
    this.#wake();
    return true;
  }

  /** Copies into the last chunk what it has room for. @returns how many bytes that were. */
  #fill(bytes: Uint8Array): number {
    const used = this.#bytes % CHUNK_BYTES;
    if (used === 0) this.#chunks.push(Buffer.allocUnsafeSlow(roomFor(bytes.length)));
    let chunk = this.#chunks.at(-1)!;
    if (chunk.length < CHUNK_BYTES && chunk.length < used + bytes.length) {
      // Most logs are a few lines. What readers hold of the smaller one stays as it is.
      const larger = Buffer.allocUnsafeSlow(roomFor(used + bytes.length));
      larger.set(chunk.subarray(0, used));
      this.#chunks[this.#chunks.length - 1] = larger;
      chunk = larger;
    }
    const taken = bytes.subarray(0, chunk.length - used);
    chunk.set(taken, used);
    this.#bytes += taken.length;
    return taken.length;
  }

  /** Nothing more will come. */
  finalize(): void {
    this.#isFinal = true;
    this.#wake();
  }

  /** The bytes from an offset to another, as far as they are there, in pieces that never change. */
  *slice(from: number, to: number): Generator<Uint8Array> {
    const end = Math.min(to, this.#bytes);
    for (let at = from; at < end; ) {
      const inChunk = at % CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES - inChunk, end - at);
      yield this.#chunks[Math.floor(at / CHUNK_BYTES)]!.subarray(inChunk, inChunk + length);
      at += length;
    }
  }

  /** Resolves when there is more, or the log is final, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
      if (signal.aborted) done();
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Bytes of a chunk that is to hold so many; a power of two. */
function roomFor(bytes: number): number {
  let room = FIRST_BYTES;
  while (room < bytes && room < CHUNK_BYTES) room *= 2;
  return room;
}

/** All logs. */
export class LogStreams {
  readonly #options: LogStreamsOptions;
  /** In the order of creation. */
  readonly #logs = new Map<string, LogStream>();
  #timer: Timer | undefined;
  #totalBytes = 0;

  constructor(options: LogStreamsOptions) {
    this.#options = options;
  }

  /** A new log below a parent. @throws StatusError RESOURCE_EXHAUSTED when there are too many that are written. */
  create(parent: string): LogStream {
    const { random, logsMax } = this.#options;
    if (this.#logs.size >= logsMax && !this.#makeRoom()) {
      throw new StatusError(StatusCode.resourceExhausted, `there are ${logsMax} logs already; try again later`);
    }
    const name = { kind: "log-stream", parent, id: randomHex(random, 32), token: randomHex(random, 32) } as const;
    const log = new LogStream(name, { hold: this.#hold, dueMs: this.#inMs(this.#options.keptMs) });
    this.#logs.set(log.name, log);
    this.#arm();
    return log;
  }

  /** A log by its name; a wrong token is as wrong as a wrong name. */
  find(name: LogStreamName): LogStream | undefined {
    const log = this.#logs.get(printLogStreamName({ ...name, token: "" }));
    return name.token === "" || log?.token === name.token ? log : undefined;
  }

  /** Notes that a log is in use. */
  touch(log: LogStream): void {
    log.dueMs = this.#inMs(this.#options.keptMs);
  }

  /** Keeps a log, however long nothing comes, until it is retired. */
  keep(log: LogStream): void {
    log.dueMs = Number.POSITIVE_INFINITY;
  }

  /** Nothing more will come, and what came is elsewhere as well: it is forgotten soon. */
  retire(log: LogStream): void {
    log.finalize();
    log.dueMs = Math.min(log.dueMs, this.#inMs(this.#options.retiredKeptMs ?? RETIRED_KEPT_MS));
  }

  /** Ends all logs and their readers. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const log of this.#logs.values()) log.finalize();
    this.#logs.clear();
    this.#totalBytes = 0;
  }

  readonly #hold = (bytes: number, more: number): boolean => {
    const { logMaxBytes, totalMaxBytes = TOTAL_MAX_BYTES } = this.#options;
    if (bytes + more > logMaxBytes) return false;
    while (this.#totalBytes + more > totalMaxBytes) if (!this.#makeRoom()) return false;
    this.#totalBytes += more;
    return true;
  };

  /** Forgets the oldest finished log. @returns false when there is none. */
  #makeRoom(): boolean {
    for (const log of this.#logs.values()) {
      if (!log.isFinal) continue;
      this.#forget(log);
      return true;
    }
    return false;
  }

  #inMs(ms: number): number {
    return this.#options.clock.monotonicMs() + ms;
  }

  #forget(log: LogStream): void {
    log.finalize();
    this.#logs.delete(log.name);
    this.#totalBytes -= log.sizeBytes;
  }

  /** Logs that nobody has written to for long are forgotten, those that were never finished as well. */
  #arm(): void {
    const { clock, keptMs, retiredKeptMs = RETIRED_KEPT_MS } = this.#options;
    this.#timer ??= clock.setTimer(Math.min(keptMs, retiredKeptMs), () => {
      this.#timer = undefined;
      const nowMs = clock.monotonicMs();
      for (const log of this.#logs.values()) if (log.dueMs <= nowMs) this.#forget(log);
      if (this.#logs.size > 0) this.#arm();
    });
  }
}
