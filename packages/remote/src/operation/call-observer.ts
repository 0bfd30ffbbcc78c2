/**
 * What becomes of every call, told to metrics, traces and the access log. First of all interceptors.
 *
 * Invariant: each call is counted once, also one that was refused before it had a subject.
 */
import type { CallContext, CallEnd, Interceptor } from "../grpc/index.ts";
import { StatusCode } from "../grpc/index.ts";
import { CALLER, requestMetadata } from "../reapi/index.ts";
import type { AccessLog, AccessRecord } from "./access-log.ts";
import type { Metrics } from "./metrics.ts";
import type { Span, Tracer } from "./traces.ts";

/** Who is told. */
export interface ObserverOptions {
  readonly metrics: Metrics;
  readonly tracer: Tracer | undefined;
  readonly log: AccessLog | undefined;
}

/** An HTTP exchange that is over. */
export interface ExchangeEnd {
  /** A word for the route, one of few. */
  readonly route: string;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly peer: string;
  readonly subject: string;
  readonly status: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly durationMs: number;
  /** Why it was not answered as asked, if it was not; also of trouble that was answered as a miss. */
  readonly refused?: { readonly kind: string; readonly message: string } | undefined;
}

interface Series {
  count(code: string): void;
  readonly duration: (seconds: number) => void;
  readonly received: (bytes: number) => void;
  readonly sent: (bytes: number) => void;
}

const CODE_NAMES = new Map<number, string>(Object.entries(StatusCode).map(([name, code]) => [code, name]));
const METHODS = new Set(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "PROPFIND", "MKCOL", "OPTIONS"]);

/** Counts, traces and logs calls. */
export class CallObserver {
  readonly #options: ObserverOptions;
  readonly #series = new Map<string, Series>();

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** For gRPC. */
  interceptor(): Interceptor {
    return (call) => {
      const span = this.#options.tracer?.begin(call.path.slice(1), call.metadata.text("traceparent"));
      return (end) => this.#callEnded(call, end, span);
    };
  }

  /** Begins a span for an HTTP exchange. */
  beginExchange(name: string, traceparent: string | undefined): Span | undefined {
    return this.#options.tracer?.begin(name, traceparent);
  }

  /** For HTTP. */
  exchangeEnded(end: ExchangeEnd, span: Span | undefined): void {
    const { method, route, path, status } = end;
    const series = this.#seriesOf("http", `${METHODS.has(method) ? method : "other"} ${route}`);
    series.count(String(status));
    series.duration(end.durationMs / 1000);
    series.received(end.receivedBytes);
    series.sent(end.sentBytes);
    if (span !== undefined) {
      const attributes = { "http.request.method": method, "http.route": route, "http.response.status_code": status };
      const error = status >= 500 ? { error: `status ${status}` } : {};
      this.#options.tracer?.end(span, { durationMs: end.durationMs, attributes, ...error });
    }
    this.#options.log?.write({
      protocol: "http",
      call: `${method} ${path}`,
      peer: end.peer,
      subject: end.subject,
      code: status,
      receivedBytes: end.receivedBytes,
      sentBytes: end.sentBytes,
      ms: end.durationMs,
      trace: span?.traceId,
      reason: end.refused?.kind,
      message: end.refused?.message,
    });
  }

  #callEnded(call: CallContext, end: CallEnd, span: Span | undefined): void {
    const code = CODE_NAMES.get(end.status.code) ?? "unknown";
    const series = this.#seriesOf("grpc", call.path);
    series.count(code);
    series.duration(end.durationMs / 1000);
    series.received(end.receivedBytes);
    series.sent(end.sentBytes);
    if (span !== undefined) {
      const attributes = { "rpc.system": "grpc", "rpc.method": call.path, "rpc.grpc.status_code": end.status.code };
      const error = end.status.code === StatusCode.ok ? {} : { error: end.status.message };
      this.#options.tracer?.end(span, { durationMs: end.durationMs, attributes, ...error });
    }
    this.#options.log?.write(recordOf(call, end, span));
  }

  #seriesOf(protocol: "grpc" | "http", name: string): Series {
    const key = `${protocol} ${name}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const { metrics } = this.#options;
    const labels = { protocol, call: name };
    const codes = new Map<string, { add(by: number): void }>();
    const duration = metrics.histogram("kahn_call_duration_seconds", "Time from a call's arrival to its end.", labels);
    const received = metrics.counter("kahn_call_received_bytes_total", "Bytes of messages received.", labels);
    const sent = metrics.counter("kahn_call_sent_bytes_total", "Bytes of messages sent.", labels);
    const series: Series = {
      count: (code) => {
        let counter = codes.get(code);
        if (counter === undefined) {
          counter = metrics.counter("kahn_calls_total", "Calls that ended.", { ...labels, code });
          codes.set(code, counter);
        }
        counter.add(1);
      },
      duration: (seconds) => duration.observe(seconds),
      received: (bytes) => received.add(bytes),
      sent: (bytes) => sent.add(bytes),
    };
    this.#series.set(key, series);
    return series;
  }
}

function recordOf(call: CallContext, end: CallEnd, span: Span | undefined): AccessRecord {
  const metadata = requestMetadata(call);
  return {
    protocol: "grpc",
    call: call.path,
    peer: call.peer.name,
    subject: call.get(CALLER)?.name ?? "",
    code: end.status.code,
    receivedBytes: end.receivedBytes,
    sentBytes: end.sentBytes,
    ms: end.durationMs,
    trace: span?.traceId,
    tool:
      metadata?.toolDetails === undefined
        ? undefined
        : `${metadata.toolDetails.toolName} ${metadata.toolDetails.toolVersion}`,
    invocation: metadata?.toolInvocationId,
    action: metadata?.actionId,
    mnemonic: metadata?.actionMnemonic,
    target: metadata?.targetId,
    message: end.status.message,
  };
}
