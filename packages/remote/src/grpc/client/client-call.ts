/**
 * One call of a client: from the request's headers to the status.
 *
 * Owns:      the stream, the messages that wait for the connection, and the deadline.
 * Invariant: `status` resolves exactly once and never rejects; after that no timer is left and the stream is closed.
 */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { constants } from "node:http2";
import type { Clock, Result, Timer } from "@kahn/core";
import { err, ok } from "@kahn/core";
import { FrameReader } from "../messages/frame-reader.ts";
import { FrameWriter } from "../messages/frame-writer.ts";
import type { EncodedMessage } from "../messages/message-encoding.ts";
import { unpackGzip } from "../messages/message-encoding.ts";
import { MessageReader } from "../messages/message-reader.ts";
import { Metadata } from "../messages/metadata.ts";
import type { Method } from "../messages/method.ts";
import type { Status } from "../messages/status.ts";
import { StatusCode, StatusError, statusOf, statusOfHttp, statusOfReset } from "../messages/status.ts";

/** What a call needs of its channel. */
export interface ClientCallParts {
  readonly clock: Clock;
  readonly messageMaxBytes: number;
  readonly gzipFromBytes: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly headers: OutgoingHttpHeaders;
  /** The connection, or why there is none; a promise only while one is being made. */
  readonly session: Result<ClientHttp2Session, Status> | Promise<Result<ClientHttp2Session, Status>>;
}

/** A call that has begun. */
export class ClientCall<Response, RequestInit> {
  readonly #method: Method<unknown, Response, Method<unknown, unknown>["kind"], RequestInit, never>;
  readonly #parts: ClientCallParts;
  /** Answers, in order. Iterating throws a `StatusError` after the last one unless the status is OK. */
  readonly messages: MessageReader<Response>;
  /** How it ended. Comes when all answers were read or the call failed; never rejects. */
  readonly status: Promise<Status>;
  readonly #frames: FrameReader;
  #settle!: (status: Status) => void;
  readonly #hasOneAnswer: boolean;
  #phase: "connecting" | "streaming" | "settled" = "connecting";
  #stream: ClientHttp2Stream | undefined;
  #writer: FrameWriter | undefined;
  /** What was sent before there was a stream. */
  #unsent: EncodedMessage[] = [];
  #isSendingEnded = false;
  #connected: Promise<void> | undefined;
  #received: Status | undefined;
  #headers = new Metadata({});
  #trailers = new Metadata({});
  #timer: Timer | undefined;

  constructor(
    method: Method<unknown, Response, Method<unknown, unknown>["kind"], RequestInit, never>,
    parts: ClientCallParts,
  ) {
    this.#method = method;
    this.#parts = parts;
    this.status = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#hasOneAnswer = method.kind === "unary" || method.kind === "client-streaming";
    this.messages = new MessageReader<Response>(method.response, {
      // The one answer is read after the status, for which the stream must flow.
      pause: () => this.#hasOneAnswer || this.#stream?.pause(),
      resume: () => this.#stream?.resume(),
      released: () => {},
    });
    this.#frames = new FrameReader(parts.messageMaxBytes, this.#onMessage);
    this.#begin();
  }

  /** What the server sent before its first answer; complete once an answer or the status came. */
  get headers(): Metadata {
    return this.#headers;
  }

  /** What the server sent with the status; complete once that came. */
  get trailers(): Metadata {
    return this.#trailers;
  }

  /** Sends one message. Await the result: it waits while too many bytes are on their way, and else is `undefined`. */
  send(message: RequestInit): Promise<void> | undefined {
    if (this.#phase === "settled" || this.#isSendingEnded) return undefined;
    const encoded = this.#method.request.encode(message);
    if (this.#writer !== undefined) return this.#writer.write(encoded) ? undefined : this.#writer.ready();
    this.#unsent.push(encoded);
    return this.#connected;
  }

  /** Nothing more will be sent. `last` saves a frame where the last message is at hand. */
  end(last?: RequestInit): void {
    if (this.#phase === "settled" || this.#isSendingEnded) return;
    this.#isSendingEnded = true;
    const encoded = last === undefined ? undefined : this.#method.request.encode(last);
    if (this.#writer === undefined) {
      if (encoded !== undefined) this.#unsent.push(encoded);
    } else if (encoded !== undefined) {
      this.#writer.end(encoded);
    } else if (this.#stream?.writableEnded === false) {
      this.#stream.end();
    }
  }

  /** Gives up: the status is CANCELLED unless it has come. */
  cancel(): void {
    this.#finish({ code: StatusCode.cancelled, message: "the call was cancelled here" });
  }

  /** The one answer of a method that has one. */
  async answer(): Promise<Result<Response, Status>> {
    const status = await this.status;
    if (status.code !== StatusCode.ok) return err(status);
    if (this.messages.waiting === 0) {
      const message = `${this.#method.path} was answered with OK and no message`;
      return err({ code: StatusCode.unimplemented, message });
    }
    try {
      return ok(this.messages.poll()!);
    } catch (error) {
      if (error instanceof StatusError) return err(error.status);
      throw error;
    }
  }

  #begin(): void {
    const { timeoutMs, signal, clock, session } = this.#parts;
    if (timeoutMs !== undefined) {
      this.#timer = clock.setTimer(timeoutMs, () => {
        this.#finish({ code: StatusCode.deadlineExceeded, message: `not answered within ${timeoutMs} ms` });
      });
    }
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted === true) this.cancel();
    else if (session instanceof Promise) this.#connected = session.then((made) => this.#attach(made));
    else this.#attach(session);
  }

  #attach(session: Result<ClientHttp2Session, Status>): void {
    if (this.#phase !== "connecting") return;
    if (!session.ok) {
      this.#finish(session.problem);
      return;
    }
    try {
      this.#open(session.value);
    } catch (error) {
      // The session died or said GOAWAY since it was chosen: nothing was sent.
      const message = `the connection cannot take the call: ${(error as Error).message}`;
      this.#finish({ code: StatusCode.unavailable, message, unprocessed: true });
    }
  }

  #open(session: ClientHttp2Session): void {
    const stream = session.request(this.#parts.headers, { endStream: false });
    this.#phase = "streaming";
    this.#stream = stream;
    this.#writer = new FrameWriter(stream);
    this.#writer.gzipFromBytes = this.#parts.gzipFromBytes;
    stream.on("response", this.#onResponse);
    stream.on("trailers", this.#onTrailers);
    stream.on("data", this.#onData);
    stream.on("end", this.#onEnd);
    stream.on("close", this.#onClose);
    stream.on("error", () => {}); // `close` follows and tells the same.
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const message of unsent) this.#writer.write(message);
    if (this.#isSendingEnded) stream.end();
  }

  readonly #onAbort = (): void => this.cancel();

  readonly #onResponse = (headers: IncomingHttpHeaders): void => {
    this.#headers = new Metadata(headers);
    const isGrpc = /^application\/grpc($|[+;])/.test(headers["content-type"] ?? "");
    if (!isGrpc && headers["grpc-status"] === undefined) {
      this.#finish(statusOfHttp(Number(headers[":status"])));
      return;
    }
    this.#received = statusOf(headers);
    if (this.#received !== undefined) this.#trailers = this.#headers;
  };

  readonly #onTrailers = (trailers: IncomingHttpHeaders): void => {
    this.#trailers = new Metadata(trailers);
    this.#received = statusOf(trailers);
  };

  readonly #onData = (chunk: Buffer): void => {
    if (this.#phase === "settled") return;
    const fault = this.#frames.push(chunk);
    if (fault?.kind === "too-large") this.#finish(this.#tooLarge(`an answer of ${fault.sizeBytes} bytes`));
    if (fault?.kind === "bad-flag") {
      this.#finish({ code: StatusCode.internal, message: `an answer begins with flags ${fault.flag}` });
    }
  };

  readonly #onMessage = (message: Buffer, isCompressed: boolean): void => {
    if (this.#phase === "settled") return;
    if (isCompressed) this.#unpack(message);
    else this.#accept(message);
  };

  #accept(message: Buffer): void {
    if (this.#hasOneAnswer && this.messages.waiting > 0) {
      const { path } = this.#method;
      this.#finish({ code: StatusCode.unimplemented, message: `${path} was answered with several messages, not one` });
    } else {
      this.messages.put(message);
    }
  }

  #unpack(packed: Buffer): void {
    if (this.#headers.text("grpc-encoding") !== "gzip") {
      this.#finish({ code: StatusCode.internal, message: "an answer is compressed in a way that is not named" });
      return;
    }
    const unpacked = unpackGzip(packed, this.#parts.messageMaxBytes);
    if (unpacked.kind === "message") this.#accept(unpacked.message);
    else if (unpacked.kind === "too-large") this.#finish(this.#tooLarge("an answer, unpacked,"));
    else this.#finish({ code: StatusCode.internal, message: `an answer cannot be unpacked: ${unpacked.reason}` });
  }

  #tooLarge(what: string): Status {
    const message = `${what} is larger than the limit of ${this.#parts.messageMaxBytes} bytes`;
    return { code: StatusCode.resourceExhausted, message };
  }

  readonly #onEnd = (): void => {
    if (this.#received === undefined) return; // `close` knows why.
    const isTruncated = this.#received.code === StatusCode.ok && this.#frames.isInsideMessage;
    if (isTruncated)
      this.#finish({ code: StatusCode.internal, message: "the answer ended in the middle of a message" });
    else this.#finish(this.#received);
  };

  readonly #onClose = (): void => {
    if (this.#phase !== "settled") this.#finish(this.#received ?? this.#lostStatus());
    this.#writer?.wake();
  };

  /** The stream closed without a status. */
  #lostStatus(): Status {
    const { rstCode, session } = this.#stream!;
    const isConnectionLost = session === undefined || session.destroyed || session.closed;
    if (isConnectionLost && rstCode !== constants.NGHTTP2_REFUSED_STREAM) {
      return { code: StatusCode.unavailable, message: "the connection was lost" };
    }
    if (rstCode !== constants.NGHTTP2_NO_ERROR) return statusOfReset(rstCode);
    return { code: StatusCode.internal, message: "the stream ended without a status" };
  }

  #finish(status: Status): void {
    if (this.#phase === "settled") return;
    this.#phase = "settled";
    this.#timer?.cancel();
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    this.#unsent = [];
    const stream = this.#stream;
    // Still sending, or still being sent to: the server should know that nobody cares any more.
    if (stream !== undefined && !stream.destroyed && !(stream.writableEnded && stream.readableEnded)) {
      stream.close(constants.NGHTTP2_CANCEL);
    }
    this.#writer?.wake();
    this.messages.end(status.code === StatusCode.ok ? undefined : asError(status));
    this.#settle(status);
  }
}

function asError(status: Status): StatusError {
  return new StatusError(status.code, status.message, status.details);
}
