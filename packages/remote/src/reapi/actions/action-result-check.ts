/**
 * What must be true of an action result that a client sends: no more than what restoring it relies on.
 *
 * Never: looks at the action. Clients use keys that are digests of something else, and results of no Command.
 */
import type { ActionResult, DigestFunction } from "@kahn/core";
import { decodeActionResult } from "@kahn/core";
import { invalidArgument } from "../requests/refusal.ts";

/** The result in these bytes. @throws StatusError INVALID_ARGUMENT */
export function checkedActionResult(bytes: Uint8Array, fn: DigestFunction): ActionResult {
  const decoded = decodeActionResult(bytes, fn);
  if (!decoded.ok) throw invalidArgument(decoded.problem.message);
  const result = decoded.value;
  for (const { path } of result.outputFiles) checkPath(path, false);
  for (const { path } of result.outputDirectories) checkPath(path, true);
  for (const { path, target } of result.outputSymlinks) {
    checkPath(path, false);
    if (target === "") throw invalidArgument(`the output symlink ${shown(path)} has no target`);
    if (target.includes("\0")) throw invalidArgument(`the target of the output symlink ${shown(path)} holds a NUL`);
  }
  return result;
}

function checkPath(path: string, mayBeEmpty: boolean): void {
  // ".." is not refused: a working directory may be deep, and its outputs beside it. Who restores decides what is inside.
  if (path === "" && !mayBeEmpty) throw invalidArgument("an output has no path");
  if (path.startsWith("/")) throw invalidArgument(`the output path ${shown(path)} is absolute`);
  if (path.includes("\0")) throw invalidArgument(`the output path ${shown(path)} holds a NUL`);
}

function shown(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}
