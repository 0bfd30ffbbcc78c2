/**
 * The receiving side of one call on the server: chunks in, requests out.
 *
 * Owns:      the bytes of unfinished and unread messages, and their account in the budget.
 * Invariant: what is held is what the budget was charged; after `drop` both are zero and stay so.
 */
import type { ByteBudget } from "../messages/byte-budget.ts";
import type { MessageMemory } from "../messages/frame-reader.ts";
import { FrameReader } from "../messages/frame-reader.ts";
import { unpackGzip } from "../messages/message-encoding.ts";
import type { ReaderFlow } from "../messages/message-reader.ts";
import { MessageReader } from "../messages/message-reader.ts";
import type { Method } from "../messages/method.ts";
import type { Status } from "../messages/status.ts";
import { StatusCode, StatusError } from "../messages/status.ts";

/** What the input of a call needs to know. */
export interface RequestInputOptions {
  readonly method: Method<unknown, unknown>;
  readonly messageMaxBytes: number;
  readonly budget: ByteBudget;
  /** The call's `grpc-encoding`. */
  readonly encoding: string | undefined;
  readonly flow: Pick<ReaderFlow, "pause" | "resume">;
  /** For large messages of a client's stream. */
  readonly memory: MessageMemory | undefined;
}

/** Requests of one call. */
export class RequestInput {
  readonly #options: RequestInputOptions;
  readonly #frames: FrameReader;
  /** Of streaming requests. */
  readonly requests: MessageReader<unknown> | undefined;
  /** The one of the other kinds. */
  #request: Buffer | undefined;
  #fault: Status | undefined;
  #isDropped = false;
  #chargedBytes = 0;
  /** A handler has messages, or may take some. */
  #isInHands = false;

  constructor(options: RequestInputOptions) {
    this.#options = options;
    const { method, flow, memory } = options;
    const isStream = method.kind === "client-streaming" || method.kind === "bidirectional";
    this.#frames = new FrameReader(
      options.messageMaxBytes,
      this.#onMessage,
      method.kind === "client-streaming" ? memory : undefined,
    );
    const released = () => void this.#charge();
    const giveBack = (bytes: Uint8Array) => this.#frames.giveBack(bytes);
    this.requests = isStream
      ? new MessageReader(method.request, {
          pause: () => flow.pause(),
          resume: () => flow.resume(),
          released,
          giveBack,
        })
      : undefined;
  }

  /** True while the peer owes the rest of a message. */
  get isInsideMessage(): boolean {
    return this.#frames.isInsideMessage;
  }

  /** Takes the next bytes. @returns the status that ends the call if they break a rule. */
  push(chunk: Buffer): Status | undefined {
    if (this.#isDropped) return undefined;
    const fault = this.#frames.push(chunk);
    if (fault?.kind === "too-large") return this.#tooLarge(`a message of ${fault.sizeBytes} bytes`);
    if (fault?.kind === "bad-flag") {
      return { code: StatusCode.internal, message: `a message begins with flags ${fault.flag}` };
    }
    if (this.#fault !== undefined) return this.#fault;
    if (this.#charge()) return undefined;
    return {
      code: StatusCode.resourceExhausted,
      message: "too many bytes of unread messages are held; try again later",
    };
  }

  /** The peer has sent its last byte. @returns the status that ends the call if something is missing. */
  end(): Status | undefined {
    if (this.#frames.isInsideMessage) {
      return { code: StatusCode.internal, message: "the stream ended in the middle of a message" };
    }
    if (this.requests !== undefined) this.requests.end();
    else if (this.#request === undefined) {
      const message = `${this.#options.method.path} takes one message, none was sent`;
      return { code: StatusCode.unimplemented, message };
    }
    return undefined;
  }

  /** The single request, once `end` was fine. It stays charged until `drop`, for its handler holds it. */
  takeRequest(): Buffer {
    const request = this.#request!;
    this.#request = undefined;
    return request;
  }

  /** The messages of a client's stream are in the hands of a handler until it is over: it keeps none, nor answers with one. */
  handedOver<T>(handler: T): T {
    if (!(handler instanceof Promise)) return handler;
    this.#isInHands = true;
    const over = () => {
      this.#isInHands = false;
      if (this.#isDropped) this.#frames.letGo();
    };
    handler.then(over, over);
    return handler;
  }

  /** Nobody reads any more: gives everything back, and ignores what still comes. */
  drop(reason: string): void {
    this.#isDropped = true;
    this.#request = undefined;
    this.requests?.fail(new StatusError(StatusCode.cancelled, reason));
    this.#options.budget.take(-this.#chargedBytes);
    this.#chargedBytes = 0;
    if (!this.#isInHands) this.#frames.letGo();
  }

  readonly #onMessage = (message: Buffer, isCompressed: boolean): void => {
    if (this.#fault !== undefined) return;
    if (isCompressed) this.#unpack(message);
    else this.#accept(message);
  };

  #unpack(packed: Buffer): void {
    const { messageMaxBytes, encoding } = this.#options;
    if (encoding !== "gzip") {
      this.#fault = { code: StatusCode.internal, message: "a message is compressed, but grpc-encoding names no way" };
      return;
    }
    const unpacked = unpackGzip(packed, messageMaxBytes);
    this.#frames.giveBack(packed);
    if (unpacked.kind === "message") this.#accept(unpacked.message);
    else if (unpacked.kind === "too-large") this.#fault = this.#tooLarge("a message, unpacked,");
    else this.#fault = { code: StatusCode.internal, message: `a message cannot be unpacked: ${unpacked.reason}` };
  }

  #accept(message: Buffer): void {
    if (this.requests !== undefined) this.requests.put(message);
    else if (this.#request === undefined) this.#request = message;
    else {
      const path = this.#options.method.path;
      this.#fault = { code: StatusCode.unimplemented, message: `${path} takes one message, several were sent` };
    }
  }

  #tooLarge(what: string): Status {
    const message = `${what} is larger than the limit of ${this.#options.messageMaxBytes} bytes`;
    return { code: StatusCode.resourceExhausted, message };
  }

  #charge(): boolean {
    if (this.#isDropped) return true;
    const waiting = this.requests === undefined ? (this.#request?.length ?? 0) : this.requests.waitingBytes;
    const change = this.#frames.heldBytes + waiting - this.#chargedBytes;
    if (change === 0) return true;
    if (!this.#options.budget.take(change)) return false;
    this.#chargedBytes += change;
    return true;
  }
}
