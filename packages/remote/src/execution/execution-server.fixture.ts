/** A server that executes, on loopback; a runner that does what a test says; and clients of ours. */
import assert from "node:assert/strict";
import type { Digest } from "@kahn/core";
import { digestOf, encodeDirectory, problem } from "@kahn/core";
import type { HermeticObserver, HermeticRequest, HermeticResult } from "@kahn/exec";
import { nodeClock, nodeRandom } from "@kahn/system";
import type { VirtualClock } from "@kahn/testing";
import { settled, virtualClock } from "@kahn/testing";
import type { CallOptions, Interceptor } from "../grpc/index.ts";
import { Channel, GrpcServer, methodOf, parseTarget } from "../grpc/index.ts";
import { digestMessage } from "../names/request-digest.ts";
import { openPort } from "../port/index.ts";
import type { Init } from "../proto/codec.ts";
import { unpackAny } from "../proto/core-messages.ts";
import { PreconditionFailure, RetryInfo } from "../proto/generated/error-details.ts";
import { type Operation, OperationsMethods } from "../proto/generated/operations.ts";
import {
  Action,
  Command,
  ExecuteOperationMetadata,
  type ExecuteRequest,
  ExecuteResponse,
  ExecutionMethods,
  RequestMetadata,
} from "../proto/generated/remote-execution.ts";
import { Status } from "../proto/generated/status.ts";
import { memoryServerStore } from "../reapi/memory-server-store.fixture.ts";
import { LogStreams } from "../reapi/streams/log-streams.ts";
import type { ServerStore } from "../store/server-store.ts";
import type { ActionRunner, RunOutcome } from "./actions/action-runner.ts";
import type { ExecutionOptions } from "./execution-services.ts";
import { executionServices } from "./execution-services.ts";

export const METHODS = {
  execute: methodOf("server-streaming", ExecutionMethods.execute),
  waitExecution: methodOf("server-streaming", ExecutionMethods.waitExecution),
  get: methodOf("unary", OperationsMethods.getOperation),
  list: methodOf("unary", OperationsMethods.listOperations),
  cancel: methodOf("unary", OperationsMethods.cancelOperation),
  delete: methodOf("unary", OperationsMethods.deleteOperation),
  wait: methodOf("unary", OperationsMethods.waitOperation),
} as const;

/** A run that waits for the test. */
export interface HeldRun {
  readonly request: HermeticRequest;
  readonly observer: HermeticObserver;
  readonly signal: AbortSignal;
  finish(outcome?: RunOutcome): void;
}

/** A runner that does nothing by itself. A run that is aborted ends as cancelled, unless it is `stubborn`. */
export class ScriptedRunner implements ActionRunner {
  readonly runs: HeldRun[] = [];
  isStubborn = false;
  #taken = 0;
  #wake: (() => void)[] = [];

  run(request: HermeticRequest, observer: HermeticObserver, signal: AbortSignal): Promise<RunOutcome> {
    return new Promise((resolve) => {
      const run = { request, observer, signal, finish: (outcome = completed()) => resolve(outcome) };
      if (!this.isStubborn) signal.addEventListener("abort", () => resolve({ kind: "cancelled" }));
      this.runs.push(run);
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  /** The next run that has begun. */
  async next(): Promise<HeldRun> {
    while (this.runs.length === this.#taken) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.runs[this.#taken++]!;
  }
}

/** How a run ends well. */
export function completed(result: Partial<HermeticResult> = {}): RunOutcome {
  const outputs = { outputFiles: [], outputDirectories: [], outputSymlinks: [] };
  const timings = {
    ...{ startedAtMs: 1000, inputsReadyAtMs: 2000, executionStartedAtMs: 3000, executionCompletedAtMs: 4000 },
    ...{ outputsStartedAtMs: 5000, completedAtMs: 6000, executionMs: 1000 },
  };
  return {
    kind: "completed",
    result: { ...outputs, exitCode: 0, metadata: { worker: "w" }, ...result },
    timings,
    use: {},
    sandbox: "none",
  };
}

/** How a run ends at its limit, with what it had printed. */
export function timedOut(stdout: string): RunOutcome {
  return {
    kind: "timed-out",
    problem: problem("action-timed-out", "the command ran longer than 1000 ms"),
    timings: { startedAtMs: 1000, completedAtMs: 2000 },
    use: {},
    streams: { stdoutRaw: Buffer.from(stdout) },
  };
}

/** One message of a stream, decoded. */
export interface SeenOperation {
  readonly name: string;
  readonly done: boolean;
  readonly metadata: ExecuteOperationMetadata;
  readonly response: ExecuteResponse | undefined;
  readonly hasError: boolean;
}

/** Reads an operation's message. */
export function seen(operation: Operation): SeenOperation {
  const metadata = operation.metadata && unpackAny(ExecuteOperationMetadata, operation.metadata);
  assert.ok(metadata !== undefined);
  const { result } = operation;
  const response = result?.kind === "response" ? unpackAny(ExecuteResponse, result.value) : undefined;
  return { name: operation.name, done: operation.done, metadata, response, hasError: result?.kind === "error" };
}

/** A stream of one client. */
export interface Stream {
  /** The next message; `undefined` after the last. */
  next(): Promise<SeenOperation | undefined>;
  /** All messages until the end. */
  rest(): Promise<SeenOperation[]>;
  /** The response of the last message. */
  response(): Promise<ExecuteResponse>;
  /** Stages of what was read so far. */
  readonly stages: readonly number[];
  /** How it ended. */
  code(): Promise<number>;
  cancel(): void;
}

/** What a test wants of an action. */
export interface ActionWish {
  readonly command?: Init<Command>;
  readonly action?: Init<Action>;
  readonly files?: Readonly<Record<string, string>>;
  /** What is left out of the store. */
  readonly without?: readonly ("action" | "command" | "root" | "files")[];
}

export interface StartOptions extends Partial<ExecutionOptions> {
  readonly slots?: number;
  readonly interceptors?: readonly Interceptor[];
  readonly withLogs?: boolean;
}

/** Starts a server; `close` at the end. */
export async function startExecution(options: StartOptions = {}) {
  const { slots = 1, interceptors = [], withLogs = false, ...rest } = options;
  const transportClock = nodeClock();
  const clock: VirtualClock = virtualClock();
  const store = memoryServerStore();
  const runner = new ScriptedRunner();
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  const logs = new LogStreams({ clock, random: nodeRandom(), logMaxBytes: 1 << 20, keptMs: 60_000, logsMax: 100 });
  const execution = executionServices({
    ...{
      store,
      clock,
      random: nodeRandom(),
      runner,
      worker: { name: "w", slots },
      digestFunctions: ["sha256"],
      onFault,
    },
    ...(withLogs ? { logs } : {}),
    ...rest,
  });
  const grpc = new GrpcServer({ services: execution.services, clock: transportClock, interceptors, onFault });
  const port = await openPort({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    clock: transportClock,
    onStream: (stream, headers, peer) => grpc.accept(stream, headers, peer),
    onFault,
  });
  assert.ok(port.ok && port.value.address.kind === "tcp");
  const target = parseTarget(`grpc://127.0.0.1:${port.value.address.port}`);
  assert.ok(target.ok);
  const channels: Channel[] = [];
  const connect = (): Channel => {
    const channel = new Channel({ target: target.value, clock: transportClock, random: nodeRandom() });
    channels.push(channel);
    return channel;
  };
  const channel = connect();
  return {
    ...{ store, runner, clock, execution, channel, connect, logs, faults, put: putAction.bind(undefined, store) },
    /** Executes an action, on the first connection unless another is given. */
    execute: (
      digest: Digest,
      request: Init<ExecuteRequest> = {},
      on: { channel?: Channel; options?: CallOptions } = {},
    ) =>
      streamOf(
        (on.channel ?? channel).read(METHODS.execute, { actionDigest: digestMessage(digest), ...request }, on.options),
      ),
    waitExecution: (name: string, on: Channel = channel) => streamOf(on.read(METHODS.waitExecution, { name })),
    /** Lets promises and sockets come to rest, and moves the time. */
    pass: async (ms: number) => {
      await settled();
      clock.advance(ms);
      await settled();
    },
    close: async () => {
      for (const each of channels) each.close();
      execution.close();
      grpc.close();
      await port.value.close();
      await settled();
      assert.deepEqual(faults, []);
      assert.equal(clock.pendingTimers, 0, "a timer is left");
    },
  };
}

export type ExecutionServer = Awaited<ReturnType<typeof startExecution>>;

/** Stores an action with what it stands on. */
export async function putAction(store: Pick<ServerStore, "blobs">, wish: ActionWish = {}): Promise<Digest> {
  const { files = {}, without = [] } = wish;
  const write = async (bytes: Uint8Array, kind: "action" | "command" | "root" | "files"): Promise<Digest> => {
    const digest = digestOf(bytes);
    if (!without.includes(kind)) assert.ok((await store.blobs.write(digest, bytes)).ok);
    return digest;
  };
  const nodes = [];
  for (const [name, content] of Object.entries(files)) {
    nodes.push({ name, digest: await write(Buffer.from(content), "files"), executable: false });
  }
  const root = await write(encodeDirectory({ files: nodes, directories: [], symlinks: [] }), "root");
  const command = await write(Command.encode({ arguments: ["true"], ...wish.command }), "command");
  const digests = { commandDigest: digestMessage(command), inputRootDigest: digestMessage(root) };
  return await write(Action.encode({ ...digests, ...wish.action }), "action");
}

function streamOf(call: ReturnType<Channel["read"]>): Stream {
  const messages = call.messages[Symbol.asyncIterator]();
  const stages: number[] = [];
  const next = async (): Promise<SeenOperation | undefined> => {
    try {
      const { value, done } = await messages.next();
      if (done === true) return undefined;
      const operation = seen(value as Operation);
      stages.push(operation.metadata.stage);
      return operation;
    } catch {
      // The status tells.
      return undefined;
    }
  };
  const rest = async (): Promise<SeenOperation[]> => {
    const all: SeenOperation[] = [];
    for (let each = await next(); each !== undefined; each = await next()) all.push(each);
    return all;
  };
  return {
    next,
    rest,
    stages,
    response: async () => {
      const last = (await rest()).at(-1);
      assert.ok(last?.done === true && last.response !== undefined, "the stream ended without an answer");
      assert.equal(last.hasError, false);
      return last.response;
    },
    code: async () => (await call.status).code,
    cancel: () => call.cancel(),
  };
}

/** Subjects of the blobs that a status says are missing. */
export function missingOf(status: Status | undefined): string[] {
  return (status?.details ?? []).flatMap(
    (detail) =>
      unpackAny(PreconditionFailure, detail)?.violations.map(({ type, subject }) => `${type} ${subject}`) ?? [],
  );
}

/** Whether a status says when to come again. */
export function saysWhenToRetry(details: Uint8Array | undefined): boolean {
  if (details === undefined) return false;
  return Status.decode(details).details.some((detail) => unpackAny(RetryInfo, detail)?.retryDelay !== undefined);
}

/** Metadata of a call of one invocation. */
export function ofInvocation(toolInvocationId: string): CallOptions {
  const header = "build.bazel.remote.execution.v2.requestmetadata-bin";
  return { metadata: { [header]: RequestMetadata.encode({ toolInvocationId }) } };
}
