/** What nodes do: tasks as they are, actions through the ports, results from the cache of nodes. */
import type { ActionCache, Clock, Json, Problem, Result, TaskRunner } from "@kahn/core";
import { canonicalJson, digestOf, ProblemError } from "@kahn/core";
import { errorOfProblem, NodeFailure } from "../definition/failure.ts";
import type { ActionNode, ActionOutcome, AnyNode, NodeContext } from "../definition/nodes.ts";
import type { Work } from "./attempt.ts";

type Values = Readonly<Record<string, unknown>>;

/** A command to run for a node. */
export interface CommandRequest {
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** What a command printed; a command that did not succeed is a problem. */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly cached: boolean;
}

/** The ports that nodes of some kinds need; a node whose port is missing fails with `flow-port-missing`. */
export interface WorkPorts {
  readonly clock: Clock;
  /** For actions of tasks. */
  readonly tasks?: TaskRunner;
  readonly workspaceRoot?: string;
  /** For actions of commands: wired to an `ActionExecutor`. */
  readonly runCommand?: (request: CommandRequest) => Promise<Result<CommandResult, Problem>>;
  /** Where results of nodes with a `cache` are kept. */
  readonly nodeCache?: ActionCache;
}

/** The work of a node; `undefined` for kinds that do none themselves. */
export function workOf(node: AnyNode, graph: string, ports: WorkPorts): Work | undefined {
  const work = plainWork(node, ports);
  if (work === undefined || !("cache" in node) || node.cache === undefined) return work;
  return cached(node, work, { graph, ports });
}

function plainWork(node: AnyNode, ports: WorkPorts): Work | undefined {
  if (node.kind === undefined || node.kind === "task") return node.run as Work;
  if (node.kind === "action") return (context) => act(node, context, ports);
  return undefined;
}

async function act(node: ActionNode<Values>, context: NodeContext, ports: WorkPorts): Promise<unknown> {
  const work = typeof node.work === "function" ? node.work(context.state) : node.work;
  const outcome = "tasks" in work ? await runTasks(work.tasks, context, ports) : await runCommand(work, context, ports);
  return node.result?.(outcome, context.state);
}

async function runTasks(
  tasks: readonly string[],
  { signal, emit }: NodeContext,
  ports: WorkPorts,
): Promise<ActionOutcome> {
  const { tasks: runner, workspaceRoot } = ports;
  if (runner === undefined || workspaceRoot === undefined) throw missing("tasks", "a TaskRunner and a workspaceRoot");
  const observer = { event: (event: unknown) => emit(event), output: () => {} };
  const outcome = await runner.run(tasks, { workspaceRoot, signal, observer });
  if (!outcome.ok) throw new ProblemError(outcome.problem);
  const { run, status, counts } = outcome.value;
  if (status === "succeeded") return { kind: "tasks", run, executed: counts.executed, cached: counts.cached };
  throw new NodeFailure({
    class: status === "cancelled" ? "Cancelled" : "Terminal",
    code: "flow-tasks-failed",
    message: `${tasks.join(", ")} ended ${status} in run ${run}`,
    facts: [["failed", String(counts.failed + counts.errored)]],
    next: `Look at it with \`kahn runs show ${run}\`.`,
  });
}

async function runCommand(
  work: Pick<CommandRequest, "command" | "cwd" | "env">,
  { signal }: NodeContext,
  { runCommand: run }: WorkPorts,
): Promise<ActionOutcome> {
  if (run === undefined) throw missing("commands", "runCommand");
  const result = await run({ ...work, signal });
  if (!result.ok) throw new NodeFailure(errorOfProblem(result.problem));
  return { kind: "command", ...result.value };
}

function missing(what: string, port: string): NodeFailure {
  return new NodeFailure({
    class: "Terminal",
    code: "flow-port-missing",
    message: `this flow runs no ${what}`,
    next: `Give createFlow ${port}.`,
  });
}

/** Looks in the cache first. The key is what the node says it depends on, with its name, version and graph. */
function cached(
  node: AnyNode,
  work: Work,
  { graph, ports }: { readonly graph: string; readonly ports: WorkPorts },
): Work {
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
