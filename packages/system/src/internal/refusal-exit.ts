/** Why a process never ran, in words that name what was missing. */
import { statSync } from "node:fs";
import type { ProcessExit, ProcessSpec } from "@kahn/core";
import { errnoOf } from "./refusal.ts";

/** The exit of a process that Node, or the opening of its log files, refused to start. */
export function refusalExit(spec: ProcessSpec, error: unknown): ProcessExit {
  const program = spec.argv[0] ?? "";
  // Node's own refusals are of arguments that no system call would take, such as a NUL within a name.
  const code = errnoOf(error) ?? "EINVAL";
  const path = (error as NodeJS.ErrnoException).path;
  const isSink = [spec.stdout, spec.stderr].some((sink) => sink.kind !== "inherit" && sink.path === path);
  if (isSink)
    return { kind: "not-started", code, message: `${spec.label}: its log ${path} cannot be written (${code})` };
  if (statSync(spec.cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return { kind: "not-started", code, message: `${spec.label}: the working directory ${spec.cwd} does not exist` };
  }
  const why = code === "ENOENT" ? "was not found" : `cannot be started (${code})`;
  return { kind: "not-started", code, message: `${spec.label}: the program "${program}" ${why}` };
}
