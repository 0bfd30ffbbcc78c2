/** Checks of the machine and of an open workspace, for `kahn doctor`. */
import { storeStats } from "@kahn/cas";
import { countText, sizeText } from "@kahn/report";
import { withoutStandIns } from "@kahn/workspace";
import type { Host } from "../cli/host.ts";
import type { SystemPorts } from "./system-ports.ts";
import type { WorkspaceSession } from "./workspace-session.ts";

/** One thing that was looked at. `absent` is no fault: something optional is not there. */
export interface Finding {
  readonly state: "good" | "absent" | "wrong";
  readonly what: string;
  readonly detail: string;
  /** What to do about it. */
  readonly next?: string;
}

/** Looks at the machine. */
export function checkMachine(host: Host, { fs, git }: SystemPorts): Finding[] {
  const found = (what: string, name: string, use: string): Finding => {
    const path = programPath(host, name, (candidate) => fs.lstat(candidate) !== undefined);
    return path === undefined
      ? { state: "absent", what, detail: `${name} is not on PATH (${use})` }
      : { state: "good", what, detail: path };
  };
  return [
    { state: "good", what: "node", detail: `${host.nodeVersion} at ${host.nodePath}` },
    found("git", "git", "default inputs then are all files, and --affected does not work"),
    git.workTreeRoot(host.directory) === undefined
      ? { state: "absent", what: "repository", detail: "this folder is in no git repository" }
      : { state: "good", what: "repository", detail: git.workTreeRoot(host.directory)! },
    found("sandbox", "bwrap", "hermetic runs"),
    { state: "good", what: "processors", detail: `${host.processorCount} (--concurrency)` },
  ];
}

function programPath(host: Host, name: string, exists: (path: string) => boolean): string | undefined {
  for (const folder of (host.env.PATH ?? "").split(":")) {
    if (folder !== "" && exists(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  return undefined;
}

/** Looks at an open workspace. */
export async function checkWorkspace(session: WorkspaceSession): Promise<Finding[]> {
  const { model, locations, ports } = session;
  const tasks = withoutStandIns(model);
  const cached = tasks.filter((task) => task.cache).length;
  const findings: Finding[] = [
    {
      state: "good",
      what: "workspace",
      detail: `${model.root}: ${countText(model.projects.length, "project")} (${model.manager})`,
    },
    cached === 0
      ? { state: "absent", what: "caching", detail: "no task is cached; kahn init writes a kahn.jsonc" }
      : { state: "good", what: "caching", detail: `${cached} of ${countText(tasks.length, "task")} cached` },
    model.lockFile === undefined
      ? { state: "absent", what: "lock file", detail: "none: versions of external packages are in no key" }
      : { state: "good", what: "lock file", detail: model.lockFile },
  ];
  try {
    const stats = await storeStats(session.store);
    if (!stats.ok) findings.push({ state: "wrong", what: "cache", detail: stats.problem.message });
    else {
      const free = sizeText(ports.fs.freeBytes(locations.cache));
      findings.push({
        state: "good",
        what: "cache",
        detail: `${locations.cache}: ${sizeText(stats.value.storedBytes)}, ${free} free`,
      });
    }
  } catch (cause) {
    findings.push({ state: "wrong", what: "cache", detail: cause instanceof Error ? cause.message : String(cause) });
  }
  return findings;
}
