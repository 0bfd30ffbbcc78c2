/**
 * Finds the folder that a workspace's root may be.
 *
 * Owns:   the walk upwards from where Kahn was started.
 * Source: npm and pnpm: the nearest folder that declares workspaces, unless the package in between is no member.
 */
import { DATA_CONFIGS, MODULE_CONFIGS } from "../config/config-files.ts";
import { memberOf, parseJsonTree } from "../config/json-tree.ts";
import type { SourceReader } from "../source-reader.ts";

/** Where the root is. */
export interface RootLocation {
  /** Absolute path of the folder that declares projects; of `nearest` when no folder does. */
  readonly root: string;
  /**
   * Absolute path of the nearest folder with a manifest or a configuration, at or below `root`. When it is not `root`
   * and no project of it, it is a workspace of its own.
   */
  readonly nearest: string;
}

/** Walks up from an absolute folder; `undefined`: no folder has a manifest or a configuration. */
export function locateRoot(reader: SourceReader, startDirectory: string): RootLocation | undefined {
  let nearest: string | undefined;
  for (let directory = startDirectory; ; directory = parentOf(directory)) {
    const sign = signOf(reader, directory === "/" ? "" : directory);
    if (sign !== "nothing") nearest ??= directory;
    if (sign === "declares-projects") return { root: directory, nearest: nearest! };
    if (directory === "/" || directory === "") return nearest === undefined ? undefined : { root: nearest, nearest };
  }
}

function signOf(reader: SourceReader, directory: string): "declares-projects" | "is-package" | "nothing" {
  const has = (name: string) => reader.exists(`${directory}/${name}`);
  // Programs stand at roots only, and evaluating one to see whether it names projects would be dear.
  if (has("pnpm-workspace.yaml") || MODULE_CONFIGS.some(has)) return "declares-projects";
  const manifest = reader.readText(`${directory}/package.json`);
  if (manifest !== undefined && hasKey(manifest, "workspaces")) return "declares-projects";
  const configs = DATA_CONFIGS.map((name) => reader.readText(`${directory}/${name}`)).filter(
    (text) => text !== undefined,
  );
  if (configs.some((text) => hasKey(text, "projects"))) return "declares-projects";
  return manifest !== undefined || configs.length > 0 ? "is-package" : "nothing";
}

/** True when the top-level object has the key; of a broken text when it looks so: reading it will say what is wrong. */
function hasKey(text: string, key: string): boolean {
  const parsed = parseJsonTree(text, "jsonc");
  return parsed.ok ? memberOf(parsed.value, key) !== undefined : text.includes(`"${key}"`);
}

function parentOf(directory: string): string {
  const at = directory.lastIndexOf("/");
  return at <= 0 ? "/" : directory.slice(0, at);
}
