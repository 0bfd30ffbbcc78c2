/**
 * One REAPI server as its client sees it: a channel, an instance, and what the server said it can do.
 *
 * Owns:      the handshake, which is made once; repeats, deadlines and the bound on calls at once.
 * Never:     knows what the calls are about.
 * Invariant: no call is made before the handshake, and at most `callsMax` are under way; whatever goes wrong is a
 *            `Status`, never a throw.
 */
import type { Clock, Digest, DigestFunction, Random, Result } from "@kahn/core";
import { digestHash, err, ok } from "@kahn/core";
import type { Calls, ChannelTarget, ChannelTls, Method, OutgoingMetadata, Status } from "../../grpc/index.ts";
import { Channel, methodOf, StatusCode, targetText } from "../../grpc/index.ts";
import {
  CapabilitiesMethods,
  RequestMetadata,
  type ServerCapabilities,
} from "../../proto/generated/remote-execution.ts";
import type { Zstd } from "../../store/zstd.ts";
import { Lanes } from "./lanes.ts";
import type { Repeating, RetryPolicy } from "./retry.ts";
import { CACHE_RETRIES, withRetries } from "./retry.ts";
import type { ServerFeatures } from "./server-features.ts";
import { ASSUMED_FEATURES, featuresOf, isUnknownMethod, knowsFunction } from "./server-features.ts";

/** How a server is reached. */
export interface RemoteServerOptions {
  readonly target: ChannelTarget;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: none, the empty name. */
  readonly instance?: string;
  readonly tls?: ChannelTls;
  /** Sent with each call, such as `authorization`; asked for each time. */
  readonly headers?: () => OutgoingMetadata;
  /** See `Asked`. */
  readonly credentials?: string;
  /** Tool, version and invocation, for the server's logs. */
  readonly caller?: { readonly tool: string; readonly version: string; readonly invocation: string };
  /** Loads the compressor, once a server offers it; left out, nothing is compressed. */
  readonly zstd?: () => Promise<Zstd>;
  readonly retries?: RetryPolicy;
  readonly deadlines?: Partial<Deadlines>;
  /** Calls under way at once. Default: 32. */
  readonly callsMax?: number;
  /** The digest function of all blobs. Default: `sha256`. */
  readonly digestFunction?: DigestFunction;
}

/** How long calls may take. Milliseconds. */
export interface Deadlines {
  /** Until there is a connection. */
  readonly connectMs: number;
  /** Of the first question, what the server can do: who does not answer that soon is as good as gone. */
  readonly handshakeMs: number;
  /** Of an execution, until the server has taken it. */
  readonly acceptMs: number;
  /** Of a call whose answer is small. */
  readonly unaryMs: number;
  /** Of a call that carries a batch of blobs. */
  readonly batchMs: number;
  /** Without a byte of progress on a stream. */
  readonly stallMs: number;
  /** Of a log whose command has ended: what it does not have by then, the result has. */
  readonly tailMs: number;
}

const DEADLINES: Deadlines = {
  connectMs: 5000,
  handshakeMs: 8000,
  acceptMs: 60_000,
  unaryMs: 20_000,
  batchMs: 120_000,
  stallMs: 30_000,
  tailMs: 2000,
};

const GET_CAPABILITIES = methodOf("unary", CapabilitiesMethods.getCapabilities);
const CALLER_HEADER = "build.bazel.remote.execution.v2.requestmetadata-bin";

/** A server that may be asked. Close it when nothing is asked any more. */
export class RemoteServer {
  /** For messages: its address. */
  readonly name: string;
  readonly credentials: string | undefined;
  readonly instance: string;
  readonly digestFunction: DigestFunction;
  readonly deadlines: Deadlines;
  readonly retries: RetryPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly channel: Calls;
  readonly #options: RemoteServerOptions;
  readonly #lanes: Lanes;
  readonly #channel: Channel;
  /** The server that this is a view of: it has the handshake and the compressor. */
  readonly #whole: RemoteServer | undefined;
  #features: Promise<Result<ServerFeatures, Status>> | undefined;
  #zstd: Promise<Zstd> | undefined;

  constructor(options: RemoteServerOptions, view?: ActionView) {
    const { target, clock, random } = options;
    this.#options = options;
    this.name = targetText(target);
    this.credentials = options.credentials;
    this.instance = options.instance ?? "";
    this.digestFunction = options.digestFunction ?? "sha256";
    this.deadlines = { ...DEADLINES, ...options.deadlines };
    this.retries = options.retries ?? CACHE_RETRIES;
    this.clock = clock;
    this.random = random;
    const whole = view?.of;
    this.#whole = whole;
    this.#lanes = whole === undefined ? new Lanes(options.callsMax ?? 32) : whole.#lanes;
    this.#channel = whole === undefined ? openChannel(options, this.deadlines) : whole.#channel;
    this.channel = view === undefined ? this.#channel : this.#channel.with(callerHeader(options, view.action));
  }

  /** The same server, for calls about an action, which its logs then name. */
  about(action: Digest): RemoteServer {
    return new RemoteServer(this.#options, { of: this.#whole ?? this, action });
  }

  /** What it can do; asked once, and again only after a failure. */
  features(): Promise<Result<ServerFeatures, Status>> {
    if (this.#whole !== undefined) return this.#whole.features();
    this.#features ??= this.#handshake();
    return this.#features;
  }

  /** The compressor, where the server takes compressed blobs and this client was given one. */
  async zstd(features: Pick<ServerFeatures, "hasZstd">): Promise<Zstd | undefined> {
    if (this.#whole !== undefined) return await this.#whole.zstd(features);
    if (!features.hasZstd || this.#options.zstd === undefined) return undefined;
    this.#zstd ??= this.#options.zstd();
    return await this.#zstd;
  }

  /** One request and its answer, repeated as far as that helps. */
  unary<Response, RequestInit>(
    method: Method<unknown, Response, "unary", RequestInit, never>,
    request: RequestInit,
    timeoutMs = this.deadlines.unaryMs,
  ): Promise<Result<Response, Status>> {
    return this.attempts(() => this.channel.unary(method, request, { timeoutMs }));
  }

  /** Makes any call, repeated as far as that helps, in a lane of its own. */
  attempts<T>(
    attempt: (number: number) => Promise<Result<T, Status>>,
    repeating?: Repeating,
  ): Promise<Result<T, Status>> {
    const { clock, random, retries: policy } = this;
    return this.#lanes.run(() => withRetries({ clock, random, policy }, attempt, repeating));
  }

  /** Ends all calls and the connection. */
  close(): void {
    this.#channel.close();
  }

  async #handshake(): Promise<Result<ServerFeatures, Status>> {
    const answer = await this.unary(GET_CAPABILITIES, { instanceName: this.instance }, this.deadlines.handshakeMs);
    const features = this.#judge(answer);
    if (!features.ok) this.#features = undefined;
    return features;
  }

  #judge(answer: Result<ServerCapabilities, Status>): Result<ServerFeatures, Status> {
    if (!answer.ok) return isUnknownMethod(answer.problem.code) ? ok(ASSUMED_FEATURES) : answer;
    const features = featuresOf(answer.value);
    if (knowsFunction(features, this.digestFunction)) return ok(features);
    const message = `it does not know digests of ${this.digestFunction}`;
    return err({ code: StatusCode.failedPrecondition, message });
  }
}

interface ActionView {
  readonly of: RemoteServer;
  readonly action: Digest;
}

function openChannel(options: RemoteServerOptions, { connectMs }: Deadlines): Channel {
  const { target, clock, random, tls } = options;
  const caller = callerHeader(options);
  return new Channel({
    ...{ target, clock, random },
    ...(tls === undefined ? {} : { tls }),
    metadata: () => ({ ...caller, ...options.headers?.() }),
    connectTimeoutMs: connectMs,
    // Repeats are ours: a pause of the channel would only make them fail unasked.
    backoff: { firstMs: 50, maxMs: 5000 },
  });
}

function callerHeader({ caller }: RemoteServerOptions, action?: Digest): OutgoingMetadata {
  if (caller === undefined) return {};
  const { tool, version, invocation } = caller;
  const toolDetails = { toolName: tool, toolVersion: version };
  const actionId = action === undefined ? "" : digestHash(action);
  return { [CALLER_HEADER]: RequestMetadata.encode({ toolDetails, toolInvocationId: invocation, actionId }) };
}
