/** Loads the workspace's model: from the cache of the last start when nothing changed, else from its files. */
import type { Problem, Result } from "@kahn/core";
import { bootId } from "@kahn/system";
import { createModuleImporter, loadWorkspace, type WorkspaceModel } from "@kahn/workspace";
import type { SessionHost } from "../cli/host.ts";
import { VERSION } from "../version.ts";
import type { SystemPorts } from "./system-ports.ts";

/** The name of this very chunk, which the bundler makes of its content: a model is read by the code that wrote it. */
const BUILD = import.meta.url.slice(import.meta.url.lastIndexOf("/") + 1);

/** The model of the workspace that holds the host's directory. */
export function loadModel(host: SessionHost, { fs }: SystemPorts): Promise<Result<WorkspaceModel, readonly Problem[]>> {
  // The boot: a manifest that a power loss took the bytes of keeps its size and times.
  return loadWorkspace({
    fs,
    startDirectory: fs.realPath(host.directory) ?? host.directory,
    processorCount: host.processorCount,
    importModule: createModuleImporter({ fs, cacheDirectory: `${userCache(host)}/kahn/config` }),
    sections: async () => (await import("./config-sections.ts")).configSections(),
    modelCache: { file: (root) => `${root}/.kahn/state/model.json`, version: `${VERSION} ${BUILD} ${bootId()}` },
  });
}

/** The user's own folder for caches: transpiled configuration is code, so never a folder that others can write to. */
export function userCache({ env }: SessionHost): string {
  return env.XDG_CACHE_HOME || `${env.HOME ?? "/nonexistent"}/.cache`;
}
