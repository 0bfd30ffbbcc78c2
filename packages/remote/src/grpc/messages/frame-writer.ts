/**
 * Writing messages to a stream without copying large ones, and without filling memory.
 *
 * Owns:      how many bytes of one stream may be on their way.
 * Invariant: after `write` said "wait", nothing should be written before `ready` resolved; the bytes on their way then
 *            exceed the limit by at most one message.
 *
 * Awaiting `drain`, as Node suggests, halves the speed of large reads: its mark is 16 KiB. So count, wait above 1 MiB,
 * go on below half of that.
 */
import type { Http2Stream } from "node:http2";
import type { EncodedMessage } from "./message-encoding.ts";
import { encodedBytes, gzipFrame, isParts, JOIN_MAX_BYTES, joinedFrame, prefixOf } from "./message-encoding.ts";

/** Bytes on their way above which a writer waits. */
export const IN_FLIGHT_MAX_BYTES = 1 << 20;
const IN_FLIGHT_RESUME_BYTES = IN_FLIGHT_MAX_BYTES / 2;

/** One stream's sending side. Every write checks that the stream still lives. */
export class FrameWriter {
  readonly #stream: Http2Stream;
  /** Messages of at least this many bytes are compressed; `undefined`: none is. */
  gzipFromBytes: number | undefined;
  bytesSent = 0;
  #waiting: (() => void) | undefined;
  #wait: Promise<void> | undefined;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
  }

  /** Bytes that were written and have not been taken by the connection. */
  get bytesInFlight(): number {
    return this.#stream.writableLength;
  }

  /**
   * Sends one message.
   *
   * @param sent told when the connection has taken the message's bytes, so that they may change; never if the stream
   *             dies before that.
   * @returns false if the writer should await `ready` before the next.
   */
  write(message: EncodedMessage, sent?: () => void): boolean {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed || stream.writableEnded) return true;
    const sizeBytes = encodedBytes(message);
    this.bytesSent += sizeBytes;
    if (this.gzipFromBytes !== undefined && sizeBytes >= this.gzipFromBytes) {
      stream.write(gzipFrame(message), this.#onWritten);
      sent?.();
    } else if (sizeBytes <= JOIN_MAX_BYTES) {
      stream.write(joinedFrame(message, sizeBytes), this.#onWritten);
      sent?.();
    } else {
      this.#writeParts(message, sizeBytes, sent);
    }
    return stream.writableLength <= IN_FLIGHT_MAX_BYTES;
  }

  /** Sends the last message and ends this side. */
  end(message: EncodedMessage): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed || stream.writableEnded) return;
    const sizeBytes = encodedBytes(message);
    if (this.gzipFromBytes !== undefined && sizeBytes >= this.gzipFromBytes) {
      this.bytesSent += sizeBytes;
      stream.end(gzipFrame(message));
    } else if (sizeBytes <= JOIN_MAX_BYTES) {
      this.bytesSent += sizeBytes;
      stream.end(joinedFrame(message, sizeBytes));
    } else {
      this.write(message);
      stream.end();
    }
  }

  /** Resolves when more may be written, or the stream is gone; `undefined` if that is now. */
  ready(): Promise<void> | undefined {
    const stream = this.#stream;
    if (stream.destroyed || stream.writableLength <= IN_FLIGHT_MAX_BYTES) return undefined;
    this.#wait ??= new Promise((resolve) => {
      this.#waiting = resolve;
    });
    return this.#wait;
  }

  /** The stream is gone: nothing is worth waiting for. Called by the one `close` listener of the stream. */
  wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
    this.#wait = undefined;
  }

  #writeParts(message: EncodedMessage, sizeBytes: number, sent: (() => void) | undefined): void {
    const stream = this.#stream;
    const written = sent === undefined ? this.#onWritten : this.#telling(sent);
    stream.cork();
    if (isParts(message)) {
      // The first part is a few bytes of tags as a rule: one write with the prefix.
      const [head, ...rest] = message;
      const isShort = head !== undefined && head.length <= JOIN_MAX_BYTES;
      stream.write(prefixOf(sizeBytes, isShort ? head : undefined));
      const parts = isShort ? rest : message;
      // They leave in order: the last one tells for all.
      for (const [at, part] of parts.entries()) stream.write(part, at === parts.length - 1 ? written : this.#onWritten);
    } else {
      stream.write(prefixOf(sizeBytes, undefined));
      stream.write(message, written);
    }
    stream.uncork();
  }

  #telling(sent: () => void): (error?: Error | null) => void {
    return (error) => {
      this.#onWritten();
      if (error === undefined || error === null) sent();
    };
  }

  readonly #onWritten = (): void => {
    if (this.#waiting !== undefined && this.#stream.writableLength <= IN_FLIGHT_RESUME_BYTES) this.wake();
  };
}
