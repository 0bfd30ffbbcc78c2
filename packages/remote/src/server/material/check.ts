/**
 * What is wrong with a configuration and with the files that it names, all in one round, without starting anything.
 */
import { dirname } from "node:path";
import type { Problem, Result } from "@kahn/core";
import { err, FileSystemError, ok, problem } from "@kahn/core";
import type { ConfigSources } from "../../operation/server-config.ts";
import { readServerConfig } from "../../operation/server-config.ts";
import type { ServerConfig } from "../../operation/server-settings.ts";
import { backingProblems } from "../backing.ts";
import type { ServerPorts } from "../ports.ts";
import { readMaterial } from "./material.ts";

/** A configuration with which a server would start. */
export interface CheckedConfig {
  readonly config: ServerConfig;
  /** Such as `serve-token-expired`. */
  readonly warnings: readonly Problem[];
}

/** Problems that are about a file or an address alone, whatever else of the configuration is wrong. */
const OF_FILES: ReadonlySet<string> = new Set([
  ...["serve-file-unreadable", "serve-htpasswd-invalid", "serve-jwks-invalid", "serve-signing-key-invalid"],
  ...["tls-material-invalid", "serve-log-unwritable", "serve-readable-refused", "serve-backing-unavailable"],
]);

/**
 * Reads a configuration and its files.
 *
 * @returns or every problem: those of `resolveServerConfig`, of `readMaterial`, `serve-log-unwritable`, and of the cache behind.
 */
export async function checkServerConfig(
  sources: ConfigSources,
  ports: Pick<ServerPorts, "fs" | "clock" | "resolvePath">,
): Promise<Result<CheckedConfig, readonly Problem[]>> {
  const { problems, rest: config } = await readServerConfig(sources);
  if (config === undefined) return err(problems);
  const material = readMaterial(config, ports);
  const found = [
    ...(material.ok ? [] : material.problem),
    ...logProblems(config, ports),
    ...backingProblems(config, ports),
  ];
  if (problems.length > 0) return err([...problems, ...found.filter(({ code }) => OF_FILES.has(code))]);
  if (!material.ok || found.length > 0) return err(found);
  return ok({ config, warnings: material.value.access.warnings });
}

/** That the folder of the log is there. Nothing is written: a server may be writing the log. */
function logProblems(
  { telemetry: { accessLog } }: ServerConfig,
  { fs, resolvePath }: Pick<ServerPorts, "fs" | "resolvePath">,
): readonly Problem[] {
  if (accessLog === "none" || accessLog === "-") return [];
  const folder = dirname(resolvePath(accessLog));
  const next = "Make the folder, or name a file in another one, in telemetry.accessLog.";
  const unwritable = (why: string) => [
    problem("serve-log-unwritable", `${accessLog} cannot be written: ${why}`, { next }),
  ];
  try {
    return fs.readDirectory(folder) === undefined ? unwritable(`there is no folder ${folder}`) : [];
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    // A folder that may be written to but not listed is none of our business.
    return error.code === "EACCES" ? [] : unwritable(`${folder} is no folder (${error.code})`);
  }
}
