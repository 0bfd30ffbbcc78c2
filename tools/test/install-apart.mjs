/** Packages that few tests need: they have a folder and a lock file of their own, and are installed when those run. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "../repository.mjs";

/** A registry that does not answer must not hold up everything else. */
const INSTALL_MAX_MS = 5 * 60_000;

/**
 * Installs what the lock file of a folder names, unless it is there.
 *
 * @param {string} folder absolute
 * @param {string} what for the line that says so
 * @returns {string | undefined} why the packages cannot be had
 */
export function installApart(folder, what) {
  const installed = join(folder, "node_modules/.package-lock.json");
  const lock = join(folder, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return undefined;
  console.log(`test: installing ${what} into ${relative(ROOT, folder)}`);
  const args = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  const { status, error, signal, stderr } = spawnSync("npm", args, {
    cwd: folder,
    encoding: "utf8",
    timeout: INSTALL_MAX_MS,
  });
  if (status === 0) return undefined;
  const reason = /^npm error (.*)/m.exec(stderr ?? "")?.[1];
  const how = signal === null ? `exit code ${status}` : `ended by ${signal}`;
  return `npm install: ${error?.message ?? reason ?? how}`;
}
