/**
 * Node functions of LangGraph as nodes of ours.
 *
 * Owns:      the translation of what such a function is given and of what it returns.
 * Never:     imports LangGraph: its objects are told by the marks that they carry for that purpose.
 * Invariant: what cannot be translated is refused by name, and never dropped.
 */
import { ProblemError, problem } from "@kahn/core";
import { END, type NodeContext, type NodeOutput } from "../definition/nodes.ts";

/** The configuration that a LangGraph node function finds in its second parameter. */
export interface LangGraphNodeConfig {
  readonly configurable: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  /** Sends data to whoever follows the run. */
  readonly writer: (data: unknown) => void;
  readonly context: unknown;
}

/**
 * A node function: state and configuration to writes or a `Command`. The configuration is a `LangGraphNodeConfig`; its
 * type here is `never`, so that a function is taken whichever type of LangGraph it names there.
 */
export type LangGraphNode<S> = (state: S, config: never) => unknown;

/** What a wrapped function is given besides the state. */
export interface FromLangGraphOptions {
  /** Added to `configurable`. */
  readonly configurable?: Readonly<Record<string, unknown>>;
  /** The runtime context of the graph that it comes from. */
  readonly context?: unknown;
}

/** How LangGraph writes the end of a graph. */
const LANGGRAPH_END = "__end__";

interface CommandLike {
  readonly lg_name: "Command";
  readonly update?: unknown;
  readonly goto?: unknown;
  readonly graph?: unknown;
  readonly resume?: unknown;
}

/**
 * Makes the `run` of a node from a LangGraph node function: `{ run: fromLangGraph(writeReport) }`.
 *
 * Writes go through the reducers of our state, `Overwrite` past them; `Command({ update, goto })` to one node goes there
 * (an edge or `targets` must name it). Refused when they are returned, as `langgraph-result-unsupported`: `Send` and
 * several targets (use `map` or `parallel`), `Command.PARENT`, `resume`. `interrupt()` is `langgraph-interrupt`: use a
 * barrier.
 */
export function fromLangGraph<S = Readonly<Record<string, unknown>>, N extends string = string>(
  node: LangGraphNode<S>,
  options: FromLangGraphOptions = {},
): (context: NodeContext<S>) => Promise<NodeOutput<S, N> | undefined> {
  return async (context) => {
    try {
      return outputOf<S, N>(await node(context.state, configOf(context, options) as never), context.path);
    } catch (error) {
      if (isInterrupt(error)) throw new ProblemError(interrupted(context.path), { cause: error });
      throw error;
    }
  };
}

function configOf<S>(
  context: NodeContext<S>,
  { configurable, context: runtime }: FromLangGraphOptions,
): LangGraphNodeConfig {
  const { run, path, attempt, signal } = context;
  return {
    configurable: { thread_id: run, checkpoint_ns: "", ...configurable },
    metadata: { thread_id: run, kahn_path: path, kahn_attempt: attempt },
    signal,
    writer: (data) => context.emit(data),
    context: runtime,
  };
}

function outputOf<S, N extends string>(returned: unknown, path: string): NodeOutput<S, N> | undefined {
  if (returned === undefined || returned === null) return undefined;
  if (typeof returned !== "object") throw unsupported(path, `a ${typeof returned}`, "Return the keys to write.");
  if (!isCommand(returned)) return writesOf(returned, path);
  const { update, goto, graph, resume } = returned;
  if (graph !== undefined)
    throw unsupported(path, "a Command for another graph", "Return the target to the outer graph as state.");
  if (resume !== undefined) throw unsupported(path, "a Command that resumes", "Decide barriers with `run.decide`.");
  const target = targetOf<N>(goto, path);
  return { ...(update === undefined ? {} : writesOf(update, path)), ...(target === undefined ? {} : { goto: target }) };
}

function targetOf<N extends string>(goto: unknown, path: string): N | undefined {
  const targets = goto === undefined ? [] : Array.isArray(goto) ? goto : [goto];
  if (targets.some((target) => typeof target !== "string")) {
    throw unsupported(path, "a Command with Send", "Use a `map` node, which runs its branch for each item.");
  }
  if (targets.length > 1) {
    throw unsupported(path, `a Command to ${targets.join(", ")}`, "Draw an edge to each, or use a `parallel` node.");
  }
  return targets[0] === LANGGRAPH_END ? (END as string as N) : (targets[0] as N | undefined);
}

function writesOf<S, N extends string>(update: unknown, path: string): NodeOutput<S, N> {
  const set: [string, unknown][] = [];
  const replace: [string, unknown][] = [];
  for (const [key, value] of entriesOf(update, path)) {
    const overwrite = overwritten(value);
    if (overwrite === undefined) set.push([key, value]);
    else replace.push([key, overwrite.value]);
  }
  return {
    ...(set.length === 0 ? {} : { set: Object.fromEntries(set) as Partial<S> }),
    ...(replace.length === 0 ? {} : { replace: Object.fromEntries(replace) as Partial<S> }),
  };
}

function entriesOf(update: unknown, path: string): [string, unknown][] {
  if (isPlainObject(update)) return Object.entries(update).filter(([, value]) => value !== undefined);
  const isPairs = Array.isArray(update) && update.every((each) => Array.isArray(each) && typeof each[0] === "string");
  if (!isPairs) {
    const what = Array.isArray(update)
      ? "a list"
      : typeof update === "object"
        ? "an object of a class"
        : `a ${typeof update}`;
    throw unsupported(path, what, "Return a plain object with the keys to write, or one Command.");
  }
  const keys = new Set(update.map(([key]) => key as string));
  if (keys.size === update.length) return update as [string, unknown][];
  throw unsupported(path, "several writes to one key", "Return one value per key.");
}

/** The value of an `Overwrite`, as an object of the class or as JSON keeps it. */
function overwritten(value: unknown): { readonly value: unknown } | undefined {
  if (typeof value !== "object" || value === null || !("__overwrite__" in value)) return undefined;
  return { value: value.__overwrite__ };
}

function isCommand(value: object): value is CommandLike {
  return "lg_name" in value && value.lg_name === "Command";
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** By the name that LangGraph gives to the error with which `interrupt` leaves a node. */
function isInterrupt(error: unknown): boolean {
  return error instanceof Error && (error.name === "GraphInterrupt" || error.name === "NodeInterrupt");
}

function unsupported(path: string, what: string, next: string): ProblemError {
  return new ProblemError(
    problem(
      "langgraph-result-unsupported",
      `The LangGraph function of ${path} returned ${what}, which has no counterpart.`,
      {
        next,
      },
    ),
  );
}

function interrupted(path: string) {
  return problem(
    "langgraph-interrupt",
    `The LangGraph function of ${path} called interrupt(), which only LangGraph resumes.`,
    {
      next: "Put a barrier before the node, and read the decision from the state.",
    },
  );
}
