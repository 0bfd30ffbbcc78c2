/** An executor of a server that does what a test scripts: real services for blobs, logs and capabilities. */
import type { ActionExecutor, ExecuteOutcome, FileStates, Problem, ResolvedAction } from "@kahn/core";
import { digestOf } from "@kahn/core";
import { nodeClock, nodeRandom } from "@kahn/system";
import type { MemoryFileSystem } from "@kahn/testing";
import { onTestFinished } from "vitest";
import type { Registration, SendingCall } from "../../grpc/index.ts";
import { methodOf, serve } from "../../grpc/index.ts";
import type { Init } from "../../proto/codec.ts";
import { packAny } from "../../proto/core-messages.ts";
import type { Operation } from "../../proto/generated/operations.ts";
import {
  ExecuteOperationMetadata,
  type ExecuteRequest,
  ExecuteResponse,
  ExecutionMethods,
  ExecutionStageValue,
} from "../../proto/generated/remote-execution.ts";
import { memoryServerStore } from "../../reapi/memory-server-store.fixture.ts";
import { requestMetadata } from "../../reapi/requests/request-metadata.ts";
import { reapiServices } from "../../reapi/services.ts";
import { remoteBlobs } from "../blobs/remote-blobs.ts";
import type { RemoteServerOptions } from "../calls/remote-server.ts";
import { blob, clientOf, doubleServer, memoryFiles } from "../client.fixture.ts";
import { type RemoteExecutorOptions, remoteExecutor } from "./remote-executor.ts";

/** One call of Execute or WaitExecution, answered. */
export type Answer = (call: SendingCall<Init<Operation>>, name: string) => Promise<void> | void;

/** An operation that executes. */
export const stage = (name: string, more: Init<ExecuteOperationMetadata> = {}): Init<Operation> => ({
  name,
  metadata: packAny(ExecuteOperationMetadata, { stage: ExecutionStageValue.EXECUTING, ...more }),
});

/** One that is done. */
export const done = (response: Init<ExecuteResponse>, name = "operations/1"): Init<Operation> => ({
  name,
  done: true,
  result: { kind: "response", value: packAny(ExecuteResponse, response) },
});

/** A server whose executions go by the scripts, one for each call. */
export async function scripted(scripts: { readonly execute: readonly Answer[]; readonly wait?: readonly Answer[] }) {
  const store = memoryServerStore();
  const services = reapiServices({ clock: nodeClock(), random: nodeRandom(), store, execution: OFFER });
  onTestFinished(() => services.close());
  const calls: string[] = [];
  const requests: ExecuteRequest[] = [];
  /** What the callers of Execute said of themselves. */
  const callers: ReturnType<typeof requestMetadata>[] = [];
  const script =
    (kind: "execute" | "wait", answers: readonly Answer[]) =>
    async (call: SendingCall<Init<Operation>>, name: string) => {
      calls.push(kind);
      const answer = answers[calls.filter((each) => each === kind).length - 1];
      await answer?.(call, name);
    };
  const execute = script("execute", scripts.execute);
  const wait = script("wait", scripts.wait ?? []);
  const execution: Registration[] = [
    serve(methodOf("server-streaming", ExecutionMethods.execute), (request, call) => {
      requests.push(request);
      callers.push(requestMetadata(call));
      return execute(call, "");
    }),
    serve(methodOf("server-streaming", ExecutionMethods.waitExecution), ({ name }, call) => wait(call, name)),
  ];
  const { address, cut } = await doubleServer([...services.services, ...execution]);
  return { address, cut, calls, requests, callers, store, logs: services.logs };
}

const OFFER = { supportedNodeProperties: [] };

/** States that remember nothing. */
function statesOf(fs: MemoryFileSystem): FileStates {
  return { digests: (paths) => fs.hashMany(paths), remember: () => {}, forget: () => {}, save: () => {} };
}

/** A task, but for its inputs. */
export const RESOLVED: Omit<ResolvedAction, "inputs"> = {
  label: "a#build",
  isolation: "declared",
  command: {
    arguments: ["sh", "-c", "sh build.sh"],
    environment: [],
    outputPaths: ["dist"],
    platform: [],
    workingDirectory: "a",
  },
  parts: { outputGlobs: ["a/dist/**"], external: [], tools: [], platform: "", env: [], passedArguments: [] },
  contributions: [],
  reach: "transitive",
  cacheable: true,
  outputs: {
    workspaceRoot: "/work",
    roots: ["a/dist"],
    matches: (path) => path.startsWith("a/dist/") && !path.endsWith(".tmp"),
    mode: "copy",
  },
  run: {
    argv: ["sh"],
    cwd: "/work/a",
    env: {},
    timeoutMs: undefined,
    graceMs: 0,
    attemptsMax: 1,
    interactive: false,
    ready: undefined,
    unpassedNames: [],
  },
  changedInputs: () => [],
};

/** Refuses to run anything on this machine. */
export const NOT_HERE: ActionExecutor = {
  execute: () => {
    throw new Error("nothing was to run here");
  },
};

/** A task under way. */
export interface Running {
  readonly fs: MemoryFileSystem;
  readonly warnings: Problem[];
  /** What was shown of its output, piece by piece. */
  readonly shown: [stream: string, text: string][];
  readonly outcome: Promise<ExecuteOutcome>;
  readonly cancel: () => void;
}

/** What differs from a task that goes well and is not followed. */
export interface RunWish {
  readonly over?: Partial<ResolvedAction>;
  readonly executor?: Partial<RemoteExecutorOptions>;
  readonly server?: Partial<RemoteServerOptions>;
}

/** Runs a task in a workspace in memory. */
export function run(address: string, { over = {}, executor: more = {}, server: asked = {} }: RunWish = {}): Running {
  const fs = memoryFiles();
  fs.makeDirectory("/work/a/dist");
  const script = blob("echo hello\n");
  fs.writeFile("/work/a/build.sh", script.bytes);
  fs.writeFile("/work/a/other.sh", "unlisted");
  fs.writeFile("/work/a/dist/stale", "of an earlier run");
  const server = clientOf(address, asked);
  const warnings: Problem[] = [];
  const shown: [string, string][] = [];
  const executor = remoteExecutor({
    server,
    fs,
    states: statesOf(fs),
    blobs: remoteBlobs(server, fs),
    local: NOT_HERE,
    live: false,
    onWarning: (warned) => void warnings.push(warned),
    ...more,
  });
  const inputs = [{ kind: "file" as const, path: "a/build.sh", digest: script.digest, executable: false }];
  const resolved: ResolvedAction = { ...RESOLVED, inputs, ...over };
  const output = (stream: string, bytes: Uint8Array) => void shown.push([stream, Buffer.from(bytes).toString()]);
  const { outcome, cancel } = executor.execute(
    { action: digestOf("key"), resolved, attempt: 1 },
    { started: () => {}, output, ready: () => {} },
  );
  return { fs, warnings, shown, outcome, cancel: () => cancel("term") };
}
