/**
 * Whether an action asks for a persistent worker, and for what kind of one.
 *
 * Source: Bazel with `--experimental_remote_mark_tool_inputs` sends `persistentWorkerKey` for spawns that support
 *         workers, and marks their tools in the input tree. It tells nothing of the worker's kind; rules do, in their
 *         `exec_properties`: `persistentWorkerProtocol` is what other servers read, and the others are Bazel's own
 *         names for the same requirements of its local workers.
 */
import type { Property } from "@kahn/core";

/** What kind of worker. */
export interface WorkerWish {
  readonly protocol: "proto" | "json";
  /** It does many pieces of work at once, each in a directory of its own. */
  readonly isMultiplex: boolean;
  readonly canCancel: boolean;
}

/** Reads a platform; `undefined` for an action that is to be run by itself, as is one with a protocol unknown here. */
export function workerWish(platform: readonly Property[]): WorkerWish | undefined {
  const read = (wanted: string): string => platform.findLast(({ name }) => name === wanted)?.value.toLowerCase() ?? "";
  const says = (name: string): boolean => ["1", "true"].includes(read(name));
  if (read("persistentWorkerKey") === "" && !says("supports-workers")) return undefined;
  const protocol = read("persistentWorkerProtocol") || read("requires-worker-protocol") || "proto";
  if (protocol !== "proto" && protocol !== "json") return undefined;
  // Work without a directory of its own would see another action's inputs: such workers get one piece at a time.
  return {
    protocol,
    isMultiplex: says("supports-multiplex-workers") && says("supports-multiplex-sandboxing"),
    canCancel: says("supports-worker-cancellation"),
  };
}
