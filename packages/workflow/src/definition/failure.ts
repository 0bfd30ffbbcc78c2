/**
 * Failures of nodes: their classes, which routing and retries look at, and their serialisable form.
 *
 * Invariant: whatever a node throws becomes one `NodeError`; nothing is matched by its message.
 */
import type { Json, Problem, ProblemError } from "@kahn/core";
import { userStack } from "./user-stack.ts";

/**
 * `Retryable`: may go well another time (what an ordinary `throw` is; once retries are used up, edges for `Terminal`
 * take it too). `Terminal`: will not. `Timeout`, `Conflict` (of parallel writes), `Cancelled` (by whoever asked for it).
 * `Observed`: some branches of a collecting node failed; the node went on.
 */
export type FailureClass = "Retryable" | "Terminal" | "Timeout" | "Conflict" | "Cancelled" | "Observed";

/** How a node failed, as journals and events hold it. */
export interface NodeError {
  readonly class: FailureClass;
  readonly code: string;
  readonly message: string;
  /** Where it happened: the visit. */
  readonly path?: string;
  readonly retryAfterMs?: number;
  readonly facts?: readonly (readonly [name: string, value: string])[];
  readonly next?: string;
  /** Of nodes with branches: what each of those that failed said. */
  readonly parts?: readonly NodeError[];
  readonly detail?: Json;
  /** Where the graph's code threw: its own frames, one to a line, at most 2,000 characters. */
  readonly stack?: string;
}

/** What a node throws to say more than an `Error` can. */
export class NodeFailure extends Error {
  override readonly name = "NodeFailure";
  readonly error: NodeError;
  constructor(error: NodeError, options?: ErrorOptions) {
    super(error.message, options);
    this.error = error;
  }
}

/** Options of `fail`. */
export interface FailOptions {
  /** Default `Terminal`. */
  readonly class?: "Retryable" | "Terminal";
  /** For a retryable failure: not before so many milliseconds. */
  readonly retryAfterMs?: number;
  readonly code?: string;
  readonly detail?: Json;
}

/** Throws a failure of a class: `fail("the account is closed")`, `fail("busy", { class: "Retryable", retryAfterMs: 5000 })`. */
export function fail(message: string, options: FailOptions = {}): never {
  const { class: kind = "Terminal", retryAfterMs, code = "flow-node-failed", detail } = options;
  throw new NodeFailure({
    class: kind,
    code,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(detail === undefined ? {} : { detail }),
  });
}

/** What was thrown, in the form that is kept. */
export function nodeErrorOf(thrown: unknown): NodeError {
  if (isFailure(thrown)) return { ...journalled(thrown.error), ...stackOf(thrown) };
  if (isProblemError(thrown)) {
    const [first] = thrown.problems;
    if (first !== undefined) return errorOfProblem(first);
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  const parts = thrown instanceof AggregateError ? { parts: thrown.errors.map(nodeErrorOf) } : {};
  return { class: "Retryable", code: "flow-node-failed", message, ...parts, ...stackOf(thrown) };
}

/** Journals hold JSON: a detail that is none is left out, and said to be. */
function journalled(error: NodeError): NodeError {
  const { detail, facts = [], ...rest } = error;
  try {
    if (detail === undefined || JSON.stringify(detail) !== undefined) return error;
  } catch (thrown) {
    if (!(thrown instanceof TypeError || thrown instanceof RangeError)) throw thrown;
  }
  return { ...rest, facts: [...facts, ["detail", "is no JSON, and was not kept"]] };
}

function stackOf(thrown: unknown): Pick<NodeError, "stack"> {
  const stack = userStack(thrown);
  return stack === undefined ? {} : { stack };
}

/** By name: a graph's file may have its functions from another copy of this package than the engine that runs it. */
function isFailure(thrown: unknown): thrown is NodeFailure {
  return thrown instanceof Error && thrown.name === "NodeFailure" && "error" in thrown;
}

function isProblemError(thrown: unknown): thrown is ProblemError {
  return thrown instanceof Error && thrown.name === "ProblemError" && "problems" in thrown;
}

/** A problem as the failure of a node. */
export function errorOfProblem(problem: Problem, kind: FailureClass = "Terminal"): NodeError {
  return {
    class: kind,
    code: problem.code,
    message: problem.message,
    ...(problem.facts === undefined ? {} : { facts: problem.facts }),
    ...(problem.next === undefined ? {} : { next: problem.next }),
  };
}

/** Whether an edge for these classes takes a failure for which nothing is left to try. */
export function matchesClass(classes: readonly FailureClass[], error: NodeError): boolean {
  return classes.includes(error.class) || (error.class === "Retryable" && classes.includes("Terminal"));
}
