/** What nodes do: tasks as they are, actions through the ports, results from the cache of nodes. */
import type { ActionCache, Clock, Digest, Json, Problem, Result, TaskRunner } from "@kahn/core";
import { canonicalJson, digestOf, ProblemError } from "@kahn/core";
import type { ActionOutcome, ActionOutput, ActionWork, CommandWork } from "../../definition/action-work.ts";
import { workMistakes } from "../../definition/action-work.ts";
import { errorOfProblem, NodeFailure } from "../../definition/failure.ts";
import type { ActionNode, AnyNode, NodeContext } from "../../definition/nodes.ts";
import type { Work } from "./attempt.ts";
import { lastWords } from "./last-words.ts";
import { TasksWatch } from "./tasks-watch.ts";

type Values = Readonly<Record<string, unknown>>;

/** A command to run for a node. */
export interface CommandRequest {
  /** What the command is known by from run to run: graph and node. */
  readonly name: string;
  readonly work: CommandWork;
  readonly signal: AbortSignal;
  /** Told what the command prints, as it comes, and for whom it waits. */
  readonly emit: (data: CommandData) => void;
}

/** What a running command sends to those who follow. */
export type CommandData =
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly text: string }
  /** Another process works in the workspace. */
  | { readonly kind: "waiting"; readonly for: string };

/** What became of a command. That it could not be run at all is a problem. */
export type CommandResult =
  | {
      readonly kind: "succeeded";
      readonly stdout: string;
      readonly stderr: string;
      readonly cached: boolean;
      readonly action?: Digest;
      /** Absolute; what the paths of outputs are relative to. */
      readonly workspaceRoot: string;
      readonly outputs: readonly ActionOutput[];
    }
  /** It said no. `how` is the end of a sentence: `exited with code 3`. */
  | { readonly kind: "failed"; readonly how: string; readonly exitCode: number; readonly stderr: string }
  | { readonly kind: "cancelled" };

/** The ports that nodes of some kinds need; a node whose port is missing fails with `flow-port-missing`. */
export interface WorkPorts {
  readonly clock: Clock;
  /** For actions of tasks. */
  readonly tasks?: TaskRunner;
  /** Absolute; what tasks are of. */
  readonly workspaceRoot?: string;
  /** For actions of commands: runs one through an `ActionExecutor`, or takes its result from a cache. */
  readonly runCommand?: (request: CommandRequest) => Promise<Result<CommandResult, Problem>>;
  /** Where results of nodes with a `cache` are kept. */
  readonly nodeCache?: ActionCache;
}

/** The work of a node; `undefined` for kinds that do none themselves. */
export function workOf(node: AnyNode, graph: string, ports: WorkPorts): Work | undefined {
  const work = plainWork(node, { graph, ports });
  if (work === undefined || !("cache" in node) || node.cache === undefined) return work;
  return cached(node, work, { graph, ports });
}

function plainWork(node: AnyNode, host: ActionHost): Work | undefined {
  if (node.kind === undefined || node.kind === "task") return node.run as Work;
  if (node.kind === "action") return (context) => act(node, context, host);
  return undefined;
}

async function act(node: ActionNode<Values>, context: NodeContext, of: ActionHost): Promise<unknown> {
  const work = typeof node.work === "function" ? computedWork(node.work(context.state), context) : node.work;
  const outcome = "tasks" in work ? await runTasks(work.tasks, context, of.ports) : await runCommand(work, context, of);
  return node.result?.(outcome, context.state);
}

/** Work that a graph computes was not looked at when it was built. */
function computedWork(work: ActionWork, { path }: NodeContext): ActionWork {
  for (const mistake of workMistakes(work)) {
    throw new NodeFailure({
      class: "Terminal",
      code: "flow-option-invalid",
      message: `${path} ${mistake}`,
      next: "Mend what its `work` function returns.",
    });
  }
  return work;
}

/** In a message; the facts tell of more. */
const NAMED_MAX = 3;

async function runTasks(tasks: readonly string[], context: NodeContext, ports: WorkPorts): Promise<ActionOutcome> {
  const { signal, emit } = context;
  const { tasks: runner, workspaceRoot } = ports;
  if (runner === undefined || workspaceRoot === undefined) throw missing("tasks", "a TaskRunner and a workspaceRoot");
  const watch = new TasksWatch(emit);
  const outcome = await runner.run(tasks, { workspaceRoot, signal, observer: watch });
  if (!outcome.ok) throw new ProblemError(outcome.problem);
  const { run, status, counts } = outcome.value;
  const failed = watch.failed();
  const which = failed.length === 0 || failed.length > NAMED_MAX ? "" : ` (${failed.join(", ")})`;
  if (status === "succeeded") return { kind: "tasks", run, executed: counts.executed, cached: counts.cached };
  throw new NodeFailure({
    // What a command says may differ next time; `retry` asks for that.
    class: status === "cancelled" ? "Cancelled" : "Retryable",
    code: "flow-tasks-failed",
    message: `${context.path}: ${tasks.join(", ")} ended ${status}${which} in run ${run}`,
    facts: failed.length === 0 ? [["failed", String(counts.failed + counts.errored)]] : watch.facts(),
    next: `Look at it with \`kahn runs ${failed.length === 0 ? "show" : `log ${failed[0]}`} ${run}\`.`,
  });
}

interface ActionHost {
  readonly graph: string;
  readonly ports: WorkPorts;
}

async function runCommand(work: CommandWork, context: NodeContext, host: ActionHost): Promise<ActionOutcome> {
  const { signal, emit, path, keepFile } = context;
  const { runCommand: run } = host.ports;
  if (run === undefined) throw missing("commands", "runCommand");
  const name = `${host.graph}/${path.replace(/#\d+/g, "")}`;
  const result = await run({ name, work, signal, emit });
  if (!result.ok) throw new NodeFailure({ ...errorOfProblem(result.problem), path });
  switch (result.value.kind) {
    case "succeeded": {
      const { kind: _, workspaceRoot, ...rest } = result.value;
      return { kind: "command", ...rest, keep: (output) => keepFile(`${workspaceRoot}/${output.path}`) };
    }
    case "failed":
      throw commandFailure(work, path, result.value);
    case "cancelled":
      throw new NodeFailure({ class: "Cancelled", code: "flow-node-aborted", message: `${path} was aborted` });
  }
}

function commandFailure(
  { command, cwd }: CommandWork,
  path: string,
  { how, exitCode, stderr }: Extract<CommandResult, { kind: "failed" }>,
): NodeFailure {
  const said = lastWords(stderr);
  const shown = command.join(" ");
  return new NodeFailure({
    class: "Retryable",
    code: "flow-command-failed",
    path,
    message: `${path}: \`${shown.length > 200 ? `${shown.slice(0, 200)}…` : shown}\` ${how}`,
    facts: [["in", cwd ?? "."], ["exit code", String(exitCode)], ...(said === "" ? [] : [["stderr", said] as const])],
    next: "Mend what it complains of and resume the run, or give the node a `retry` or an error edge.",
  });
}

function missing(what: string, port: string): NodeFailure {
  return new NodeFailure({
    class: "Terminal",
    code: "flow-port-missing",
    message: `this flow runs no ${what}`,
    next: `Give createFlow ${port}; openFlow of kahn/flow does.`,
  });
}

/** Looks in the cache first. The key is what the node says it depends on, with its name, version and graph. */
function cached(node: AnyNode, work: Work, { graph, ports }: ActionHost): Work {
  const { nodeCache } = ports;
  if (nodeCache === undefined || !("cache" in node) || node.cache === undefined) return work;
  const { key } = node.cache;
  return async (context) => {
    const name = context.path.replace(/#\d+/g, "");
    const parts = { flow: 1, graph, node: name, version: node.version ?? "", key: key(context.state) };
    const digest = digestOf(canonicalJson(parts as Json));
    const found = await nodeCache.lookup(digest);
    if (found.ok && found.value.kind === "hit")
      return JSON.parse(Buffer.from(found.value.result.stdoutRaw ?? []).toString("utf8"));
    const output = await work(context);
    const text = JSON.stringify(output ?? null);
    // What JSON cannot say would come back as something else: such a result is not kept.
    if (canonicalJson((output ?? null) as Json) !== canonicalJson(JSON.parse(text) as Json)) return output;
    await nodeCache.record(digest, {
      outputFiles: [],
      outputSymlinks: [],
      outputDirectories: [],
      exitCode: 0,
      stdoutRaw: Buffer.from(text),
      metadata: { worker: "flow" },
    });
    return output;
  };
}
