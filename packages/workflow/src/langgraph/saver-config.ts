/** Ids of threads, namespaces and checkpoints, as LangGraph's configurations carry them. */
import { ProblemError, problem } from "@kahn/core";
import type { SaverConfig } from "./peer.ts";

/** Which checkpoint something is about. */
export interface CheckpointAddress {
  readonly thread: string;
  /** `""` for the graph itself, else the path of a subgraph. */
  readonly ns: string;
  readonly id: string;
}

/** The thread that is meant, or `undefined` for all. Throws `langgraph-config-invalid` for what is no text. */
export function threadWanted(config: SaverConfig): string | undefined {
  return text(config, "thread_id");
}

/** The thread that is meant; throws `langgraph-config-invalid` without one. */
export function threadOf(config: SaverConfig, purpose: string): string {
  return text(config, "thread_id") ?? missing("thread_id", purpose);
}

/** The namespace that is meant; the graph itself if none is named. */
export function namespaceOf(config: SaverConfig): string {
  return text(config, "checkpoint_ns") ?? "";
}

/** The checkpoint that is meant, if one is named. */
export function checkpointIdOf(config: SaverConfig): string | undefined {
  const id = text(config, "checkpoint_id");
  // The empty text stands for none; `thread_ts` is what early versions called it.
  return (id === "" ? undefined : id) ?? text(config, "thread_ts");
}

/** The checkpoint that must be named; throws `langgraph-config-invalid` if it is not. */
export function addressOf(config: SaverConfig, purpose: string): CheckpointAddress {
  const thread = threadOf(config, purpose);
  return { thread, ns: namespaceOf(config), id: checkpointIdOf(config) ?? missing("checkpoint_id", purpose) };
}

/** A configuration that means this checkpoint. */
export function configOf({ thread, ns, id }: CheckpointAddress): SaverConfig {
  return { configurable: { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id } };
}

function text(config: SaverConfig, key: string): string | undefined {
  const value: unknown = config.configurable?.[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw new ProblemError(
    problem("langgraph-config-invalid", `"${key}" in "configurable" is ${JSON.stringify(value)}, not a text.`, {
      next: `Pass a text, for example { configurable: { ${key}: "1" } }.`,
    }),
  );
}

function missing(key: string, purpose: string): never {
  throw new ProblemError(
    problem("langgraph-config-invalid", `To ${purpose}, "${key}" in "configurable" is needed.`, {
      next: `Call the graph with { configurable: { thread_id: "…" } }, which tells the saver where to write.`,
    }),
  );
}
