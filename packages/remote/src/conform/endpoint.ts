/**
 * The connection to the server that is checked, by grpc-js: an implementation of gRPC that is not ours.
 *
 * Invariant: every call ends, by its deadline at the latest. Its own limit of received messages is the default of gRPC
 *            (4 MiB), as that of most clients is.
 */
import * as grpcjs from "@grpc/grpc-js";
import type { Clock } from "@kahn/core";
import type { CallName, Calls } from "./calls.ts";
import { METHOD_NAMES } from "./calls.ts";
import { fail, skip } from "./expectations.ts";
import type { WireMethod } from "./wire.ts";
import { decodeMessage, wireMethod } from "./wire.ts";

/** Codes of gRPC. */
export const Code = grpcjs.status;
/** One of them. */
export type Code = grpcjs.status;

/** Where the server is, and what is sent with each call. */
export interface EndpointOptions {
  /** As grpc-js names targets: `HOST:PORT` or `unix:/PATH`. */
  readonly target: string;
  readonly clock: Clock;
  /** Sent with every call, such as `authorization`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `undefined`: cleartext. */
  readonly tls?: EndpointTls | undefined;
}

/** PEM texts; without `authorities` those of the system count. */
export interface EndpointTls {
  readonly authorities?: Buffer;
  readonly certificate?: Buffer;
  readonly key?: Buffer;
  /** Instead of the host, in the server's certificate. */
  readonly serverName?: string;
}

/** How one call is made. */
export interface CallPlan {
  readonly headers?: Readonly<Record<string, string | Buffer>>;
  /** Default: 30,000. */
  readonly timeoutMs?: number;
}

/** What a call came to. */
export interface Outcome<Answer> {
  /** For messages: `FindMissingBlobs`. */
  readonly method: string;
  readonly code: Code;
  readonly message: string;
  /** Of `grpc-status-details-bin`. */
  readonly details: readonly { readonly typeUrl: string; readonly value: Buffer }[];
  readonly answers: readonly Answer[];
}

/** A call that is going on. */
export interface RunningCall<Request, Answer> {
  send(request: Request): void;
  /** Nothing more is sent. */
  end(): void;
  cancel(): void;
  /** The next answer; `undefined` after the last. */
  next(): Promise<Answer | undefined>;
  /** How it ended, with all answers. */
  readonly outcome: Promise<Outcome<Answer>>;
}

const TIMEOUT_MS = 30_000;
const identity = (bytes: Buffer): Buffer => bytes;

/** Makes calls. */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #client: grpcjs.Client;
  readonly #methods = new Map<CallName, WireMethod>();

  constructor(options: EndpointOptions) {
    this.#options = options;
    const serverName = options.tls?.serverName;
    this.#client = new grpcjs.Client(options.target, credentialsOf(options.tls), {
      // Without it, clients of one process share a connection.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      ...(serverName === undefined ? {} : { "grpc.ssl_target_name_override": serverName }),
    });
  }

  /** Another connection to the same server. */
  another(): Endpoint {
    return new Endpoint(this.#options);
  }

  /** Makes a call with one request, and waits for its end. */
  async call<Name extends CallName>(
    name: Name,
    request: Calls[Name]["request"],
    plan: CallPlan = {},
  ): Promise<Outcome<Calls[Name]["answer"]>> {
    const call = this.start(name, plan);
    call.send(request);
    call.end();
    return await call.outcome;
  }

  /** Begins a call of any kind. */
  start<Name extends CallName>(
    name: Name,
    { headers = {}, timeoutMs = TIMEOUT_MS }: CallPlan = {},
  ): RunningCall<Calls[Name]["request"], Calls[Name]["answer"]> {
    const method = this.#method(name);
    const metadata = new grpcjs.Metadata();
    for (const [key, value] of this.#options.headers) metadata.set(key, value);
    for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
    const deadline = new Date(this.#options.clock.nowMs() + timeoutMs);
    const stream = this.#client.makeBidiStreamRequest(method.path, identity, identity, metadata, { deadline });
    return new StreamCall<Calls[Name]["request"], Calls[Name]["answer"]>(method, stream);
  }

  close(): void {
    this.#client.close();
  }

  #method(name: CallName): WireMethod {
    let method = this.#methods.get(name);
    if (method === undefined) {
      method = wireMethod(METHOD_NAMES[name]);
      this.#methods.set(name, method);
    }
    return method;
  }
}

class StreamCall<Request, Answer> implements RunningCall<Request, Answer> {
  readonly #method: WireMethod;
  readonly #stream: grpcjs.ClientDuplexStream<Buffer, Buffer>;
  readonly #answers: Answer[] = [];
  readonly outcome: Promise<Outcome<Answer>>;
  #taken = 0;
  #isOver = false;
  #wake: (() => void)[] = [];

  constructor(method: WireMethod, stream: grpcjs.ClientDuplexStream<Buffer, Buffer>) {
    this.#method = method;
    this.#stream = stream;
    stream.on("data", (bytes: Buffer) => {
      this.#answers.push(method.decode(bytes) as Answer);
      this.#changed();
    });
    // The status tells.
    stream.on("error", () => {});
    this.outcome = new Promise((resolve) => {
      stream.on("status", ({ code, details, metadata }: grpcjs.StatusObject) => {
        this.#isOver = true;
        this.#changed();
        const method_ = method.path.slice(method.path.lastIndexOf("/") + 1);
        resolve({ method: method_, code, message: details, details: detailsOf(metadata), answers: this.#answers });
      });
    });
  }

  send(request: Request): void {
    if (!this.#isOver) this.#stream.write(this.#method.encode(request as object));
  }

  end(): void {
    this.#stream.end();
  }

  cancel(): void {
    this.#stream.cancel();
  }

  async next(): Promise<Answer | undefined> {
    while (this.#taken === this.#answers.length && !this.#isOver) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return this.#answers[this.#taken++];
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

function credentialsOf(tls: EndpointTls | undefined): grpcjs.ChannelCredentials {
  if (tls === undefined) return grpcjs.credentials.createInsecure();
  return grpcjs.credentials.createSsl(tls.authorities ?? null, tls.key ?? null, tls.certificate ?? null);
}

function detailsOf(metadata: grpcjs.Metadata): Outcome<unknown>["details"] {
  const [bytes] = metadata.get("grpc-status-details-bin");
  if (!(bytes instanceof Buffer)) return [];
  return (decodeMessage("google.rpc.Status", bytes) as { details: Outcome<unknown>["details"] }).details;
}

/** The one answer of a call that must succeed. @throws CheckFailed */
export function answerOf<Answer>(outcome: Outcome<Answer>): Answer {
  expectCode(outcome, Code.OK);
  const [answer] = outcome.answers;
  if (answer === undefined) fail(`${outcome.method} ended without an answer`);
  return answer;
}

/** Ends the check unless a call ended with one of these codes; one that this caller has no right to make tells nothing. */
export function expectCode(outcome: Outcome<unknown>, ...codes: readonly Code[]): void {
  if (codes.includes(outcome.code)) return;
  if (outcome.code === Code.PERMISSION_DENIED || outcome.code === Code.UNAUTHENTICATED) {
    skip(`this caller may not: ${outcome.method} ended with ${Code[outcome.code]}; give a credential with --header`);
  }
  const expected = codes.map((code) => Code[code]).join(" or ");
  const words = outcome.code === Code.OK ? "" : ` (${outcome.message.slice(0, 200)})`;
  fail(`${outcome.method} ended with ${Code[outcome.code]}${words}, expected ${expected}`);
}

/** Ends the check unless the code of a part of an answer is one of these. */
export function expectStatus(
  status: { readonly code: number; readonly message: string } | undefined,
  what: string,
  ...codes: readonly Code[]
): void {
  const code = status?.code ?? Code.OK;
  if (codes.includes(code)) return;
  const expected = codes.map((each) => Code[each]).join(" or ");
  fail(
    `the status of ${what} is ${Code[code] ?? code} (${(status?.message ?? "").slice(0, 200)}), expected ${expected}`,
  );
}
