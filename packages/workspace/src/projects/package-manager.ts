/** Which package manager a workspace uses: by the field `packageManager`, else by its lock file. */
import type { PackageManager } from "../model.ts";
import type { SourceReader } from "../source-reader.ts";
import type { Manifest } from "./manifest.ts";

/** A package manager as found at a root. */
export interface FoundManager {
  readonly manager: PackageManager;
  /** Name of the lock file in the root. */
  readonly lockFile: string | undefined;
  /** False where the manager runs a script without its pre and post scripts (Yarn from version 2 on). */
  readonly runsHooks: boolean;
}

const LOCK_FILES = [
  ["pnpm", "pnpm-lock.yaml"],
  ["yarn", "yarn.lock"],
  ["npm", "package-lock.json"],
  ["npm", "npm-shrinkwrap.json"],
] as const;

/** Finds the manager of a root folder. Without any sign it is npm, or none where there is no manifest. */
export function findPackageManager(reader: SourceReader, root: string, manifest: Manifest | undefined): FoundManager {
  const locks = LOCK_FILES.filter(([, file]) => reader.exists(`${root}/${file}`));
  const field = manifest?.value.packageManager;
  const [, named, major] = /^(npm|pnpm|yarn)@(\d+)/.exec(typeof field === "string" ? field : "") ?? [];
  const byFile = reader.exists(`${root}/pnpm-workspace.yaml`) ? "pnpm" : locks[0]?.[0];
  const manager = (named as "npm" | "pnpm" | "yarn" | undefined) ?? byFile ?? (manifest === undefined ? "none" : "npm");
  const lockFile = locks.find(([owner]) => owner === manager)?.[1];
  if (manager !== "yarn") return { manager, lockFile, runsHooks: true };
  const isBerry = major !== undefined ? Number(major) >= 2 : reader.exists(`${root}/.yarnrc.yml`);
  const isPnp = reader.exists(`${root}/.pnp.cjs`);
  return { manager: isPnp ? "yarn-pnp" : "yarn", lockFile, runsHooks: !isBerry && !isPnp };
}
