/**
 * Traces: one span for each call, continued from the caller's, sent to a collector as OTLP over HTTP in JSON.
 *
 * Owns:      trace context, spans that wait to be sent, and when they are.
 * Never:     slows a call down or fails one: what cannot be kept or sent is dropped and counted.
 * Source:    W3C "Trace Context"; OpenTelemetry's OTLP/HTTP with JSON encoding.
 */
import type { Clock, Random, Timer } from "@kahn/core";

/** Sends a document; answers with the HTTP status, or throws, as it does when the signal aborts. */
export type PostJson = (url: string, body: string, signal: AbortSignal) => Promise<number>;

/** What traces are made with. */
export interface TracerOptions {
  readonly url: string;
  /** From 0 to 1: of the calls that bring no trace of their own. */
  readonly ratio: number;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly post: PostJson;
}

/** A call that is being traced. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly startedAtMs: number;
}

/** How a traced call ended. */
export interface SpanEnd {
  readonly durationMs: number;
  /** Left out when it went well. */
  readonly error?: string;
  readonly attributes: Readonly<Record<string, string | number>>;
}

const WAITING_MAX = 4096;
const BATCH_MAX = 512;
const FLUSH_MS = 2000;
/** A collector that is silent for so long is away. */
const POST_MAX_MS = 10_000;

/** Spans of a server. */
export class Tracer {
  readonly #options: TracerOptions;
  readonly #waiting: string[] = [];
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #dropped = 0;
  readonly #closed = new AbortController();

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** Spans that were never sent. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Begins a span; `undefined` for a call that is not traced. */
  begin(name: string, traceparent: string | undefined): Span | undefined {
    const { clock, random, ratio } = this.#options;
    const parent = parseTraceparent(traceparent);
    if (parent !== undefined && !parent.isSampled) return undefined;
    if (parent === undefined && !isSampled(random, ratio)) return undefined;
    return {
      traceId: parent?.traceId ?? hex(random, 16),
      spanId: hex(random, 8),
      parentId: parent?.spanId,
      name,
      startedAtMs: clock.nowMs(),
    };
  }

  /** Ends a span. */
  end(span: Span, end: SpanEnd): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(spanJson(span, end));
    this.#timer ??= this.#options.clock.setTimer(FLUSH_MS, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  /** Sends what waits; resolves when it was sent or dropped. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  /** Sends what waits, for as long as this; then drops it. */
  async close(graceMs: number): Promise<void> {
    const { clock } = this.#options;
    const timer = clock.setTimer(graceMs, () => this.#closed.abort());
    await this.flush();
    timer.cancel();
  }

  /** Rejects when the collector does, is silent for too long, or there is no time left, whatever the port heeds. */
  async #post(url: string, body: string): Promise<number> {
    const { clock, post } = this.#options;
    const over = new AbortController();
    const end = (): void => over.abort(new Error("the collector did not answer in time"));
    const timer = clock.setTimer(POST_MAX_MS, end);
    this.#closed.signal.addEventListener("abort", end);
    try {
      if (this.#closed.signal.aborted) end();
      over.signal.throwIfAborted();
      return await Promise.race([post(url, body, over.signal), aborted(over.signal)]);
    } finally {
      timer.cancel();
      this.#closed.signal.removeEventListener("abort", end);
    }
  }

  async #sendAll(): Promise<void> {
    const { url, version } = this.#options;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      try {
        const status = await this.#post(url, document(batch, version));
        if (status >= 300) this.#dropped += batch.length;
      } catch {
        // A collector that is away costs its spans, nothing else.
        this.#dropped += batch.length;
      }
    }
  }
}

/** The trace that a caller is in. */
export function parseTraceparent(
  header: string | undefined,
): { readonly traceId: string; readonly spanId: string; readonly isSampled: boolean } | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header ?? "");
  if (match === null || match[1] === "ff" || (match[1] === "00" && match[5] !== undefined)) return undefined;
  const [, , traceId, spanId, flags] = match;
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return undefined;
  return { traceId: traceId!, spanId: spanId!, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

function isSampled(random: Random, ratio: number): boolean {
  if (ratio >= 1) return true;
  const [a, b, c] = random.bytes(3);
  return (a! * 65_536 + b! * 256 + c!) / 16_777_216 < ratio;
}

function hex(random: Random, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString("hex");
}

const SERVER_KIND = 2;
const ERROR_CODE = 2;

function spanJson({ traceId, spanId, parentId, name, startedAtMs }: Span, end: SpanEnd): string {
  const nanos = (ms: number) => `${BigInt(Math.round(ms * 1000)) * 1000n}`;
  const attributes = Object.entries(end.attributes).map(([key, value]) => ({
    key,
    value: typeof value === "string" ? { stringValue: value } : { intValue: String(value) },
  }));
  return JSON.stringify({
    traceId,
    spanId,
    ...(parentId === undefined ? {} : { parentSpanId: parentId }),
    name,
    kind: SERVER_KIND,
    startTimeUnixNano: nanos(startedAtMs),
    endTimeUnixNano: nanos(startedAtMs + end.durationMs),
    attributes,
    status: end.error === undefined ? {} : { code: ERROR_CODE, message: end.error },
  });
}

function document(spans: readonly string[], version: string): string {
  const attributes = [
    { key: "service.name", value: { stringValue: "kahn" } },
    { key: "service.version", value: { stringValue: version } },
  ];
  const scope = JSON.stringify({ name: "@kahn/remote", version });
  return `{"resourceSpans":[{"resource":${JSON.stringify({ attributes })},"scopeSpans":[{"scope":${scope},"spans":[${spans.join(",")}]}]}]}`;
}
