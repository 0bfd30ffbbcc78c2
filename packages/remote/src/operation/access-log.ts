/**
 * The access log: one JSON line for each call.
 *
 * Owns:      what a line says, and gathering lines so that a busy server does not write for each.
 * Never:     writes a credential: headers are not among what it is given.
 */
import type { Clock, Timer } from "@kahn/core";

/** Where lines go: whole lines, each with its newline. */
export type LineSink = (lines: string) => void;

/** One call. */
export interface AccessRecord {
  readonly protocol: "grpc" | "http";
  /** `/package.Service/Method`, or the method and path of a request, without its query. */
  readonly call: string;
  readonly peer: string;
  readonly subject: string;
  /** Of gRPC or of HTTP. */
  readonly code: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly ms: number;
  readonly trace?: string | undefined;
  readonly tool?: string | undefined;
  readonly invocation?: string | undefined;
  readonly action?: string | undefined;
  readonly mnemonic?: string | undefined;
  readonly target?: string | undefined;
  /** Kind of a refusal over HTTP, such as `forbidden`. */
  readonly reason?: string | undefined;
  /** Of what went wrong. */
  readonly message?: string | undefined;
}

const GATHER_MS = 200;
const GATHER_BYTES = 64 * 1024;
const TEXT_MAX = 500;

/** Writes records. */
export class AccessLog {
  readonly #sink: LineSink;
  readonly #clock: Clock;
  #lines = "";
  #timer: Timer | undefined;

  constructor(sink: LineSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  write(record: AccessRecord): void {
    this.#lines += `${JSON.stringify({ at: new Date(this.#clock.nowMs()).toISOString(), ...record }, shortened)}\n`;
    if (this.#lines.length >= GATHER_BYTES) this.flush();
    else this.#timer ??= this.#clock.setTimer(GATHER_MS, () => this.flush());
  }

  /** Writes what was gathered. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const lines = this.#lines;
    this.#lines = "";
    if (lines !== "") this.#sink(lines);
  }
}

/** Texts are what callers make them. */
function shortened(_key: string, value: unknown): unknown {
  if (typeof value === "number") return Math.round(value * 1000) / 1000;
  if (typeof value !== "string") return value;
  return value === "" ? undefined : value.slice(0, TEXT_MAX);
}
