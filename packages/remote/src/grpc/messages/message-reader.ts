/**
 * Messages that have arrived and wait for whoever reads them.
 *
 * Owns:      the queue, and the decision when the peer has to wait.
 * Invariant: after `pause` was asked for, `resume` is asked for once the reader has caught up, and not before.
 */
import type { Codec } from "./method.ts";
import { StatusCode, StatusError } from "./status.ts";

/** Bytes that may wait before the peer is made to wait; resumed below half of it. */
const WAITING_MAX_BYTES = 1 << 20;
/** What a message weighs beside its bytes: a million empty ones are not free. */
const MESSAGE_OVERHEAD_BYTES = 128;

/** The stream behind the queue. */
export interface ReaderFlow {
  pause(): void;
  resume(): void;
  /** The number of waiting bytes went down. */
  released(): void;
  /** The reader needs the message with these bytes no more. */
  giveBack?(bytes: Uint8Array): void;
}

type Ending =
  | { readonly kind: "open" }
  /** With the error to throw once everything was read. */
  | { readonly kind: "ended"; readonly error: StatusError | undefined }
  | { readonly kind: "failed"; readonly error: StatusError };

/** Received messages, in order. For one reader. */
export class MessageReader<T> implements AsyncIterable<T> {
  readonly #codec: Codec<T, never>;
  readonly #flow: ReaderFlow;
  #queue: (Uint8Array | undefined)[] = [];
  #head = 0;
  #waitingBytes = 0;
  #isPaused = false;
  #ending: Ending = { kind: "open" };
  #wake: (() => void) | undefined;

  constructor(codec: Codec<T, never>, flow: ReaderFlow) {
    this.#codec = codec;
    this.#flow = flow;
  }

  /** Bytes that wait, with what each message weighs beside its own. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** How many messages wait. */
  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  /** True while the reader waits for the peer. */
  get isAwaited(): boolean {
    return this.#wake !== undefined;
  }

  /**
   * The next message if it is here; `undefined` if none is. Cheaper than iterating where messages come in crowds.
   *
   * @throws StatusError INTERNAL if its bytes are malformed, and whatever ended the stream, once it failed.
   */
  poll(): T | undefined {
    if (this.#ending.kind === "failed") throw this.#ending.error;
    const bytes = this.#queue[this.#head];
    if (bytes === undefined) return undefined;
    this.#queue[this.#head++] = undefined;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head >= 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#waitingBytes -= bytes.length + MESSAGE_OVERHEAD_BYTES;
    this.#flow.released();
    if (this.#isPaused && this.#waitingBytes < WAITING_MAX_BYTES / 2) {
      this.#isPaused = false;
      this.#flow.resume();
    }
    return decoded(this.#codec, bytes);
  }

  /**
   * Says that a message with these bytes, or with fields that are views of them, is done with: its memory may hold the
   * next one. Need not be said; where messages are large and many it saves most of what they cost.
   */
  giveBack(bytes: Uint8Array): void {
    this.#flow.giveBack?.(bytes);
  }

  /** Waits until `poll` has something: true; or the peer has sent its last: false. @throws what ended the stream. */
  async ready(): Promise<boolean> {
    while (this.waiting === 0 || this.#ending.kind === "failed") {
      if (this.#ending.kind !== "open" && this.#ending.error !== undefined) throw this.#ending.error;
      if (this.#ending.kind === "ended") return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return true;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (await this.ready()) {
      for (let message = this.poll(); message !== undefined; message = this.poll()) yield message;
    }
  }

  /** For the stream: a message has arrived. */
  put(bytes: Uint8Array): void {
    if (this.#ending.kind !== "open") return;
    this.#queue.push(bytes);
    this.#waitingBytes += bytes.length + MESSAGE_OVERHEAD_BYTES;
    if (!this.#isPaused && this.#waitingBytes > WAITING_MAX_BYTES) {
      this.#isPaused = true;
      this.#flow.pause();
    }
    this.#notify();
  }

  /** For the stream: no more will arrive; the reader gets the error, if any, after what waits. */
  end(error?: StatusError): void {
    if (this.#ending.kind === "open") this.#ending = { kind: "ended", error };
    this.#notify();
  }

  /** For the stream: it broke. What waits is dropped; the reader gets the error. */
  fail(error: StatusError): void {
    if (this.#ending.kind === "failed") return;
    this.#ending = { kind: "failed", error };
    this.discard();
    this.#notify();
  }

  /** Drops what waits. */
  discard(): void {
    this.#queue = [];
    this.#head = 0;
    this.#waitingBytes = 0;
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** Decodes a message. @throws StatusError INTERNAL, as gRPC has it, if the bytes are malformed. */
export function decoded<T>(codec: Codec<T, never>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw new StatusError(StatusCode.internal, `the message is malformed: ${(error as Error).message}`);
  }
}
