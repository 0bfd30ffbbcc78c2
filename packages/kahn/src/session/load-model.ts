/** Loads the workspace's model: from the cache of the last start when nothing changed, else from its files. */
import { pathToFileURL } from "node:url";
import type { Problem, Result } from "@kahn/core";
import { loadWorkspace, type WorkspaceModel } from "@kahn/workspace";
import type { Host } from "../cli/host.ts";
import { VERSION } from "../version.ts";
import { configSections } from "./config-sections.ts";
import type { SystemPorts } from "./workspace-session.ts";

/** The model of the workspace that holds the host's directory. */
export function loadModel(host: Host, { fs }: SystemPorts): Promise<Result<WorkspaceModel, readonly Problem[]>> {
  return loadWorkspace({
    fs,
    startDirectory: fs.realPath(host.directory) ?? host.directory,
    processorCount: host.processorCount,
    importModule: (path) => import(pathToFileURL(path).href),
    sections: configSections(),
    cacheStamp: VERSION,
  });
}
