/** Whether bubblewrap works here. */
import { spawnSync } from "node:child_process";

/** Why there can be no sandbox; `undefined` when there can. */
export function sandboxAbsence(): string | undefined {
  const tried = spawnSync("bwrap", ["--ro-bind", "/", "/", "--unshare-all", "true"]);
  return tried.status === 0 ? undefined : "bubblewrap is not installed, or may not make namespaces";
}
