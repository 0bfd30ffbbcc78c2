/**
 * Explanations of changed lock files: the text that a key's digest stands for is kept in the value store, so that a
 * later miss can name the package.
 */
import type { Digest } from "@kahn/core";
import type { DescribeExternal } from "@kahn/exec";
import { lockFileChanges, packageChangeText } from "@kahn/workspace";
import type { WorkspaceSession } from "../workspace-session.ts";

/** Keeps the present lock file for later comparison. */
export function keepLockFile({ model, ports, values }: WorkspaceSession): void {
  if (model.lockFile === undefined) return;
  const bytes = ports.fs.readFile(`${model.root}/${model.lockFile}`);
  // A store that refuses costs an explanation only.
  if (bytes !== undefined) values.put(bytes);
}

/** Compares a kept lock file with the present one. */
export function describeExternal({ model, ports, values }: WorkspaceSession): DescribeExternal {
  return (name, before: Digest) => {
    const kept = values.get(before);
    const now = ports.fs.readFile(`${model.root}/${name}`);
    if (!kept.ok || kept.value === undefined || now === undefined) return [];
    return lockFileChanges(name, Buffer.from(kept.value).toString(), Buffer.from(now).toString()).map(
      packageChangeText,
    );
  };
}
