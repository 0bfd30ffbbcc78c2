/**
 * Hashes of pieces, on a thread of their own: the one that receives them has all else to do.
 *
 * Owns:      the thread, started with the first hash and ended when none was asked for in a while, and the memory that it
 *            shares.
 * Invariant: every promise of a `PieceHasher` settles, whatever becomes of the thread: what a thread that was lost had
 *            hashed is lost, and told so; later hashes are made on the calling thread. The thread keeps a program from
 *            ending only while a hash is under construction.
 */
import { Worker } from "node:worker_threads";
import type { Clock, NativeDigestFunction, PieceHasher, PieceHashers, Problem, Timer } from "@kahn/core";
import { hashedHere, nativeHasher, warning } from "@kahn/core";
import type { HashReply, HashRequest } from "./internal/hash-protocol.ts";
import { SharedMemory } from "./internal/shared-memory.ts";

/** How a hash thread is run. */
export interface HashThreadOptions {
  /** Absolute path of the bundled `hasher-main`. */
  readonly program: string;
  readonly clock: Clock;
  /** Told when the thread is lost (`hash-thread-lost`), once. */
  readonly report?: (problem: Problem) => void;
  /** Bytes that are lent at most. Default: 32 MiB. */
  readonly memoryBytes?: number;
}

/** The port, and its end. */
export interface HashThread extends PieceHashers {
  /** Ends the thread: hashes under construction are lost, later ones are made on the calling thread. */
  close(): Promise<void>;
}

const MEMORY_BYTES = 32 << 20;
/** Starting a thread takes some 30 ms of processor time, keeping it some 10 MB. */
const IDLE_MS = 60_000;
/** What will do for a piece: more is lent while there is plenty. Memory for a copy has at least as much. */
const PIECE_BYTES = 256 << 10;
/** So much memory for copies is kept. */
const SPARES_MAX = 16;
/** Of Mebibytes: what is hashed is not in the heap. */
const HEAP_MAX = 32;

/** Makes the port; the thread is started when it is needed. */
export function hashThread(options: HashThreadOptions): HashThread {
  return new Thread(options);
}

/** What somebody waits for: in the order of the requests. */
interface Pending {
  readonly hashed: (() => void)[];
  ended?: (hex: string | undefined) => void;
}

class Thread implements HashThread {
  readonly #options: HashThreadOptions;
  #worker: Worker | undefined;
  #memory: SharedMemory | undefined;
  /** Memory for copies. */
  #spares: Uint8Array<ArrayBuffer>[] = [];
  /** By the hash's number; without an entry it was lost. */
  readonly #open = new Map<number, Pending>();
  #lastId = 0;
  #idle: Timer | undefined;
  /** Nothing is given to a thread any more. */
  #isOver = false;

  constructor(options: HashThreadOptions) {
    this.#options = options;
  }

  start(fn: NativeDigestFunction): PieceHasher {
    const worker = this.#running();
    if (worker === undefined) return hashedHere(nativeHasher(fn));
    const id = ++this.#lastId;
    this.#open.set(id, { hashed: [] });
    this.#idle?.cancel();
    if (this.#open.size === 1) worker.ref();
    return {
      update: (piece) => this.#update(id, fn, piece),
      hex: () => this.#hex(id, fn),
      abandon: () => {
        if (this.#open.has(id)) this.#post({ kind: "drop", id });
        this.#closed(id);
      },
    };
  }

  lend(sizeBytes: number): Buffer | undefined {
    if (this.#isOver) return undefined;
    this.#memory ??= new SharedMemory(this.#options.memoryBytes ?? MEMORY_BYTES);
    // Once half is lent nobody gets more than will do: the rest is for the many.
    if (sizeBytes > PIECE_BYTES && this.#memory.lentBytes * 2 > this.#memory.buffer.byteLength) return undefined;
    return this.#memory.lend(sizeBytes);
  }

  takeBack(memory: Buffer): void {
    this.#memory?.takeBack(memory);
  }

  async close(): Promise<void> {
    const ending = this.#worker;
    this.#lose();
    await ending?.terminate();
  }

  #update(id: number, fn: NativeDigestFunction, piece: Uint8Array): Promise<void> | undefined {
    const pending = this.#open.get(id);
    if (pending === undefined) return undefined;
    const { byteOffset: offset, byteLength: lengthBytes } = piece;
    if (this.#memory?.has(piece) === true) this.#post({ kind: "shared", id, fn, offset, lengthBytes });
    else {
      const memory = this.#copyOf(piece);
      this.#post({ kind: "moved", id, fn, memory, lengthBytes }, memory.buffer);
    }
    // Also of a copy: who sends faster than is hashed has to wait.
    return new Promise((resolve) => {
      pending.hashed.push(resolve);
    });
  }

  #hex(id: number, fn: NativeDigestFunction): Promise<string | undefined> {
    const pending = this.#open.get(id);
    if (pending === undefined) return Promise.resolve(undefined);
    this.#post({ kind: "end", id, fn });
    return new Promise((resolve) => {
      pending.ended = resolve;
    });
  }

  /** A copy in memory that may be moved. */
  #copyOf(piece: Uint8Array): Uint8Array<ArrayBuffer> {
    const spare = this.#spares.pop();
    const memory =
      spare !== undefined && spare.length >= piece.length ? spare : new Uint8Array(Math.max(PIECE_BYTES, piece.length));
    memory.set(piece);
    return memory;
  }

  #post(request: HashRequest, moved?: ArrayBuffer): void {
    this.#worker?.postMessage(request, moved === undefined ? [] : [moved]);
  }

  readonly #onReply = (reply: HashReply): void => {
    if (reply.kind === "ended") {
      this.#closed(reply.id, reply.hex);
      return;
    }
    // The thread would keep it until it collects its garbage, and it has hardly any.
    if (reply.memory !== undefined && this.#spares.length < SPARES_MAX) this.#spares.push(reply.memory);
    this.#open.get(reply.id)?.hashed.shift()?.();
  };

  /** A hash is over: the thread may go when it was the last. */
  #closed(id: number, hex?: string): void {
    const pending = this.#open.get(id);
    if (pending === undefined) return;
    this.#open.delete(id);
    settle(pending, hex);
    if (this.#open.size > 0) return;
    this.#worker?.unref();
    this.#idle?.cancel();
    this.#idle = this.#options.clock.setTimer(IDLE_MS, () => this.#rest());
  }

  #rest(): void {
    const resting = this.#worker;
    this.#worker = undefined;
    this.#spares = [];
    if (this.#memory?.lentBytes === 0) this.#memory = undefined;
    void resting?.terminate();
  }

  #running(): Worker | undefined {
    if (this.#isOver) return undefined;
    this.#memory ??= new SharedMemory(this.#options.memoryBytes ?? MEMORY_BYTES);
    this.#worker ??= this.#begin(this.#memory.buffer);
    return this.#worker;
  }

  #begin(workerData: SharedArrayBuffer): Worker | undefined {
    const worker = startWorker(this.#options.program, workerData);
    if (worker instanceof Error) {
      this.#lost(worker.message);
      return undefined;
    }
    worker.on("message", this.#onReply);
    const lost = (why: string) => {
      if (this.#worker === worker) this.#lost(why);
    };
    // An exit follows.
    worker.on("error", (error) => lost(error.message));
    worker.on("exit", (code) => lost(`it ended with code ${code}`));
    return worker;
  }

  #lost(why: string): void {
    this.#lose();
    this.#options.report?.(
      warning("hash-thread-lost", `the thread that hashes uploads was lost: ${why}`, {
        next: "Uploads go on, and take longer; start the server again when there is time.",
      }),
    );
  }

  /** Without the thread for good. */
  #lose(): void {
    this.#isOver = true;
    this.#worker = undefined;
    this.#idle?.cancel();
    const left = [...this.#open.values()];
    this.#open.clear();
    for (const pending of left) settle(pending);
  }
}

function settle({ hashed, ended }: Pending, hex?: string): void {
  for (const resolve of hashed) resolve();
  ended?.(hex);
}

/** @returns the error when there is no thread to be had: there are as many as the system allows. */
function startWorker(program: string, workerData: SharedArrayBuffer): Worker | Error {
  try {
    const resourceLimits = { maxOldGenerationSizeMb: HEAP_MAX };
    return new Worker(program, { workerData, env: {}, execArgv: [], resourceLimits });
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}
