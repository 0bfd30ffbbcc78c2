/** Opens where a process writes to. */
import { closeSync, constants, openSync } from "node:fs";
import type { OutputSink, ProcessSpec } from "@kahn/core";
import type { OutputTail, OutputTails } from "./output-tail.ts";

// O_APPEND: two descriptors of one file (a script that opens /dev/stderr again) never write over each other.
const FILE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;
// Read by us, at our own positions.
const TEE_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

/** The two output streams of one process. */
export interface OpenSinks {
  /** For `stdio` of `spawn`. */
  readonly stdout: number | "inherit";
  readonly stderr: number | "inherit";
  /** To be called when the process has been started or has not: closes what only it needs, follows the rest. */
  handOver(tails: OutputTails): readonly OutputTail[];
  /** Closes everything. */
  abandon(): void;
}

/** Opens both; when both name one path they share one descriptor, and so one order. Throws Node's errors. */
export function openSinks(spec: Pick<ProcessSpec, "stdout" | "stderr">): OpenSinks {
  const isShared =
    spec.stdout.kind !== "inherit" && spec.stderr.kind !== "inherit" && spec.stdout.path === spec.stderr.path;
  // Of one file there is one listener.
  const first = isShared && spec.stderr.kind === "tee" ? spec.stderr : spec.stdout;
  const stdout = openSink(first);
  let stderr = stdout;
  try {
    if (!isShared) stderr = openSink(spec.stderr);
  } catch (error) {
    if (stdout !== "inherit") closeSync(stdout);
    throw error;
  }
  const files: (readonly [fd: number, sink: OutputSink])[] = [];
  if (stdout !== "inherit") files.push([stdout, first]);
  if (stderr !== "inherit" && !isShared) files.push([stderr, spec.stderr]);
  return {
    stdout,
    stderr,
    handOver: (tails) => {
      const followed: OutputTail[] = [];
      for (const [fd, sink] of files) {
        if (sink.kind === "tee") followed.push(tails.follow(fd, sink.onBytes));
        else closeSync(fd);
      }
      return followed;
    },
    abandon: () => {
      for (const [fd] of files) closeSync(fd);
    },
  };
}

function openSink(sink: OutputSink): number | "inherit" {
  if (sink.kind === "inherit") return "inherit";
  return openSync(sink.path, sink.kind === "tee" ? TEE_FLAGS : FILE_FLAGS, 0o666);
}
