/**
 * One call on the server: from its headers to its status.
 *
 * Owns:      the stream, its deadline, the bytes held for it, and the only code that answers it.
 * Never:     lets an error leave a listener: a throw there would end the process.
 * Invariant: exactly one status is given to each call and each interceptor's observer hears of it once; after `close`
 *            no timer, no held byte and no waiting promise is left.
 *
 *   open ── first message ──▶ sending ──┐
 *     └──────── status ─────────────────┴──▶ answered ── stream gone ──▶ closed
 *
 * A peer that is answered before it has sent everything is not reset: C core would then report the reset instead of
 * the status. Its bytes are read and dropped, and only after `lingerMs` is the stream closed.
 */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Timer } from "@kahn/core";
import type { Peer } from "../connection/peer.ts";
import { ProgressWatch } from "../connection/progress-watch.ts";
import { parseTimeout } from "../messages/deadline.ts";
import { FrameWriter } from "../messages/frame-writer.ts";
import { acceptsGzip } from "../messages/message-encoding.ts";
import { decoded } from "../messages/message-reader.ts";
import type { OutgoingMetadata } from "../messages/metadata.ts";
import { Metadata, NO_METADATA } from "../messages/metadata.ts";
import type { Status } from "../messages/status.ts";
import { OK, StatusCode, StatusError } from "../messages/status.ts";
import type { CallKey, Registration, SendingCall } from "./call-context.ts";
import { InterceptorRun } from "./interceptor-run.ts";
import { RequestInput } from "./request-input.ts";
import { responseHeaders, responseTrailers, trailersOnly } from "./response-headers.ts";
import type { CallConnection, ServerContext } from "./server-context.ts";

const RESPOND_OPTIONS = Object.freeze({ waitForTrailers: true, sendDate: false });
const TRAILERS_ONLY_OPTIONS = Object.freeze({ endStream: true, sendDate: false });

type Phase = "open" | "sending" | "answered" | "closed";

/** The parts a call is made of. */
export interface ServerCallParts {
  readonly context: ServerContext;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly registration: Registration;
  readonly peer: Peer;
  readonly connection: CallConnection;
}

/** A call being served. */
export class ServerCall implements SendingCall<unknown> {
  readonly #context: ServerContext;
  readonly #stream: ServerHttp2Stream;
  readonly #registration: Registration;
  readonly peer: Peer;
  readonly connection: CallConnection;
  readonly metadata: Metadata;
  readonly receivedAtMs: number;
  readonly #input: RequestInput;
  readonly #writer: FrameWriter;
  #phase: Phase = "open";
  /** Requests are complete and the interceptors let the call through: both, and the handler starts. */
  #unmet: number;
  #status: Status = OK;
  #deadlineAtMs: number | undefined;
  #timer: Timer | undefined;
  #headers: OutgoingMetadata = NO_METADATA;
  #trailers: OutgoingMetadata = NO_METADATA;
  #abort: AbortController | undefined;
  #values: Map<CallKey<unknown>, unknown> | undefined;
  #interceptors: InterceptorRun | undefined;
  #receivedBytes = 0;
  #onReceived: ((bytes: number) => void) | undefined;
  readonly #watch = new ProgressWatch();

  constructor(parts: ServerCallParts) {
    const { context, stream, headers, registration } = parts;
    this.#context = context;
    this.#stream = stream;
    this.#registration = registration;
    this.peer = parts.peer;
    this.connection = parts.connection;
    this.metadata = new Metadata(headers);
    this.receivedAtMs = context.clock.monotonicMs();
    this.#writer = new FrameWriter(stream);
    this.#input = new RequestInput({
      method: registration.method,
      messageMaxBytes: context.limits.messageMaxBytes,
      budget: parts.connection.budget,
      encoding: headers["grpc-encoding"] as string | undefined,
      flow: this,
      memory: context.memory,
    });
    this.#unmet = this.#input.requests === undefined ? 2 : 1;
  }

  get path(): string {
    return this.#registration.method.path;
  }

  get isCancelled(): boolean {
    return this.#phase === "answered" || this.#phase === "closed";
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.isCancelled) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  countReceived(listener: (bytes: number) => void): void {
    this.#onReceived = listener;
    if (this.#receivedBytes > 0) listener(this.#receivedBytes);
  }

  timeLeftMs(): number | undefined {
    if (this.#deadlineAtMs === undefined) return undefined;
    return Math.max(0, this.#deadlineAtMs - this.#context.clock.monotonicMs());
  }

  setHeaders(metadata: OutgoingMetadata): void {
    this.#headers = { ...this.#headers, ...metadata };
  }

  setTrailers(metadata: OutgoingMetadata): void {
    this.#trailers = { ...this.#trailers, ...metadata };
  }

  get<T>(key: CallKey<T>): T | undefined {
    return this.#values?.get(key) as T | undefined;
  }

  set<T>(key: CallKey<T>, value: T): void {
    this.#values ??= new Map();
    this.#values.set(key, value);
  }

  send(message: unknown, sent?: () => void): Promise<void> | undefined {
    if (this.isCancelled) throw new StatusError(StatusCode.cancelled, "nobody waits for the answer any more");
    const encoded = this.#registration.method.response.encode(message);
    if (this.#phase === "open") this.#respond();
    return this.#writer.write(encoded, sent) ? undefined : this.#writer.ready();
  }

  /** Begins: takes the stream's events, and asks the interceptors. */
  start(): void {
    const stream = this.#stream;
    stream.on("data", this.#onData);
    stream.on("end", this.#onEnd);
    stream.on("close", this.#onClose);
    stream.on("error", ignore); // `close` follows and tells the same.
    const refusal = this.#readHeaders(this.metadata.headers);
    if (refusal !== undefined) this.finish(refusal);
    else if (this.#context.interceptors.length === 0) this.#met();
    else this.#intercept();
  }

  /** @returns the status that ends the call at once if the headers ask for what cannot be. */
  #readHeaders(headers: IncomingHttpHeaders): Status | undefined {
    const encoding = headers["grpc-encoding"];
    if (encoding !== undefined && encoding !== "identity" && encoding !== "gzip") {
      return { code: StatusCode.unimplemented, message: `messages cannot be in encoding ${encoding}` };
    }
    if (this.#context.gzipFromBytes !== undefined && acceptsGzip(headers["grpc-accept-encoding"] as string)) {
      this.#writer.gzipFromBytes = this.#context.gzipFromBytes;
    }
    const timeout = parseTimeout(headers["grpc-timeout"] as string | undefined);
    if (timeout.kind === "malformed") return { code: StatusCode.invalidArgument, message: "grpc-timeout is malformed" };
    if (timeout.kind === "within") this.#setDeadline(timeout.timeoutMs);
    return undefined;
  }

  /** Ends the call with a status; no effect if it has one. */
  finish(status: Status): void {
    if (this.isCancelled) return;
    this.#status = status;
    const hadResponded = this.#phase === "sending";
    this.#phase = "answered";
    this.#timer?.cancel();
    this.#timer = undefined;
    try {
      if (!this.#isAlive()) return;
      if (!hadResponded)
        this.#stream.respond(trailersOnly(status, this.#headers, this.#trailers), TRAILERS_ONLY_OPTIONS);
      else if (!this.#stream.writableEnded) this.#stream.end();
    } catch (error) {
      this.#fault(error);
    } finally {
      this.#input.drop("the call has been answered");
      if (status.code !== StatusCode.ok) this.#abort?.abort();
      this.#drain();
    }
  }

  /** Is asked for now and then: ends a call whose peer has stopped in the middle. */
  sweep(nowMs: number): void {
    const patienceMs = this.#patience();
    const progress = this.#receivedBytes + this.#writer.bytesSent - this.#writer.bytesInFlight;
    if (!this.#watch.isStalled(nowMs, patienceMs, progress)) return;
    this.finish({ code: StatusCode.deadlineExceeded, message: `the peer made no progress for ${patienceMs} ms` });
    if (this.#writer.bytesInFlight > 0) this.#reset(constants.NGHTTP2_CANCEL);
  }

  /** How long the peer may do nothing: in the middle of something, or between two messages. */
  #patience(): number | undefined {
    const { stallMaxMs, idleMaxMs } = this.#context.limits;
    if (this.#unmet > 0 || this.#input.isInsideMessage || this.#writer.bytesInFlight > 0) return stallMaxMs;
    return this.#input.requests?.isAwaited === true ? idleMaxMs : undefined;
  }

  // ReaderFlow
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (this.#isAlive()) this.#stream.resume();
  }

  #setDeadline(timeoutMs: number): void {
    const { clock } = this.#context;
    this.#deadlineAtMs = this.receivedAtMs + timeoutMs;
    this.#timer = clock.setTimer(timeoutMs, () => {
      this.finish({ code: StatusCode.deadlineExceeded, message: `not done within ${timeoutMs} ms` });
    });
  }

  #intercept(): void {
    this.#interceptors = new InterceptorRun(this.#context.interceptors, this, {
      passed: () => this.#met(),
      failed: this.#fail,
      onFault: (error) => this.#context.onFault(error, this),
    });
    this.#interceptors.ask(0);
  }

  #met(): void {
    if (--this.#unmet > 0 || this.isCancelled) return;
    try {
      this.#dispatch();
    } catch (error) {
      this.#fail(error);
    }
  }

  #dispatch(): void {
    const registration = this.#registration;
    const input = this.#input;
    switch (registration.kind) {
      case "unary":
        this.#answer(registration.handler(this.#onlyRequest(), this));
        break;
      case "server-streaming":
        this.#complete(registration.handler(this.#onlyRequest(), this));
        break;
      case "client-streaming":
        this.#answer(input.handedOver(registration.handler(input.requests!, this)));
        break;
      case "bidirectional":
        this.#complete(registration.handler(input.requests!, this));
        break;
    }
  }

  #onlyRequest(): unknown {
    return decoded(this.#registration.method.request, this.#input.takeRequest());
  }

  #answer(response: unknown): void {
    if (response instanceof Promise) {
      response.then(this.#sendLast, this.#fail);
    } else {
      this.#sendLast(response);
    }
  }

  #complete(done: Promise<void> | void): void {
    if (done instanceof Promise) done.then(() => this.#finishSending(), this.#fail);
    else this.#finishSending();
  }

  #finishSending(): void {
    if (this.isCancelled) return;
    if (this.#phase === "open") this.#respond();
    this.finish(OK);
  }

  readonly #sendLast = (response: unknown): void => {
    if (this.isCancelled) return;
    try {
      const encoded = this.#registration.method.response.encode(response);
      this.#respond();
      this.#writer.end(encoded);
      this.finish(OK);
    } catch (error) {
      this.#fail(error);
    }
  };

  /** A handler, a codec or an interceptor threw. */
  readonly #fail = (error: unknown): void => {
    if (error instanceof StatusError) this.finish(error.status);
    else this.#fault(error);
  };

  #fault(error: unknown): void {
    this.#context.onFault(error, this);
    this.finish({ code: StatusCode.internal, message: "internal error" });
    // Nothing went out, yet the call counts as answered: only a reset tells the peer.
    if (this.#isAlive() && !this.#stream.headersSent) this.#reset(constants.NGHTTP2_INTERNAL_ERROR);
  }

  #isAlive(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  #respond(): void {
    this.#phase = "sending";
    if (!this.#isAlive()) return;
    this.#stream.on("wantTrailers", this.#onWantTrailers);
    const headers = responseHeaders(this.#headers, this.#writer.gzipFromBytes !== undefined);
    this.#stream.respond(headers, RESPOND_OPTIONS);
  }

  readonly #onWantTrailers = (): void => {
    try {
      if (!this.#isAlive()) return;
      this.#stream.sendTrailers(responseTrailers(this.#status, this.#trailers));
    } catch (error) {
      this.#context.onFault(error, this);
      this.#reset(constants.NGHTTP2_INTERNAL_ERROR);
    }
  };

  #reset(code: number): void {
    if (this.#isAlive()) this.#stream.close(code);
  }

  /** Answered before the peer has sent everything: drop what still comes, for a while. */
  #drain(): void {
    if (!this.#isAlive() || this.#stream.readableEnded) return;
    this.#stream.resume();
    this.#timer = this.#context.clock.setTimer(this.#context.limits.lingerMs, () => {
      // A peer that still takes its answer gets all of it.
      if (this.#writer.bytesInFlight === 0) this.#reset(constants.NGHTTP2_NO_ERROR);
      else this.#drain();
    });
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#receivedBytes += chunk.length;
    this.#onReceived?.(chunk.length);
    if (this.isCancelled) return;
    try {
      const broken = this.#input.push(chunk);
      if (broken !== undefined) this.finish(broken);
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #onEnd = (): void => {
    this.#stopLingering();
    if (this.isCancelled) return;
    const broken = this.#input.end();
    if (broken !== undefined) this.finish(broken);
    else if (this.#input.requests === undefined) this.#met();
  };

  /** The linger timer has nothing to wait for once the peer is done. */
  #stopLingering(): void {
    if (this.#phase !== "answered") return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #onClose = (): void => {
    if (!this.isCancelled) {
      const code = this.#stream.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM ? 8 : 1;
      this.#status = { code, message: "the peer cancelled the call or went away" };
      this.#abort?.abort();
    }
    this.#phase = "closed";
    this.#timer?.cancel();
    this.#writer.wake();
    this.#input.drop(this.#status.message);
    this.#context.closed(this);
    this.#interceptors?.end({
      status: this.#status,
      durationMs: this.#context.clock.monotonicMs() - this.receivedAtMs,
      receivedBytes: this.#receivedBytes,
      sentBytes: this.#writer.bytesSent,
    });
  };
}

function ignore(): void {}
