/** Actions for the checks of execution: a shell script with its inputs, run by the server, and all that it told. */
import type { Init } from "../proto/codec.ts";
import type {
  Action,
  ActionResult,
  Command,
  ExecuteOperationMetadata,
  ExecuteRequest,
  ExecuteResponse,
} from "../proto/generated/remote-execution.ts";
import type { FlatOperation } from "./calls.ts";
import type { Blob, CheckedServer } from "./checked-server.ts";
import type { Endpoint, Outcome } from "./endpoint.ts";
import { Code, expectCode, expectStatus } from "./endpoint.ts";
import { demand, fail, same } from "./expectations.ts";
import { encodeMessage, unpackedAny } from "./wire.ts";

/** `ExecutionStage.Value` */
export const Stage = { unknown: 0, cacheCheck: 1, queued: 2, executing: 3, completed: 4 } as const;

/** One input: its content, or more about it. */
export type Input = string | { readonly content: string; readonly isExecutable: boolean };

/** What an action is to be. */
export interface ActionPlan {
  /** For `sh -c`; made unique, so that nothing of it is cached. */
  readonly script?: string;
  /** By names in the root, or below one directory: `dir/name`. */
  readonly inputs?: Readonly<Record<string, Input>>;
  readonly command?: Init<Command>;
  readonly action?: Init<Action>;
  /** Instead of what `inputs` would make. */
  readonly root?: Blob;
  /** What is not stored. */
  readonly without?: readonly ("action" | "command" | "root" | "inputs")[];
}

/** An action whose parts are stored. */
export interface StoredAction {
  readonly action: Blob;
  readonly command: Blob;
  readonly root: Blob;
  /** The files of `inputs`, by their paths. */
  readonly files: ReadonlyMap<string, Blob>;
}

/** What an execution came to. */
export interface Execution {
  /** Everything that came, read. */
  readonly operations: readonly SeenOperation[];
  readonly outcome: Outcome<FlatOperation>;
  /** Of the last message. */
  readonly response: ExecuteResponse | undefined;
}

/** An operation with its parts read. */
export interface SeenOperation {
  readonly name: string;
  readonly done: boolean;
  readonly hasError: boolean;
  readonly metadata: ExecuteOperationMetadata | undefined;
  readonly response: ExecuteResponse | undefined;
}

const RE = "build.bazel.remote.execution.v2";
const PATH = "/usr/local/bin:/usr/bin:/bin";

/** Stores an action of its own. */
export async function storeAction(server: CheckedServer, plan: ActionPlan = {}): Promise<StoredAction> {
  const { inputs = {}, without = [] } = plan;
  const files = new Map(Object.entries(inputs).map(([path, input]) => [path, server.blob(contentOf(input))]));
  const directories = directoriesOf(server, inputs, files);
  const root = plan.root ?? directories.root;
  const script = `: ${server.unique()}\n${plan.script ?? "true"}`;
  const command = server.blob(
    encodeMessage("Command", {
      arguments: ["sh", "-c", script],
      environmentVariables: [{ name: "PATH", value: PATH }],
      platform: { properties: server.platform },
      ...plan.command,
    }),
  );
  const digests = { commandDigest: command.digest, inputRootDigest: root.digest };
  const timeout = { seconds: 20, nanos: 0 };
  const platform = { properties: server.platform };
  const action = server.blob(encodeMessage("Action", { ...digests, timeout, platform, ...plan.action }));
  const isStored = (kind: (typeof without)[number]) => !without.includes(kind);
  await server.put(
    ...(isStored("inputs") ? files.values() : []),
    ...directories.below,
    ...(isStored("root") && plan.root === undefined ? [root] : []),
    ...(isStored("command") ? [command] : []),
    ...(isStored("action") ? [action] : []),
  );
  return { action, command, root, files };
}

function contentOf(input: Input): string {
  return typeof input === "string" ? input : input.content;
}

/** The root with its files, and the directories in it with theirs. */
function directoriesOf(
  server: CheckedServer,
  inputs: Readonly<Record<string, Input>>,
  files: ReadonlyMap<string, Blob>,
): { readonly root: Blob; readonly below: readonly Blob[] } {
  const nodesOf = new Map<string, { name: string; digest: Blob["digest"]; isExecutable: boolean }[]>([["", []]]);
  for (const [path, input] of Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [name = "", directory = ""] = path.split("/").reverse();
    const isExecutable = typeof input === "object" && input.isExecutable;
    nodesOf.set(directory, [
      ...(nodesOf.get(directory) ?? []),
      { name, digest: files.get(path)!.digest, isExecutable },
    ]);
  }
  const below = [...nodesOf].filter(([name]) => name !== "").sort(([a], [b]) => (a < b ? -1 : 1));
  const blobs = below.map(([, nodes]) => server.blob(encodeMessage("Directory", { files: nodes })));
  const directories = below.map(([name], index) => ({ name, digest: blobs[index]!.digest }));
  return { root: server.blob(encodeMessage("Directory", { files: nodesOf.get("")!, directories })), below: blobs };
}

/** Runs an action to its end. */
export async function execute(
  server: CheckedServer,
  action: Blob,
  request: Init<ExecuteRequest> = {},
): Promise<Execution> {
  const call = { ...server.scope, actionDigest: action.digest, ...request };
  return executionOf(await server.endpoint.call("execute", call, { timeoutMs: 60_000 }));
}

/** Begins to run an action. */
export function startExecution(server: CheckedServer, action: Blob, request: Init<ExecuteRequest> = {}) {
  const call = server.endpoint.start("execute", { timeoutMs: 60_000 });
  call.send({ ...server.scope, actionDigest: action.digest, ...request });
  call.end();
  return call;
}

/** Waits for an operation, on a connection. */
export async function waitFor(endpoint: Endpoint, name: string): Promise<Execution> {
  return executionOf(await endpoint.call("waitExecution", { name }, { timeoutMs: 60_000 }));
}

/** Reads what an Execute or WaitExecution sent. */
export function executionOf(outcome: Outcome<FlatOperation>): Execution {
  const operations = outcome.answers.map(seenOperation);
  return { outcome, operations, response: operations.at(-1)?.response };
}

/** Reads an operation. */
export function seenOperation(operation: FlatOperation): SeenOperation {
  const { name, done, error, metadata, response } = operation;
  return {
    name,
    done,
    hasError: error !== undefined,
    metadata: unpackedAny(`${RE}.ExecuteOperationMetadata`, metadata) as ExecuteOperationMetadata | undefined,
    response: unpackedAny(`${RE}.ExecuteResponse`, response) as ExecuteResponse | undefined,
  };
}

/** The response of an execution that must have ended as the protocol says. */
export function responseOf({ outcome, operations, response }: Execution): ExecuteResponse {
  expectCode(outcome, Code.OK);
  const last = operations.at(-1);
  demand(last?.done === true, "the stream ended before the operation was done");
  demand(!last.hasError, "the operation has an error, which it must never have");
  return response ?? fail("the operation has no ExecuteResponse");
}

/** The result of an action that must have run, with its exit code. */
export function resultOf(execution: Execution, exitCode = 0): ActionResult {
  const response = responseOf(execution);
  expectStatus(response.status, "the execution", Code.OK);
  const result = response.result ?? fail("the response has no result");
  if (result.exitCode !== exitCode) {
    const said = Buffer.from(result.stderrRaw).toString("utf8", 0, 300);
    fail(`the command ended with ${result.exitCode}, expected ${exitCode}${said === "" ? "" : `: ${said}`}`);
  }
  return result;
}

/** Stores and runs a script that must succeed. */
export async function run(server: CheckedServer, plan: ActionPlan): Promise<ActionResult> {
  const { action } = await storeAction(server, plan);
  return resultOf(await execute(server, action));
}

/** The standard output of a result, inlined or not. */
export async function stdoutOf(
  server: CheckedServer,
  result: Pick<ActionResult, "stdoutRaw" | "stdoutDigest">,
): Promise<string> {
  const { stdoutRaw, stdoutDigest } = result;
  if (stdoutRaw.length > 0 || stdoutDigest === undefined) return Buffer.from(stdoutRaw).toString();
  return await textOf(server, stdoutDigest);
}

/** A stored text. */
export async function textOf(server: CheckedServer, digest: Blob["digest"] | undefined): Promise<string> {
  if (digest === undefined) fail("a digest is not there");
  const read = await server.read(server.readName({ digest, fn: server.features.fn }));
  expectCode(read, Code.OK);
  return read.bytes.toString();
}

/** The content of an output file. */
export async function outputOf(server: CheckedServer, result: ActionResult, path: string): Promise<string> {
  const file = result.outputFiles.find((each) => each.path === path);
  if (file === undefined)
    fail(`${path} is not among the output files [${result.outputFiles.map((each) => each.path).join(", ")}]`);
  return await textOf(server, file.digest);
}

/** Why an execution did not run its command, wherever the server said so: the code and the missing blobs. */
export function refusalOf(execution: Execution): {
  readonly code: Code;
  readonly message: string;
  readonly missing: readonly string[];
} {
  const { outcome, operations, response } = execution;
  same(
    operations.some(({ hasError }) => hasError),
    false,
    "whether Operation.error is set",
  );
  const status = outcome.code === Code.OK ? response?.status : outcome;
  const details = status?.details ?? [];
  const missing = details.flatMap((detail) => {
    const found = unpackedAny("google.rpc.PreconditionFailure", detail) as
      | { readonly violations: readonly { readonly type: string; readonly subject: string }[] }
      | undefined;
    return found?.violations.filter(({ type }) => type === "MISSING").map(({ subject }) => subject) ?? [];
  });
  return { code: status?.code ?? Code.OK, message: status?.message ?? "", missing };
}

/** Ends the check unless an execution was refused with one of these codes. */
export function expectRefusal(execution: Execution, what: string, ...codes: readonly Code[]): readonly string[] {
  const { code, message, missing } = refusalOf(execution);
  expectStatus({ code, message }, what, ...codes);
  return missing;
}
