/** What a runner and its spawner say to each other over Node's IPC channel (JSON, in order). */
import type { ProcessExit, ProcessSpec } from "@kahn/core";
import type { GuardianOptions } from "../guardian.ts";

/** A specification without listeners: what is listened to is read by the runner, from the file. */
export type SpawnerSpec = Omit<ProcessSpec, "stdout" | "stderr"> & {
  readonly stdout: SpawnerSink;
  readonly stderr: SpawnerSink;
};

/** Where a stream goes, seen from the spawner. */
export type SpawnerSink = { readonly kind: "file"; readonly path: string } | { readonly kind: "inherit" };

/** From the runner. */
export type SpawnerRequest =
  | { readonly kind: "start"; readonly id: number; readonly spec: SpawnerSpec }
  | { readonly kind: "end"; readonly id: number; readonly how: "term" | "kill" }
  | { readonly kind: "close" };

/** From the spawner. Each `start` gets a `started`, then an `ended`. */
export type SpawnerReply =
  | { readonly kind: "started"; readonly id: number; readonly pid: number }
  | { readonly kind: "ended"; readonly id: number; readonly exit: ProcessExit };

/** The spawner's only argument, as JSON. A `lockFd` is a descriptor of the spawner itself. */
export type SpawnerSettings = GuardianOptions;

/** The descriptor under which a spawner inherits the workspace lock; 3 is the IPC channel. */
export const SPAWNER_LOCK_FD = 4;
