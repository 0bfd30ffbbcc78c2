/**
 * What workflows do in a workspace: tasks through the task runner, commands as graphs of one action.
 *
 * Owns:      sharing the workspace among the commands of one flow: the first takes its lock, those that come while it
 *            runs join, the last lets go. So commands of one flow run side by side, and never beside another `kahn run`.
 * Invariant: no more commands run at once than the workspace's `concurrency`. An aborted command is gone, with all that
 *            it started, before its answer comes.
 */
import { StringDecoder } from "node:string_decoder";
import {
  type ActionProvider,
  type Digest,
  digestSizeBytes,
  err,
  invariant,
  ok,
  type Problem,
  ProblemError,
  problem,
  type ResolvedAction,
  type Result,
  type RunEvent,
  type RunObserver,
} from "@kahn/core";
import { collectOutputs } from "@kahn/exec";
import type { ActionOutput, CommandRequest, CommandResult, WorkPorts } from "@kahn/workflow";
import { type WorkspaceModel, workspaceProvider } from "@kahn/workspace";
import { libraryHost, type SessionHost } from "../../cli/host.ts";
import { taskRunner } from "../../task-runner.ts";
import { loadModel } from "../load-model.ts";
import { runHeld } from "../run/perform.ts";
import type { RunRequest } from "../run/request.ts";
import { systemPorts } from "../system-ports.ts";
import type { WorkspaceHold } from "../workspace-hold.ts";
import { withCommand } from "./command-task.ts";
import { SharedHold } from "./shared-hold.ts";

/** Of each stream so many characters are handed on, from its end. */
const STREAM_MAX = 16 * 1024 * 1024;

/** The ports for actions, as `createFlow` takes them. */
export type FlowActions = Required<Pick<WorkPorts, "tasks" | "workspaceRoot" | "runCommand">>;

/**
 * Actions of the workspace that holds a folder. Nothing is opened before the first action.
 *
 * @param directory absolute; the graph's file lies in it, for example.
 */
export function flowActions(directory: string): FlowActions {
  const host = libraryHost(directory);
  const shared = new SharedHold(host);
  const runner = taskRunner();
  return {
    workspaceRoot: directory,
    tasks: {
      async run(tasks, options) {
        // The whole workspace is meant, wherever in it the graph lies.
        const model = await loadModel(host, systemPorts(host));
        return model.ok ? runner.run(tasks, { ...options, workspaceRoot: model.value.root }) : err(model.problem);
      },
    },
    runCommand: (request) => runCommand(host, shared, request),
  };
}

async function runCommand(
  host: SessionHost,
  shared: SharedHold,
  request: CommandRequest,
): Promise<Result<CommandResult, Problem>> {
  try {
    const entered = await shared.enter(request);
    if (!entered.ok) {
      const [first] = entered.problem;
      return first?.code === "lock-wait-cancelled" ? ok({ kind: "cancelled" }) : err(joined(request, entered.problem));
    }
    const { hold, model, leave } = entered.value;
    try {
      return await runIn(hold, model, { host, request });
    } finally {
      await leave();
    }
  } catch (cause) {
    if (cause instanceof ProblemError) return err(joined(request, cause.problems));
    throw cause;
  }
}

interface CommandAsked {
  readonly host: SessionHost;
  readonly request: CommandRequest;
}

async function runIn(
  hold: WorkspaceHold,
  base: WorkspaceModel,
  { host, request }: CommandAsked,
): Promise<Result<CommandResult, Problem>> {
  const added = withCommand(base, request.name, request.work);
  if (!added.ok) return err(joined(request, added.problem));
  const { model, label } = added.value;
  const provider = keepingResolved(
    workspaceProvider({
      model,
      states: hold.session.states,
      fs: hold.session.ports.fs,
      git: hold.session.ports.git,
      request: { tasks: [label] },
      hostEnv: { ...host.env, ...request.work.env },
      platform: host.platform,
      nodePath: host.nodePath,
      startDirectory: model.root,
    }),
  );
  const planned = await provider.plan();
  if (!planned.ok) return err(joined(request, planned.problem));
  const watch = new CommandWatch(request);
  const only: ActionProvider = { plan: async () => planned, resolve: (each) => provider.resolve(each) };
  const plan = { provider: only, nodes: planned.value, requested: [label] };
  const outcome = await runHeld(hold, plan, requestOf(request, watch));
  if (!outcome.ok) return err(joined(request, outcome.problem));
  return watch.result(model.root, () => outputsOf(hold, provider.resolved()));
}

function keepingResolved(provider: ActionProvider): ActionProvider & { resolved(): ResolvedAction | undefined } {
  let kept: ResolvedAction | undefined;
  return {
    plan: () => provider.plan(),
    async resolve(label) {
      const resolved = await provider.resolve(label);
      if (resolved.ok) kept = resolved.value;
      return resolved;
    },
    resolved: () => kept,
  };
}

function requestOf({ name, signal }: CommandRequest, watch: CommandWatch): RunRequest {
  return {
    argv: ["flow", name],
    concurrency: 1,
    failFast: false,
    force: false,
    live: true,
    replay: { executed: false, failed: false, cached: true },
    observers: [watch],
    onCancel(cancel) {
      const abort = () => cancel("term", "the workflow");
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      return () => signal.removeEventListener("abort", abort);
    },
  };
}

/** The output files as they are now; the states know the digests of what was just made or restored. */
function outputsOf(hold: WorkspaceHold, resolved: ResolvedAction | undefined): Result<ActionOutput[], Problem> {
  if (resolved === undefined || resolved.outputs.roots.length === 0) return ok([]);
  const { ports, states } = hold.session;
  const { workingDirectory } = resolved.command;
  const collected = collectOutputs({ fs: ports.fs, states }, resolved.outputs, workingDirectory);
  if (!collected.ok) return collected;
  const files = collected.value.entries.filter((entry) => entry.kind === "file");
  return ok(
    files.map(({ path, digest, executable }) => ({ path, digest, sizeBytes: digestSizeBytes(digest), executable })),
  );
}

/** Follows the run of one command: hands its output on, and makes the result of how it settled. */
class CommandWatch implements RunObserver {
  readonly #request: CommandRequest;
  readonly #text = { stdout: "", stderr: "" };
  readonly #decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  #settled: Extract<RunEvent, { kind: "node.settled" }> | undefined;

  constructor(request: CommandRequest) {
    this.#request = request;
  }

  event(event: RunEvent): void {
    if (event.kind === "node.settled") this.#settled = event;
  }

  output({ stream, bytes }: Parameters<RunObserver["output"]>[0]): void {
    this.#add(stream, this.#decoders[stream].write(Buffer.from(bytes)));
  }

  #add(stream: "stdout" | "stderr", text: string): void {
    if (text === "") return;
    const all = this.#text[stream] + text;
    this.#text[stream] = all.length > 2 * STREAM_MAX ? all.slice(-STREAM_MAX) : all;
    this.#request.emit({ kind: "output", stream, text });
  }

  result(workspaceRoot: string, outputs: () => Result<ActionOutput[], Problem>): Result<CommandResult, Problem> {
    const settled = this.#settled;
    for (const stream of ["stdout", "stderr"] as const) this.#add(stream, this.#decoders[stream].end());
    const stdout = this.#text.stdout.slice(-STREAM_MAX);
    const stderr = this.#text.stderr.slice(-STREAM_MAX);
    if (settled?.end === "cancelled" || settled === undefined) return ok({ kind: "cancelled" });
    if (settled.end === "succeeded") {
      const made = outputs();
      if (!made.ok) return made;
      const cached = settled.source === "cached";
      const action: { action?: Digest } = settled.action === undefined ? {} : { action: settled.action };
      return ok({ kind: "succeeded", stdout, stderr, cached, ...action, workspaceRoot, outputs: made.value });
    }
    const why = settled.problem;
    if (settled.end === "failed" && settled.exitCode !== undefined) {
      return ok({ kind: "failed", how: howEnded(settled.exitCode, why), exitCode: settled.exitCode, stderr });
    }
    invariant(why !== undefined, `${this.#request.name} ended ${settled.end} without a reason`);
    return err(why);
  }
}

/** A command that a signal ended has no code of its own; what is said of it then begins with the label. */
function howEnded(exitCode: number, why: Problem | undefined): string {
  return exitCode === 128 && why !== undefined ? `failed: ${why.message}` : `exited with code ${exitCode}`;
}

/** Several problems as one: a node fails with one error. */
function joined({ name }: CommandRequest, problems: readonly Problem[]): Problem {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) return first;
  return problem("flow-command-invalid", `${name} cannot be run`, {
    facts: problems.map(({ code, message }) => [code, message]),
    next: "Mend each of these.",
  });
}
